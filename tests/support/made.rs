//! Spans made by hand, for what no recording shows, and everything that is said of them after their
//! translation.

use bytes::Bytes;
use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::translated::{string, translate};
use super::{key_values, spans};

/// When made spans begin.
pub const START: u64 = 1_700_000_000_000_000_000;

/// A span made by hand: CLIENT unless said otherwise, in a scope of version 0.40.0.
pub struct Made {
    scope: String,
    resource: Vec<KeyValue>,
    span: Span,
}

impl Made {
    pub fn new(scope: &str, name: &str) -> Made {
        let span = Span { name: name.into(), kind: 3, start_time_unix_nano: START, ..Default::default() };
        Made { scope: scope.into(), resource: Vec::new(), span }
    }

    pub fn kind(mut self, kind: i32) -> Made {
        self.span.kind = kind;
        self
    }

    pub fn resource(mut self, key: &str, value: &str) -> Made {
        self.resource.extend(key_values(&[(key, string(value))]));
        self
    }

    pub fn text(self, key: &str, value: &str) -> Made {
        self.value(key, string(value))
    }

    pub fn int(self, key: &str, value: i64) -> Made {
        self.value(key, Value::IntValue(value))
    }

    pub fn double(self, key: &str, value: f64) -> Made {
        self.value(key, Value::DoubleValue(value))
    }

    pub fn flag(self, key: &str, value: bool) -> Made {
        self.value(key, Value::BoolValue(value))
    }

    pub fn value(mut self, key: &str, value: Value) -> Made {
        self.span.attributes.extend(key_values(&[(key, value)]));
        self
    }

    /// An event, so many milliseconds after the span's start.
    pub fn event(mut self, name: &str, milliseconds: u64, attributes: &[(&str, &str)]) -> Made {
        let attributes: Vec<_> = attributes.iter().map(|(key, value)| (*key, string(value))).collect();
        let time_unix_nano = START + milliseconds * 1_000_000;
        let attributes = key_values(&attributes);
        self.span.events.push(Event { name: name.into(), time_unix_nano, attributes, ..Default::default() });
        self
    }

    /// What operation the span is found to be.
    pub fn found(&self) -> Option<String> {
        let (_, found) = translate(&self.request(), Target::Main);
        found.into_iter().next().flatten().map(|found| found.operation)
    }

    /// The span after its translation; a second pass must change nothing.
    pub fn to(&self, target: Target) -> Span {
        let (once, _) = translate(&self.request(), target);
        assert_eq!(translate(&once, target).0, once, "{}: a second pass changed something", self.span.name);
        spans(&once).remove(0)
    }

    fn request(&self) -> Bytes {
        let scope = InstrumentationScope { name: self.scope.clone(), version: "0.40.0".into(), ..Default::default() };
        let scope_spans = ScopeSpans { scope: Some(scope), spans: vec![self.span.clone()], ..Default::default() };
        let resource = Resource { attributes: self.resource.clone(), ..Default::default() };
        let resource_spans =
            ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..Default::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![resource_spans] };
        Bytes::from(request.encode_to_vec())
    }

    /// Compares all that the span says in 1.41 with `expected`, in any order.
    #[track_caller]
    pub fn check(&self, expected: &[&str]) {
        assert_eq!(lines(&self.to(Target::V1_41)), sorted(expected));
    }

    /// As [`Made::check`], of the other target.
    #[track_caller]
    pub fn check_main(&self, expected: &[&str]) {
        assert_eq!(lines(&self.to(Target::Main)), sorted(expected));
    }
}

/// Everything that a span says: its name and kind, its attributes, the names of its events.
pub fn lines(span: &Span) -> Vec<String> {
    let kind = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let mut lines = vec![format!("{} {}", kind[span.kind as usize], span.name)];
    lines.extend(span.attributes.iter().map(|entry| format!("{} = {}", entry.key, shown(entry.value.as_ref()))));
    lines.extend(span.events.iter().map(|event| format!("event {}", event.name)));
    lines.sort();
    lines
}

fn sorted(expected: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = expected.iter().map(|line| line.to_string()).collect();
    lines.sort();
    lines
}

fn shown(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => format!("{number:?}"),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::ArrayValue(list)) => {
            format!("[{}]", list.values.iter().map(|value| shown(Some(value))).collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

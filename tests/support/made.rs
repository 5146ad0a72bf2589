//! Spans made by hand, for what no recording shows, and everything that their translation says.
//! Recorded spans are next door, in `translated`.

use bytes::Bytes;
use dragoman::genai::settings::{Genai, Originals, Target};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::translated::translate_with;
use super::{key_values, spans};

/// When made spans begin.
pub const START: u64 = 1_700_000_000_000_000_000;

/// An attribute's value.
pub trait Said {
    fn value(self) -> Value;
}

impl Said for Value {
    fn value(self) -> Value {
        self
    }
}

impl Said for &str {
    fn value(self) -> Value {
        Value::StringValue(self.to_owned())
    }
}

impl Said for &String {
    fn value(self) -> Value {
        Value::StringValue(self.clone())
    }
}

impl Said for &[u8] {
    fn value(self) -> Value {
        Value::BytesValue(self.to_vec())
    }
}

impl Said for i64 {
    fn value(self) -> Value {
        Value::IntValue(self)
    }
}

impl Said for f64 {
    fn value(self) -> Value {
        Value::DoubleValue(self)
    }
}

impl Said for bool {
    fn value(self) -> Value {
        Value::BoolValue(self)
    }
}

impl<T: Said, const N: usize> Said for [T; N] {
    fn value(self) -> Value {
        let values = self.into_iter().map(|item| AnyValue { value: Some(item.value()) }).collect();
        Value::ArrayValue(ArrayValue { values })
    }
}

/// Attributes as the program's tests write them: `said! { "gen_ai.system" => "openai", ... }`.
#[macro_export]
macro_rules! said {
    ($($key:literal => $value:expr),* $(,)?) => { [$(($key, $crate::support::made::Said::value($value))),*] };
}

/// An attribute, as `said!` makes it.
type Entry = (&'static str, Value);

/// A span to be translated: INTERNAL, and begun at [`START`].
#[derive(Clone)]
pub struct Made {
    scope: InstrumentationScope,
    span: Span,
}

impl Made {
    pub fn new(scope: &str, name: &str, attributes: impl IntoIterator<Item = Entry>) -> Made {
        let span = Span { name: name.into(), kind: 1, start_time_unix_nano: START, ..Default::default() };
        let scope = InstrumentationScope { name: scope.into(), version: "1.0.0".into(), ..Default::default() };
        Made { scope, span }.with(attributes)
    }

    /// With more attributes.
    pub fn with(mut self, attributes: impl IntoIterator<Item = Entry>) -> Made {
        self.span.attributes.extend(said(attributes));
        self
    }

    /// Of a release of the scope that is not 1.0.0.
    pub fn version(mut self, version: &str) -> Made {
        self.scope.version = version.into();
        self
    }

    pub fn kind(mut self, kind: i32) -> Made {
        self.span.kind = kind;
        self
    }

    /// With an event that does not say when it was.
    pub fn event(mut self, name: &str, attributes: impl IntoIterator<Item = Entry>) -> Made {
        self.span.events.push(Event { name: name.into(), attributes: said(attributes), ..Default::default() });
        self
    }

    /// With an event, so many milliseconds after the span's start.
    pub fn event_at(self, milliseconds: u64, name: &str, attributes: impl IntoIterator<Item = Entry>) -> Made {
        let mut made = self.event(name, attributes);
        let last = made.span.events.last_mut().unwrap();
        last.time_unix_nano = START + milliseconds * 1_000_000;
        made
    }

    /// What operation the span is found to be.
    pub fn found(&self) -> Option<String> {
        let (_, found) = translate_with(&self.request(), &Genai { target: Target::Main, ..Genai::default() });
        found.into_iter().next().flatten().map(|found| found.operation)
    }

    /// The span after its translation. A second pass must change nothing, to either target, whether
    /// originals are replaced or kept.
    pub fn to(&self, target: Target) -> Span {
        let body = self.request();
        for target in [Target::V1_41, Target::Main] {
            for originals in [Originals::Replace, Originals::Keep] {
                let settings = Genai { target, originals, ..Genai::default() };
                let (once, _) = translate_with(&body, &settings);
                let (twice, _) = translate_with(&once, &settings);
                let name = &self.span.name;
                assert_eq!(twice, once, "{name}: a second pass ({target:?}, {originals:?}) changed something");
            }
        }
        spans(&translate_with(&body, &Genai { target, ..Genai::default() }).0).remove(0)
    }

    /// What the translation to 1.41 says, as [`written`] writes it.
    pub fn says(&self) -> String {
        written(&self.to(Target::V1_41))
    }

    /// As [`Made::says`], of main.
    pub fn says_in_main(&self) -> String {
        written(&self.to(Target::Main))
    }

    /// The lines of [`Made::says`] that begin with one of these.
    pub fn says_of(&self, beginnings: &[&str]) -> Vec<String> {
        let (says, begins) = (self.says(), |line: &&str| beginnings.iter().any(|known| line.starts_with(known)));
        says.lines().map(str::trim_start).filter(begins).map(str::to_owned).collect()
    }

    /// Compares all lines of [`Made::says`] with `expected`, which has them in any order.
    #[track_caller]
    pub fn check(&self, expected: &[&str]) {
        assert_eq!(sorted(&self.says()), sorted(&expected.join("\n")));
    }

    /// As [`Made::check`], of main.
    #[track_caller]
    pub fn check_main(&self, expected: &[&str]) {
        assert_eq!(sorted(&self.says_in_main()), sorted(&expected.join("\n")));
    }

    fn request(&self) -> Bytes {
        let scope = Some(self.scope.clone());
        let scope_spans = vec![ScopeSpans { scope, spans: vec![self.span.clone()], ..Default::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }
}

fn said(attributes: impl IntoIterator<Item = Entry>) -> Vec<KeyValue> {
    key_values(&attributes.into_iter().collect::<Vec<_>>())
}

/// A span as lines: `NAME (KIND)`, then its attributes by name, then its events.
pub fn written(span: &Span) -> String {
    let kind = ["?", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][usize::try_from(span.kind).unwrap()];
    let mut lines = vec![format!("{} ({kind})", span.name)];
    lines.extend(attributes(&span.attributes).into_iter().map(|line| format!("  {line}")));
    for event in &span.events {
        lines.push(format!("  event {}", event.name));
        lines.extend(attributes(&event.attributes).into_iter().map(|line| format!("    {line}")));
    }
    lines.join("\n") + "\n"
}

fn attributes(attributes: &[KeyValue]) -> Vec<String> {
    let mut lines: Vec<String> =
        attributes.iter().map(|entry| format!("{} = {}", entry.key, text(entry.value.as_ref()))).collect();
    lines.sort();
    lines
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().map(str::trim_start).collect();
    lines.sort_unstable();
    lines
}

/// A value; what is no text says its type.
fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => format!("{number} (int)"),
        Some(Value::DoubleValue(number)) => format!("{number:?} (double)"),
        Some(Value::BoolValue(flag)) => format!("{flag} (bool)"),
        Some(Value::ArrayValue(list)) => {
            format!("[{}]", list.values.iter().map(|value| text(Some(value))).collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

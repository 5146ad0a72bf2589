//! Spans made by hand, for what no recording shows, and everything that their translation says.

use bytes::Bytes;
use dragoman::genai::settings::{Genai, Target};
use dragoman::genai::translate::{NoBatch, Translator};
use dragoman::otlp::traces::{self, Origin, Visitor};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event};
use prost::Message;

use super::{key_values, spans};

/// A span to be translated; INTERNAL.
pub struct Made {
    scope: InstrumentationScope,
    span: Span,
}

/// An attribute's value.
pub trait Said {
    fn value(self) -> any_value::Value;
}

impl Said for &str {
    fn value(self) -> any_value::Value {
        any_value::Value::StringValue(self.to_owned())
    }
}

impl Said for i64 {
    fn value(self) -> any_value::Value {
        any_value::Value::IntValue(self)
    }
}

impl Said for f64 {
    fn value(self) -> any_value::Value {
        any_value::Value::DoubleValue(self)
    }
}

impl Said for bool {
    fn value(self) -> any_value::Value {
        any_value::Value::BoolValue(self)
    }
}

impl Said for &[&str] {
    fn value(self) -> any_value::Value {
        let values = self.iter().map(|text| AnyValue { value: Some(text.value()) }).collect();
        any_value::Value::ArrayValue(ArrayValue { values })
    }
}

/// Attributes as the program's tests write them: `said! { "gen_ai.system" => "openai", ... }`.
#[macro_export]
macro_rules! said {
    ($($key:literal => $value:expr),* $(,)?) => { &[$(($key, $crate::support::crafted::Said::value($value))),*] };
}

impl Made {
    pub fn new(scope: &str, name: &str, attributes: &[(&str, any_value::Value)]) -> Made {
        let scope = InstrumentationScope { name: scope.into(), version: "1.0.0".into(), ..Default::default() };
        let span = Span { name: name.into(), kind: 1, attributes: key_values(attributes), ..Default::default() };
        Made { scope, span }
    }

    pub fn kind(mut self, kind: i32) -> Made {
        self.span.kind = kind;
        self
    }

    pub fn event(mut self, name: &str, attributes: &[(&str, any_value::Value)]) -> Made {
        self.span.events.push(Event { name: name.into(), attributes: key_values(attributes), ..Default::default() });
        self
    }

    /// The span translated; a second pass must change nothing.
    pub fn translated(self, target: Target) -> Span {
        let scope_spans = vec![ScopeSpans { scope: Some(self.scope), spans: vec![self.span], ..Default::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
        let once = translate(&Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec()), target);
        let (one, two) = (spans(&once).remove(0), spans(&translate(&once, target)).remove(0));
        assert_eq!(one, two, "a second pass changed something");
        one
    }

    /// What the translation to 1.41 says: name, kind and every attribute, a line each.
    pub fn says(self) -> String {
        written(&self.translated(Target::V1_41))
    }

    /// As [`Made::says`], of main.
    pub fn says_in_main(self) -> String {
        written(&self.translated(Target::Main))
    }
}

/// A span as lines: `NAME (KIND)`, then its attributes by name, then its events.
pub fn written(span: &Span) -> String {
    let kind = ["?", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][span.kind as usize];
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

fn text(value: Option<&AnyValue>) -> String {
    use any_value::Value;
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

struct Translating {
    translator: Translator,
    tally: dragoman::genai::Tally,
}

impl Visitor for Translating {
    fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
        self.translator.translate(span, origin, &mut NoBatch, &mut self.tally);
    }
}

fn translate(body: &Bytes, target: Target) -> Bytes {
    let translator = Translator::new(&Genai { target, ..Genai::default() });
    let tally = translator.tally();
    let mut visitor = Translating { translator, tally };
    traces::edit(body, &mut visitor).unwrap().body
}

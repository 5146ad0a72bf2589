//! Spans made by hand, for eras and settings of which there is no recording, and all that a
//! translation makes of them.

use bytes::Bytes;
use dragoman::genai::settings::{Genai, Originals, Target};
use dragoman::genai::translate::{NoBatch, Translator};
use dragoman::otlp::traces::{self, Origin, Visitor};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event};
use prost::Message;
use serde_json::Value as Tree;

use super::made::START;
use super::spans;

/// A span to be. Attributes come as JSON: a list is a list, an object a list of keys and values.
#[derive(Clone)]
pub struct Made {
    scope: &'static str,
    span: Span,
}

/// A span of an INTERNAL kind that begins at [`START`].
pub fn span(scope: &'static str, name: &str, attributes: Tree) -> Made {
    let span = Span {
        name: name.into(),
        kind: 1,
        start_time_unix_nano: START,
        attributes: key_values(&attributes),
        ..Default::default()
    };
    Made { scope, span }
}

impl Made {
    /// With an event.
    pub fn event(mut self, name: &str, attributes: Tree) -> Made {
        self.span.events.push(Event { name: name.into(), attributes: key_values(&attributes), ..Default::default() });
        self
    }

    /// What is said for a target: name and kind, every attribute in the order of keys, the events that
    /// are left. A second pass must change nothing, with originals or without.
    pub fn to(&self, target: Target) -> String {
        let scope = InstrumentationScope { name: self.scope.into(), ..Default::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: vec![self.span.clone()], ..Default::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
        let body = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        for originals in [Originals::Replace, Originals::Keep] {
            let once = translated(&body, target, originals);
            assert_eq!(
                translated(&once, target, originals),
                once,
                "a second pass with {originals:?} changed something"
            );
        }
        described(&spans(&translated(&body, target, Originals::Replace)).remove(0))
    }

    /// The lines of [`Made::to`] for 1.41 that begin with one of these.
    pub fn lines(&self, keys: &[&str]) -> Vec<String> {
        let all = self.to(Target::V1_41);
        all.lines().filter(|line| keys.iter().any(|key| line.starts_with(key))).map(str::to_owned).collect()
    }
}

struct Translating(Translator, dragoman::genai::Tally);

impl Visitor for Translating {
    fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
        self.0.translate(span, origin, &mut NoBatch, &mut self.1);
    }
}

fn translated(body: &Bytes, target: Target, originals: Originals) -> Bytes {
    let translator = Translator::new(&Genai { target, originals, ..Genai::default() });
    let tally = translator.tally();
    traces::edit(body, &mut Translating(translator, tally)).unwrap().body
}

fn described(span: &Span) -> String {
    let kind = ["?", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][usize::try_from(span.kind).unwrap()];
    let mut lines: Vec<String> =
        span.attributes.iter().map(|entry| format!("{} = {}", entry.key, value(entry.value.as_ref()))).collect();
    lines.sort();
    lines.insert(0, format!("{} {kind}", span.name));
    lines.extend(span.events.iter().map(|event| format!("event {}", event.name)));
    lines.join("\n")
}

fn value(given: Option<&AnyValue>) -> String {
    match given.and_then(|given| given.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::BoolValue(flag)) => flag.to_string(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::DoubleValue(number)) => format!("{number:?}"),
        Some(any_value::Value::ArrayValue(list)) => {
            let items: Vec<String> = list.values.iter().map(|item| value(Some(item))).collect();
            format!("[{}]", items.join(" "))
        }
        other => format!("{other:?}"),
    }
}

fn key_values(object: &Tree) -> Vec<KeyValue> {
    let entry =
        |(key, value): (&String, &Tree)| KeyValue { key: key.clone(), value: Some(any(value)), ..KeyValue::default() };
    object.as_object().unwrap().iter().map(entry).collect()
}

fn any(tree: &Tree) -> AnyValue {
    let value = match tree {
        Tree::String(text) => any_value::Value::StringValue(text.clone()),
        Tree::Bool(flag) => any_value::Value::BoolValue(*flag),
        Tree::Number(number) => match number.as_i64() {
            Some(number) => any_value::Value::IntValue(number),
            None => any_value::Value::DoubleValue(number.as_f64().unwrap()),
        },
        Tree::Array(items) => any_value::Value::ArrayValue(ArrayValue { values: items.iter().map(any).collect() }),
        Tree::Object(_) | Tree::Null => panic!("{tree}"),
    };
    AnyValue { value: Some(value) }
}

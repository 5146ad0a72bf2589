//! Small spans for tests of translation: built and read with prost, which is the oracle.
#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper of tests may fail")]
#![allow(unreachable_pub, reason = "a module of test files")]

pub mod mixture;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use dragoman::genai::dialect::{BUILT_IN, Dialect, Sign};
use dragoman::genai::explain::Explanation;
use dragoman::genai::settings::{Genai, Originals, Target};
use dragoman::genai::translate::{NoBatch, Translation};
use dragoman::genai::{Tally, Translator};
use dragoman::otlp::traces::{Origin, Visitor, edit};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use serde_json::json;

/// Target 1.41, originals replaced.
pub fn replace() -> Genai {
    Genai::default()
}

/// Target 1.41, originals kept.
pub fn keep() -> Genai {
    Genai { originals: Originals::Keep, ..Genai::default() }
}

/// Target main, originals replaced.
pub fn main() -> Genai {
    Genai { target: Target::Main, ..Genai::default() }
}

/// Both targets, both modes.
pub fn all_settings() -> [Genai; 4] {
    let main_keep = Genai { target: Target::Main, originals: Originals::Keep, ..Genai::default() };
    [replace(), keep(), main(), main_keep]
}

/// A span to be translated.
#[derive(Clone)]
pub struct Case {
    span: Span,
    scope: &'static str,
    version: &'static str,
    schema_url: &'static str,
    resource: Option<(&'static str, &'static str)>,
}

/// As the builder's calls would be written, for counterexamples that can be read.
impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Case { span, scope, version, schema_url, resource } = self;
        write!(f, "{:?} of {scope:?} {version:?} {schema_url:?} {resource:?}, {}", span.name, span.kind)?;
        for entry in &span.attributes {
            write!(f, "\n  {:?}: {}", entry.key, json_of(entry.value.as_ref()))?;
        }
        for event in &span.events {
            write!(f, "\n  event {:?}", event.name)?;
            for entry in &event.attributes {
                write!(f, "\n    {:?}: {}", entry.key, json_of(entry.value.as_ref()))?;
            }
        }
        Ok(())
    }
}

/// A translated span.
pub struct Done {
    pub span: Span,
    pub translation: Option<Translation>,
    /// Whether the request came out byte for byte as it went in.
    pub unchanged: bool,
    pub tally: Tally,
}

impl Case {
    pub fn new(name: &str) -> Case {
        let span = Span {
            name: name.into(),
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            kind: SpanKind::Internal.into(),
            ..Span::default()
        };
        Case { span, scope: "", version: "", schema_url: "", resource: None }
    }

    pub fn scope(mut self, scope: &'static str) -> Case {
        self.scope = scope;
        self
    }

    /// The scope's version.
    pub fn version(mut self, version: &'static str) -> Case {
        self.version = version;
        self
    }

    /// The schema URL of the scope's spans.
    pub fn schema_url(mut self, schema_url: &'static str) -> Case {
        self.schema_url = schema_url;
        self
    }

    /// An attribute of the resource.
    pub fn resource(mut self, key: &'static str, value: &'static str) -> Case {
        self.resource = Some((key, value));
        self
    }

    pub fn kind(mut self, kind: SpanKind) -> Case {
        self.span.set_kind(kind);
        self
    }

    /// Ended with an error.
    pub fn failed(mut self) -> Case {
        self.span.status = Some(Status { code: StatusCode::Error.into(), ..Status::default() });
        self
    }

    fn attribute(mut self, key: &str, value: Value) -> Case {
        let value = Some(AnyValue { value: Some(value) });
        self.span.attributes.push(KeyValue { key: key.into(), value, ..KeyValue::default() });
        self
    }

    pub fn text(self, key: &str, value: &str) -> Case {
        self.attribute(key, Value::StringValue(value.into()))
    }

    pub fn int(self, key: &str, value: i64) -> Case {
        self.attribute(key, Value::IntValue(value))
    }

    pub fn double(self, key: &str, value: f64) -> Case {
        self.attribute(key, Value::DoubleValue(value))
    }

    pub fn bool(self, key: &str, value: bool) -> Case {
        self.attribute(key, Value::BoolValue(value))
    }

    pub fn strings(self, key: &str, values: &[&str]) -> Case {
        self.structured(key, json!(values))
    }

    pub fn structured(self, key: &str, value: serde_json::Value) -> Case {
        match any(value).value {
            Some(value) => self.attribute(key, value),
            None => self,
        }
    }

    pub fn event(self, name: &str, attributes: &[(&str, &str)]) -> Case {
        self.structured_event(name, attributes.iter().map(|(key, value)| (key.to_string(), json!(value))).collect())
    }

    pub fn structured_event(mut self, name: &str, attributes: Vec<(String, serde_json::Value)>) -> Case {
        let attribute = |(key, value)| KeyValue { key, value: Some(any(value)), ..KeyValue::default() };
        let attributes = attributes.into_iter().map(attribute).collect();
        self.span.events.push(Event { name: name.into(), attributes, ..Event::default() });
        self
    }

    /// As `structured`; null is an attribute without a value.
    pub fn structured_or_empty(mut self, key: &str, value: serde_json::Value) -> Case {
        let value = Some(any(value)).filter(|value| value.value.is_some());
        self.span.attributes.push(KeyValue { key: key.into(), value, ..KeyValue::default() });
        self
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The dialects that something speaks for.
    pub fn speakers(&self) -> impl Iterator<Item = &'static Dialect> {
        let shows = |sign| {
            let has = |is: &dyn Fn(&str) -> bool| self.span.attributes.iter().any(|entry| is(&entry.key));
            match sign {
                Sign::Scope(name) => self.scope == name,
                Sign::ScopePrefix(prefix) | Sign::UnversionedScopePrefix(prefix) | Sign::SchemaScopePrefix(prefix) => {
                    self.scope.starts_with(prefix)
                }
                Sign::Key(key) => has(&|known| known == key),
                Sign::KeyPrefix(prefix) => has(&|known| known.starts_with(prefix)),
                Sign::Resource(key, value) => self.resource == Some((key, value)),
                Sign::SpanName(name) => self.span.name == name,
                Sign::SpanNamePrefix(prefix) => self.span.name.starts_with(prefix),
            }
        };
        BUILT_IN.iter().copied().filter(move |dialect| dialect.tells.iter().any(|tell| shows(tell.sign)))
    }

    /// The encoded request that holds the span.
    pub fn request(self) -> Vec<u8> {
        let scope = InstrumentationScope {
            name: self.scope.into(),
            version: self.version.into(),
            ..InstrumentationScope::default()
        };
        let scope = ScopeSpans { scope: Some(scope), spans: vec![self.span], schema_url: self.schema_url.into() };
        let attribute = |(key, value): (&str, &str)| KeyValue {
            key: key.into(),
            value: Some(any(json!(value))),
            ..KeyValue::default()
        };
        let resource =
            self.resource.map(|entry| Resource { attributes: vec![attribute(entry)], ..Resource::default() });
        let resource = ResourceSpans { resource, scope_spans: vec![scope], ..ResourceSpans::default() };
        ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
    }

    pub fn run(self, settings: &Genai) -> Done {
        let body = self.request();
        let mut done = translate(&body, settings);
        let span = done.spans.remove(0);
        Done { span, translation: done.translations.remove(0), unchanged: done.body == body, tally: done.tally }
    }
}

/// A translated request.
pub struct Request {
    pub body: Vec<u8>,
    pub spans: Vec<Span>,
    pub translations: Vec<Option<Translation>>,
    pub tally: Tally,
}

/// A translator; those without mappings are built once a thread, for a property asks for thousands.
fn translator(settings: &Genai) -> Rc<Translator> {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Rc<Translator>>> = RefCell::default();
    }
    if !settings.mappings.is_empty() {
        return Rc::new(Translator::new(settings));
    }
    KNOWN.with_borrow_mut(|known| {
        known.entry(format!("{settings:?}")).or_insert_with(|| Rc::new(Translator::new(settings))).clone()
    })
}

/// Translates every span of a request.
pub fn translate(body: &[u8], settings: &Genai) -> Request {
    struct Each<'t>(&'t Translator, Vec<Option<Translation>>, Tally);
    impl Visitor for Each<'_> {
        fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
            self.1.push(self.0.translate(span, origin, &mut NoBatch, &mut self.2));
        }
    }
    let translator = translator(settings);
    let mut each = Each(&translator, Vec::new(), translator.tally());
    let outcome = edit(&bytes::Bytes::copy_from_slice(body), &mut each).unwrap();
    let decoded = ExportTraceServiceRequest::decode(&*outcome.body).unwrap();
    let scopes = decoded.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans).collect();
    Request { body: outcome.body.to_vec(), spans, translations: each.1, tally: each.2 }
}

impl Done {
    /// The attributes as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        attributes(&self.span)
    }

    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.span.attributes.iter().map(|entry| entry.key.clone()).collect();
        keys.sort();
        keys
    }

    pub fn ints(&self, key: &str) -> Vec<i64> {
        let entries = self.span.attributes.iter().filter(|entry| entry.key == key);
        entries.filter_map(|entry| json_of(entry.value.as_ref()).as_i64()).collect()
    }

    /// The JSON inside of a text attribute.
    pub fn messages(&self, key: &str) -> serde_json::Value {
        messages(&self.span, key)
    }

    pub fn event_names(&self) -> Vec<&str> {
        self.span.events.iter().map(|event| event.name.as_str()).collect()
    }

    pub fn counted(&self, dialect: &str, outcome: &str, reason: &str, count: u64) -> bool {
        self.tally.iter().any(|entry| entry == (dialect, outcome, reason, count))
    }

    pub fn reason(&self, reason: &str) -> bool {
        self.tally.iter().any(|(_, outcome, because, _)| outcome == "kept" && because == reason)
    }
}

/// The first span's explanation.
pub fn explain(body: &[u8], settings: &Genai) -> Option<Explanation> {
    struct Each(Rc<Translator>, Option<Explanation>);
    impl Visitor for Each {
        fn span(&mut self, span: &mut dragoman::otlp::span::Span<'_>, origin: &Origin<'_>) {
            self.1 = self.0.explain(span, origin, &mut NoBatch);
        }
    }
    let mut each = Each(translator(settings), None);
    edit(&bytes::Bytes::copy_from_slice(body), &mut each).unwrap();
    each.1
}

/// An attribute, as the product reads it.
pub fn value_of(span: &Span, key: &str) -> Option<dragoman::otlp::value::Value<'static>> {
    let entry = span.attributes.iter().find(|entry| entry.key == key)?;
    let bytes = entry.value.clone().unwrap_or_default().encode_to_vec();
    Some(dragoman::otlp::value::Value::parse_owned(&bytes))
}

/// The attributes of a span as one JSON object; of one key the first counts.
pub fn attributes(span: &Span) -> serde_json::Value {
    json_object(&span.attributes)
}

/// Attributes of anything as one JSON object; of one key the first counts.
pub fn json_object(attributes: &[KeyValue]) -> serde_json::Value {
    let entries = attributes.iter().rev().map(|entry| (entry.key.clone(), json_of(entry.value.as_ref())));
    serde_json::Value::Object(entries.collect())
}

/// The JSON inside of a text attribute.
pub fn messages(span: &Span, key: &str) -> serde_json::Value {
    let all = attributes(span);
    let text = all[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {all}"));
    serde_json::from_str(text).unwrap()
}

fn json_of(value: Option<&AnyValue>) -> serde_json::Value {
    match value.and_then(|value| value.value.as_ref()) {
        None => serde_json::Value::Null,
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::BoolValue(flag)) => json!(flag),
        Some(Value::IntValue(number)) => json!(number),
        Some(Value::DoubleValue(number)) => json!(number),
        Some(Value::ArrayValue(list)) => list.values.iter().map(|value| json_of(Some(value))).collect(),
        Some(Value::KvlistValue(list)) => {
            let entries = list.values.iter().map(|entry| (entry.key.clone(), json_of(entry.value.as_ref())));
            serde_json::Value::Object(entries.collect())
        }
        Some(other) => json!(format!("{other:?}")),
    }
}

fn any(value: serde_json::Value) -> AnyValue {
    let value = match value {
        serde_json::Value::Null => None,
        serde_json::Value::Bool(flag) => Some(Value::BoolValue(flag)),
        serde_json::Value::Number(number) => Some(match number.as_i64() {
            Some(number) => Value::IntValue(number),
            None => Value::DoubleValue(number.as_f64().unwrap()),
        }),
        serde_json::Value::String(text) => Some(Value::StringValue(text)),
        serde_json::Value::Array(items) => {
            Some(Value::ArrayValue(ArrayValue { values: items.into_iter().map(any).collect() }))
        }
        serde_json::Value::Object(entries) => {
            let entry = |(key, value)| KeyValue { key, value: Some(any(value)), ..KeyValue::default() };
            Some(Value::KvlistValue(KeyValueList { values: entries.into_iter().map(entry).collect() }))
        }
    };
    AnyValue { value }
}

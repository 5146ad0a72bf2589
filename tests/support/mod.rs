//! What several integration tests share: the recorded requests under `tests/corpus`, and spans
//! decoded by prost, which is the oracle.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "every test file uses a part of it")]

pub mod made;
pub mod replay;
pub mod translated;
pub mod usage;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// The folder of the recorded cases.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The cases of an emitter: `startup`, the others by name, `shutdown`.
pub fn cases(emitter: &str) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(corpus().join(emitter))
        .unwrap_or_else(|error| panic!("{emitter}: {error}"))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    let order = |path: &PathBuf| match path.file_name().unwrap().to_str().unwrap() {
        "startup" => 0,
        "shutdown" => 2,
        _ => 1,
    };
    cases.sort_by_key(|path| (order(path), path.clone()));
    cases
}

/// The requests of a case whose names end in `suffix` (`traces.pb`), in order of arrival.
pub fn requests(case: &Path, suffix: &str) -> Vec<Bytes> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(case)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect();
    files.sort();
    files.iter().map(|file| Bytes::from(std::fs::read(file).unwrap())).collect()
}

/// Every span of an encoded request.
pub fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// Attributes from keys and values.
pub fn key_values(entries: &[(&str, any_value::Value)]) -> Vec<KeyValue> {
    let entry = |(key, value): &(&str, any_value::Value)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(value.clone()) }),
        ..KeyValue::default()
    };
    entries.iter().map(entry).collect()
}

/// The text of a string attribute.
pub fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attribute(attributes, key)? {
        AnyValue { value: Some(any_value::Value::StringValue(text)) } => Some(text),
        _ => None,
    }
}

/// The number of an integer attribute.
pub fn int(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match attribute(attributes, key)? {
        AnyValue { value: Some(any_value::Value::IntValue(number)) } => Some(*number),
        _ => None,
    }
}

/// The value of an attribute.
pub fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|entry| entry.key == key)?.value.as_ref()
}

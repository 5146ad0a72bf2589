//! The same edits on the wire and on decoded structs.

use bytes::Bytes;
use dragoman::otlp::id::SpanId;
use dragoman::otlp::span::Span;
use dragoman::otlp::traces::{Origin, Spans, Visitor, edit};
use dragoman::otlp::value::Value;
use dragoman::otlp::wire::{Payload, Reader};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message;

use super::edits::{Plan, Reference, on_engine};

/// Makes the edits of a plan, and compares what every span reads with prost's.
struct Editor<'p> {
    plan: &'p Plan,
    /// Spans in order, with the edits made on them so far; empty when prost refuses the request.
    references: Vec<Reference>,
    origins: Vec<Place>,
    seen: usize,
}

/// Where a span comes from, as prost sees it.
#[derive(Clone)]
struct Place {
    resource: Vec<KeyValue>,
    scope_name: String,
    scope_version: String,
    scope_attributes: usize,
    schema_url: String,
}

impl Visitor for Editor<'_> {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        let index = self.seen;
        self.seen += 1;
        let mut reference = self.references.get_mut(index);
        if let Some(reference) = &reference {
            reference.assert_reads_alike(span);
        }
        if let Some(place) = self.origins.get(index) {
            let keys: Vec<_> = origin.resource.iter().map(|(key, _)| key).collect();
            assert_eq!(keys, place.resource.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>());
            assert_eq!(origin.scope_name, place.scope_name);
            assert_eq!(origin.scope_version, place.scope_version);
            assert_eq!(origin.scope_attributes.iter().count(), place.scope_attributes);
            assert_eq!(origin.schema_url, place.schema_url);
        }
        for edit in self.plan.of(index) {
            on_engine(edit, span);
            if let Some(reference) = &mut reference {
                reference.apply(edit);
                reference.assert_reads_alike(span);
            }
        }
    }

    fn finish(&mut self, spans: &mut Spans) {
        for &(index, parent) in &self.plan.parents {
            spans.set_parent(index, parent.and_then(|id| SpanId::from_bytes(&id)));
            if let Some(reference) = self.references.get_mut(index) {
                reference.set_parent(parent);
                if let Some(record) = spans.records().get(index) {
                    assert_eq!(record.parent_span_id, SpanId::from_bytes(&reference.span.parent_span_id));
                }
            }
        }
    }
}

/// Edits a request on both ways and compares everything that is promised of the engine.
pub(crate) fn edit_on_both_ways(body: &[u8], plan: &Plan) {
    let body = Bytes::copy_from_slice(body);
    let decoded = ExportTraceServiceRequest::decode(&body[..]);
    let (references, origins) = decoded.as_ref().map(flatten).unwrap_or_default();
    let mut editor = Editor { plan, references, origins, seen: 0 };
    let outcome = match (edit(&body, &mut editor), &decoded) {
        (Ok(outcome), Ok(_)) => outcome,
        (Err(_), Err(_)) => return,
        (Ok(_), Err(error)) => panic!("prost refuses what the engine accepts: {error}"),
        (Err(error), Ok(_)) => panic!("the engine refuses what prost accepts: {error}"),
    };
    let references = editor.references;
    assert_eq!(outcome.received, references.len());
    assert_eq!(outcome.kept, references.iter().filter(|reference| !reference.dropped).count());

    let changed: Vec<bool> = references.iter().map(|reference| reference.touched || reference.dropped).collect();
    if !changed.contains(&true) {
        assert_eq!(outcome.body.as_ptr(), body.as_ptr(), "an untouched request is handed on as it came");
        assert_eq!(outcome.body.len(), body.len());
    }
    let came = Shape::of(&body);
    let goes = Shape::of(&outcome.body);
    // Of the fields that can be edited prost tells; the others are copied.
    let fates: Vec<Fate> = references.iter().map(|r| Fate { dropped: r.dropped, touched: r.touched }).collect();
    came.assert_survives_in(&goes, &fates, &[4, 5, 6, 9, 11]);

    let mut expected = rebuild(decoded.unwrap_or_default(), references);
    let mut written = ExportTraceServiceRequest::decode(&outcome.body[..]).expect("what is written is a request");
    without_impossible_parents(&mut expected);
    without_impossible_parents(&mut written);
    // Compared as bytes, because NaN is not equal to itself.
    assert!(written.encode_to_vec() == expected.encode_to_vec(), "\nengine: {written:#?}\n prost: {expected:#?}");
    if expected.resource_spans.is_empty() && outcome.received > 0 {
        assert!(outcome.body.is_empty(), "of a request of which nothing is left nothing goes on");
    }
}

fn flatten(request: &ExportTraceServiceRequest) -> (Vec<Reference>, Vec<Place>) {
    let mut references = Vec::new();
    let mut places = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            let its = scope.scope.clone().unwrap_or_default();
            let url = if scope.schema_url.is_empty() { &resource.schema_url } else { &scope.schema_url };
            let place = Place {
                resource: resource.resource.clone().unwrap_or_default().attributes,
                scope_name: its.name,
                scope_version: its.version,
                scope_attributes: its.attributes.len(),
                schema_url: url.clone(),
            };
            for span in &scope.spans {
                references.push(Reference::new(span.clone()));
                places.push(place.clone());
            }
        }
    }
    (references, places)
}

/// The request with its spans as they were edited: a scope that lost all its spans goes, a
/// resource that lost all its scopes goes, one that came empty stays.
fn rebuild(mut request: ExportTraceServiceRequest, references: Vec<Reference>) -> ExportTraceServiceRequest {
    let mut references = references.into_iter();
    request.resource_spans.retain_mut(|resource| {
        let came_empty = resource.scope_spans.is_empty();
        resource.scope_spans.retain_mut(|scope| {
            let came_empty = scope.spans.is_empty();
            let spans = references.by_ref().take(scope.spans.len());
            scope.spans = spans.filter(|span| !span.dropped).map(Reference::into_span).collect();
            came_empty || !scope.spans.is_empty()
        });
        came_empty || !resource.scope_spans.is_empty()
    });
    request
}

/// A parent that is no id says the same as none. Whether it stays in a span whose parent was set
/// and taken back is open; in a span that was not touched it does.
fn without_impossible_parents(request: &mut ExportTraceServiceRequest) {
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        if SpanId::from_bytes(&span.parent_span_id).is_none() {
            span.parent_span_id.clear();
        }
    }
}

/// What became of an item.
pub(crate) struct Fate {
    pub(crate) dropped: bool,
    pub(crate) touched: bool,
}

/// A request's bytes, message by message, with unknown fields in their places.
pub(crate) struct Shape {
    other: Vec<u8>,
    resources: Vec<ResourceShape>,
}

struct ResourceShape {
    other: Vec<u8>,
    scopes: Vec<ScopeShape>,
}

struct ScopeShape {
    other: Vec<u8>,
    items: Vec<Vec<u8>>,
}

impl Shape {
    pub(crate) fn of(body: &[u8]) -> Shape {
        let (resources, other) = split(body, &[1]);
        let resources = resources.into_iter().map(|resource| {
            let (scopes, other) = split(resource, &[2]);
            let scopes = scopes.into_iter().map(|scope| {
                let (items, other) = split(scope, &[2]);
                ScopeShape { other, items: items.into_iter().map(<[u8]>::to_vec).collect() }
            });
            ResourceShape { other, scopes: scopes.collect() }
        });
        Shape { resources: resources.collect(), other }
    }

    /// Whatever no edit has to do with is in the new request byte for byte. `edited` are the numbers
    /// of an item's fields that an edit may write.
    pub(crate) fn assert_survives_in(&self, new: &Shape, fates: &[Fate], edited: &[u32]) {
        let mut fates = fates.iter();
        let mut new_resources = new.resources.iter();
        for resource in &self.resources {
            let mut kept = Vec::new();
            for scope in &resource.scopes {
                let items: Vec<_> = scope.items.iter().zip(fates.by_ref().take(scope.items.len())).collect();
                let left: Vec<_> = items.iter().copied().filter(|(_, fate)| !fate.dropped).collect();
                if items.is_empty() || !left.is_empty() {
                    kept.push((scope, left));
                }
            }
            if kept.is_empty() && !resource.scopes.is_empty() {
                continue;
            }
            let new_resource = new_resources.next().expect("the resource survives");
            assert_eq!(resource.other, new_resource.other, "a resource's other fields");
            assert_eq!(kept.len(), new_resource.scopes.len());
            for ((scope, items), new_scope) in kept.iter().zip(&new_resource.scopes) {
                assert_eq!(scope.other, new_scope.other, "a scope's other fields");
                assert_eq!(items.len(), new_scope.items.len());
                for ((item, fate), new_item) in items.iter().zip(&new_scope.items) {
                    if fate.touched {
                        assert_eq!(split(item, edited).1, split(new_item, edited).1, "an item's other fields");
                    } else {
                        assert_eq!(*item, new_item, "an untouched item");
                    }
                }
            }
        }
        assert!(new_resources.next().is_none());
        if !new.resources.is_empty() || self.resources.is_empty() {
            assert_eq!(self.other, new.other, "the request's other fields");
        }
    }
}

/// The contents of the fields of these numbers, and all other fields as they are.
fn split<'a>(bytes: &'a [u8], numbers: &[u32]) -> (Vec<&'a [u8]>, Vec<u8>) {
    let mut contents = Vec::new();
    let mut other = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next().expect("the request is well-formed") {
        match field.payload {
            Payload::Bytes(content) if numbers.contains(&field.number) => contents.push(content),
            _ if numbers.contains(&field.number) => {}
            _ => other.extend_from_slice(&bytes[field.start..field.end]),
        }
    }
    (contents, other)
}

/// A visitor that changes nothing reads every value to its end.
pub(crate) struct ReadEverything;

impl Visitor for ReadEverything {
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>) {
        fn read(value: &Value<'_>) {
            match value {
                Value::Array(array) => array.iter().for_each(|value| read(&value)),
                Value::KvList(list) => list.iter().for_each(|(_, value)| read(&value)),
                _ => {}
            }
        }
        span.attributes().for_each(|(_, value)| read(&value.parse()));
        span.source_attributes().for_each(|(_, value)| read(&value));
        origin.resource.iter().for_each(|(_, value)| read(&value));
    }
}

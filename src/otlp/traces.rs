//! One pass over a traces request: every span is shown to a [`Visitor`] once, and the request is
//! written once, afterwards, by copying what nobody changed.
//!
//! A request in which nothing changes is handed on as the bytes that came in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::attributes::INDEXED_ABOVE;
use super::id::{SpanId, TraceId};
use super::span::Span;
use super::value::{KeyValue, Value};
use super::wire::{Payload, Reader, WireError, WireType, delimited_len, put_bytes, put_key, put_varint, varint_len};

/// What sees the spans of a request.
pub trait Visitor {
    /// One span, in the order of the request. Changes are made through the span.
    fn span(&mut self, span: &mut Span<'_>, origin: &Origin<'_>);

    /// After the last span: what could only be known now, such as the parents of children that
    /// stood before a dropped span.
    fn finish(&mut self, spans: &mut Spans) {
        let _ = spans;
    }
}

/// Where a span comes from: its resource and its instrumentation scope.
#[derive(Debug, Default)]
pub struct Origin<'a> {
    /// The resource's attributes.
    pub resource: Attributes<'a>,
    /// The scope's name; empty if unknown.
    pub scope_name: &'a str,
    /// The scope's version; empty if unknown.
    pub scope_version: &'a str,
    /// The scope's attributes.
    pub scope_attributes: Attributes<'a>,
    /// The scope's schema URL, or else the resource's; empty if neither is set.
    pub schema_url: &'a str,
}

/// Attributes that are only read.
#[derive(Debug, Default, Clone)]
pub struct Attributes<'a> {
    entries: Vec<KeyValue<'a>>,
    /// Where the first attribute of a key is, once there are too many to look through them for
    /// each of a million spans.
    index: Option<HashMap<&'a str, usize, foldhash::fast::RandomState>>,
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute named `key`.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        let entry = match &self.index {
            Some(index) => self.entries.get(*index.get(key)?),
            None => self.entries.iter().find(|entry| entry.key == key),
        };
        entry.map(|entry| Value::parse(&entry.value))
    }

    /// All attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'_>)> {
        self.entries.iter().map(|entry| (entry.key, Value::parse(&entry.value)))
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.index = None;
    }

    /// To be called after the last attribute.
    fn settle(&mut self) {
        if self.entries.len() > INDEXED_ABOVE {
            let entries = self.entries.iter().enumerate().rev();
            self.index = Some(entries.map(|(position, entry)| (entry.key, position)).collect());
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The request to hand on; empty if nothing is left of it.
    pub body: Bytes,
    /// Spans that came in.
    pub received: usize,
    /// Spans that go on.
    pub kept: usize,
}

/// A span of the request, as [`Visitor::finish`] sees it.
#[derive(Debug, Clone)]
pub struct Record {
    /// The trace's id, if valid.
    pub trace_id: Option<TraceId>,
    /// The span's id, if valid.
    pub span_id: Option<SpanId>,
    /// The parent as it stands now.
    pub parent_span_id: Option<SpanId>,
    /// Whether the span was dropped.
    pub dropped: bool,
    /// W3C trace flags and the two `is_remote` bits.
    pub flags: u32,
    source: Range<usize>,
    /// The span's new content in the arena, if it was changed.
    written: Option<Range<usize>>,
}

/// All spans of a request, after the last one was seen.
#[derive(Debug, Default)]
pub struct Spans {
    records: Vec<Record>,
    arena: Vec<u8>,
    /// Spans whose parent [`Spans::set_parent`] changed.
    mended: Vec<usize>,
}

impl Spans {
    /// The spans in the order of the request, dropped ones included.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes back that the span at `index` of [`Spans::records`] was dropped.
    pub fn keep(&mut self, index: usize) {
        if let Some(record) = self.records.get_mut(index) {
            record.dropped = false;
        }
    }

    /// Changes the parent of the span at `index` of [`Spans::records`].
    pub fn set_parent(&mut self, index: usize, parent: Option<SpanId>) {
        if let Some(record) = self.records.get_mut(index)
            && record.parent_span_id != parent
        {
            record.parent_span_id = parent;
            self.mended.push(index);
        }
    }
}

/// Checks a traces request and counts its spans, without showing them to anybody.
///
/// # Errors
/// Whatever prost would refuse.
pub fn check(body: &[u8]) -> Result<usize, WireError> {
    struct Nobody;
    impl Visitor for Nobody {
        fn span(&mut self, _: &mut Span<'_>, _: &Origin<'_>) {}
    }
    let (_, spans) = walk(body, &mut Nobody)?;
    Ok(spans.records.len())
}

/// Shows every span of an encoded `ExportTraceServiceRequest` to `visitor` and returns the request
/// with the changes made. A scope or resource whose spans were all dropped goes with them; one that
/// came empty stays.
///
/// # Errors
/// Whatever prost would refuse. The visitor may have seen some spans by then.
pub fn edit(body: &Bytes, visitor: &mut impl Visitor) -> Result<Outcome, WireError> {
    let (shape, mut spans) = walk(body, visitor)?;
    visitor.finish(&mut spans);
    mend(body, &mut spans)?;
    let received = spans.records.len();
    let kept = spans.records.iter().filter(|record| !record.dropped).count();
    let changed = kept != received || spans.records.iter().any(|record| record.written.is_some());
    let body = if changed { write(body, &shape, &spans) } else { body.clone() };
    Ok(Outcome { body, received, kept })
}

/// Where the messages of a request stand.
#[derive(Debug, Default)]
struct Shape {
    resources: Vec<ResourceShape>,
    scopes: Vec<ScopeShape>,
    /// Every span's whole field, in step with the records.
    fields: Vec<Range<usize>>,
}

#[derive(Debug)]
struct ResourceShape {
    field: Range<usize>,
    content: Range<usize>,
    scopes: Range<usize>,
}

#[derive(Debug)]
struct ScopeShape {
    field: Range<usize>,
    content: Range<usize>,
    spans: Range<usize>,
}

fn walk(body: &[u8], visitor: &mut impl Visitor) -> Result<(Shape, Spans), WireError> {
    let mut shape = Shape::default();
    let mut spans = Spans::default();
    let mut span = Span::new();
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                let bytes = field.bytes("ExportTraceServiceRequest", "resource_spans")?;
                let content = field.end - bytes.len()..field.end;
                let scopes = shape.scopes.len();
                walk_resource(body, content.clone(), reader.below(), &mut span, visitor, &mut shape, &mut spans)?;
                let scopes = scopes..shape.scopes.len();
                shape.resources.push(ResourceShape { field: field.start..field.end, content, scopes });
            }
            _ => reader.unknown()?,
        }
    }
    Ok((shape, spans))
}

fn walk_resource<'a>(
    body: &'a [u8],
    content: Range<usize>,
    depth: Option<u32>,
    span: &mut Span<'a>,
    visitor: &mut impl Visitor,
    shape: &mut Shape,
    spans: &mut Spans,
) -> Result<(), WireError> {
    let base = content.start;
    let mut origin = Origin::default();
    let mut resource_schema_url = "";
    let mut reader = Reader::at_depth(&body[content.clone()], depth)?;
    let below = reader.below();
    // The resource may stand after its scopes, so it is read before any span is shown.
    let first = shape.scopes.len();
    while let Some(field) = reader.next()? {
        match field.number {
            1 => check_resource(field.bytes("ResourceSpans", "resource")?, below, &mut origin.resource)?,
            2 => {
                let bytes = field.bytes("ResourceSpans", "scope_spans")?;
                let end = base + field.end;
                shape.scopes.push(ScopeShape {
                    field: base + field.start..end,
                    content: end - bytes.len()..end,
                    spans: 0..0,
                });
            }
            3 => resource_schema_url = field.string("ResourceSpans", "schema_url")?,
            _ => reader.unknown()?,
        }
    }
    origin.resource.settle();
    for index in first..shape.scopes.len() {
        let content = shape.scopes[index].content.clone();
        origin.schema_url = resource_schema_url;
        let start = spans.records.len();
        walk_scope(body, content, below, span, &mut origin, visitor, shape, spans)?;
        shape.scopes[index].spans = start..spans.records.len();
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "one private step of one walk")]
fn walk_scope<'a>(
    body: &'a [u8],
    content: Range<usize>,
    depth: Option<u32>,
    span: &mut Span<'a>,
    origin: &mut Origin<'a>,
    visitor: &mut impl Visitor,
    shape: &mut Shape,
    spans: &mut Spans,
) -> Result<(), WireError> {
    let base = content.start;
    let mut reader = Reader::at_depth(&body[content.clone()], depth)?;
    let below = reader.below();
    origin.scope_name = "";
    origin.scope_version = "";
    origin.scope_attributes.clear();
    let mut schema_url = "";
    let first = shape.fields.len();
    // As with the resource: the scope may stand after its spans.
    while let Some(field) = reader.next()? {
        match field.number {
            1 => check_scope(field.bytes("ScopeSpans", "scope")?, below, origin)?,
            2 => {
                field.bytes("ScopeSpans", "spans")?;
                shape.fields.push(base + field.start..base + field.end);
            }
            3 => schema_url = field.string("ScopeSpans", "schema_url")?,
            _ => reader.unknown()?,
        }
    }
    if !schema_url.is_empty() {
        origin.schema_url = schema_url;
    }
    origin.scope_attributes.settle();
    for index in first..shape.fields.len() {
        let field = shape.fields[index].clone();
        let content = delimited_content(body, field)?;
        span.parse_at(&body[content.clone()], below)?;
        visitor.span(span, origin);
        let mut written = None;
        // A dropped span is written too: the last word on dropping is spoken in `finish`.
        if span.is_edited() {
            let start = spans.arena.len();
            span.write(&mut spans.arena);
            written = keep_change(&mut spans.arena, start, span.source());
        }
        spans.records.push(Record {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent_span_id: span.parent_span_id(),
            dropped: span.is_dropped(),
            flags: span.flags(),
            source: content,
            written,
        });
    }
    Ok(())
}

/// Where a span's new content stands, which begins at `start` of the arena. Changes that cancel
/// out are no change: such a span's bytes go on as they came.
fn keep_change(arena: &mut Vec<u8>, start: usize, source: &[u8]) -> Option<Range<usize>> {
    if arena[start..] == *source {
        arena.truncate(start);
        return None;
    }
    Some(start..arena.len())
}

/// The content of a length-delimited field that was read before.
fn delimited_content(body: &[u8], field: Range<usize>) -> Result<Range<usize>, WireError> {
    match Reader::new(&body[field.clone()]).next()? {
        Some(inner) => match inner.payload {
            Payload::Bytes(bytes) => Ok(field.end - bytes.len()..field.end),
            _ => Ok(field.end..field.end),
        },
        None => Ok(field.end..field.end),
    }
}

/// Several resources in one `ResourceSpans` merge: their attributes add up.
fn check_resource<'a>(bytes: &'a [u8], depth: Option<u32>, into: &mut Attributes<'a>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => into.entries.push(KeyValue::check(field.bytes("Resource", "attributes")?, reader.below())?),
            2 => drop(field.varint("Resource", "dropped_attributes_count")?),
            3 => check_entity_ref(field.bytes("Resource", "entity_refs")?, reader.below())?,
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

fn check_entity_ref(bytes: &[u8], depth: Option<u32>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => drop(field.string("EntityRef", "schema_url")?),
            2 => drop(field.string("EntityRef", "type")?),
            3 => drop(field.string("EntityRef", "id_keys")?),
            4 => drop(field.string("EntityRef", "description_keys")?),
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

fn check_scope<'a>(bytes: &'a [u8], depth: Option<u32>, into: &mut Origin<'a>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(bytes, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => into.scope_name = field.string("InstrumentationScope", "name")?,
            2 => into.scope_version = field.string("InstrumentationScope", "version")?,
            3 => {
                let entry = field.bytes("InstrumentationScope", "attributes")?;
                into.scope_attributes.entries.push(KeyValue::check(entry, reader.below())?);
            }
            4 => drop(field.varint("InstrumentationScope", "dropped_attributes_count")?),
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

/// Writes the spans whose parent was changed after the walk.
fn mend(body: &Bytes, spans: &mut Spans) -> Result<(), WireError> {
    let mended = std::mem::take(&mut spans.mended);
    for index in mended {
        let record = &spans.records[index];
        if record.dropped {
            continue;
        }
        let (parent, source) = (record.parent_span_id, record.source.clone());
        let content: Cow<'_, [u8]> = match record.written.clone() {
            Some(written) => Cow::Owned(spans.arena[written].to_vec()),
            None => Cow::Borrowed(&body[source.clone()]),
        };
        let mut span = Span::new();
        span.parse(&content)?;
        span.set_parent_span_id(parent);
        let start = spans.arena.len();
        span.write(&mut spans.arena);
        spans.records[index].written = keep_change(&mut spans.arena, start, &body[source]);
    }
    Ok(())
}

/// What stands in the place of one field.
enum Piece<'r> {
    /// The field as it came.
    Same,
    /// Nothing.
    Gone,
    /// New content of this length.
    New(usize, &'r Range<usize>),
}

fn write(body: &[u8], shape: &Shape, spans: &Spans) -> Bytes {
    // Lengths first, bottom up, so that every length is a minimal varint and the buffer is
    // allocated once.
    let scope_lengths: Vec<Option<usize>> =
        shape.scopes.iter().map(|scope| scope_length(scope, shape, spans)).collect();
    let resource_lengths: Vec<Option<usize>> =
        shape.resources.iter().map(|resource| resource_length(resource, shape, &scope_lengths)).collect();

    let mut out = Vec::with_capacity(body.len() + spans.arena.len());
    let mut copied = 0;
    for (resource, length) in shape.resources.iter().zip(&resource_lengths) {
        out.extend_from_slice(&body[copied..resource.field.start]);
        copied = resource.field.end;
        let Some(length) = *length else { continue };
        if length == resource.content.len() && !changed(resource, shape, spans) {
            out.extend_from_slice(&body[resource.field.clone()]);
            continue;
        }
        put_key(&mut out, 1, WireType::Bytes);
        put_varint(&mut out, length as u64);
        let mut copied = resource.content.start;
        for index in resource.scopes.clone() {
            let scope = &shape.scopes[index];
            out.extend_from_slice(&body[copied..scope.field.start]);
            copied = scope.field.end;
            let Some(length) = scope_lengths[index] else { continue };
            put_key(&mut out, 2, WireType::Bytes);
            put_varint(&mut out, length as u64);
            write_scope(body, scope, shape, spans, &mut out);
        }
        out.extend_from_slice(&body[copied..resource.content.end]);
    }
    // A request of which no span is left is no request; whoever sends it on sends nothing.
    if resource_lengths.iter().all(Option::is_none) && !resource_lengths.is_empty() {
        return Bytes::new();
    }
    out.extend_from_slice(&body[copied..]);
    Bytes::from(out)
}

fn changed(resource: &ResourceShape, shape: &Shape, spans: &Spans) -> bool {
    resource
        .scopes
        .clone()
        .flat_map(|scope| shape.scopes[scope].spans.clone())
        .any(|span| spans.records[span].dropped || spans.records[span].written.is_some())
}

fn write_scope(body: &[u8], scope: &ScopeShape, shape: &Shape, spans: &Spans, out: &mut Vec<u8>) {
    let mut copied = scope.content.start;
    for index in scope.spans.clone() {
        let field = &shape.fields[index];
        let piece = piece(&spans.records[index]);
        if let Piece::Same = piece {
            continue;
        }
        out.extend_from_slice(&body[copied..field.start]);
        copied = field.end;
        if let Piece::New(_, written) = piece {
            put_bytes(out, 2, &spans.arena[written.clone()]);
        }
    }
    out.extend_from_slice(&body[copied..scope.content.end]);
}

fn piece(record: &Record) -> Piece<'_> {
    match &record.written {
        _ if record.dropped => Piece::Gone,
        Some(written) => Piece::New(written.len(), written),
        None => Piece::Same,
    }
}

/// The length of a scope's new content; `None` if it had spans and none is left.
fn scope_length(scope: &ScopeShape, shape: &Shape, spans: &Spans) -> Option<usize> {
    let mut length = scope.content.len();
    let mut left = scope.spans.is_empty();
    for index in scope.spans.clone() {
        let was = shape.fields[index].len();
        match piece(&spans.records[index]) {
            Piece::Same => left = true,
            Piece::Gone => length -= was,
            Piece::New(content, _) => {
                left = true;
                length = length - was + delimited_len(2, content);
            }
        }
    }
    left.then_some(length)
}

/// The length of a resource's new content; `None` if it had scopes and none is left.
fn resource_length(resource: &ResourceShape, shape: &Shape, scope_lengths: &[Option<usize>]) -> Option<usize> {
    let mut length = resource.content.len();
    let mut left = resource.scopes.is_empty();
    for index in resource.scopes.clone() {
        length -= shape.scopes[index].field.len();
        if let Some(content) = scope_lengths[index] {
            left = true;
            length += 1 + varint_len(content as u64) + content;
        }
    }
    left.then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::value::put_key_value;

    /// A request of one resource with these attributes and one span.
    fn request(keys: impl Iterator<Item = String>) -> Bytes {
        let mut resource = Vec::new();
        for (number, key) in keys.enumerate() {
            let mut value = Vec::new();
            Value::Int(number as i64).encode(&mut value);
            put_key_value(&mut resource, 1, &key, &value);
        }
        let mut scope = Vec::new();
        put_bytes(&mut scope, 2, &[]);
        let mut content = Vec::new();
        put_bytes(&mut content, 1, &resource);
        put_bytes(&mut content, 2, &scope);
        let mut body = Vec::new();
        put_bytes(&mut body, 1, &content);
        Bytes::from(body)
    }

    struct See<'k>(&'k str, Option<i64>);

    impl Visitor for See<'_> {
        fn span(&mut self, _: &mut Span<'_>, origin: &Origin<'_>) {
            self.1 = origin.resource.get(self.0).and_then(|value| value.as_int());
        }
    }

    #[test]
    fn a_resource_of_very_many_attributes_is_read_as_a_small_one_is() {
        for count in [4, 4 * INDEXED_ABOVE] {
            let body = request((0..count).map(|number| format!("k{}", number % (count / 2))));
            for (key, expected) in [("k0", Some(0)), ("k1", Some(1)), ("other", None)] {
                let mut see = See(key, None);
                edit(&body, &mut see).unwrap();
                assert_eq!(see.1, expected, "{key} of {count}");
            }
        }
    }

    #[test]
    fn a_parent_that_is_changed_and_changed_back_leaves_the_request_as_it_came() {
        struct Back;
        impl Visitor for Back {
            fn span(&mut self, _: &mut Span<'_>, _: &Origin<'_>) {}
            fn finish(&mut self, spans: &mut Spans) {
                spans.set_parent(0, SpanId::from_bytes(&[1; 8]));
                spans.set_parent(0, None);
            }
        }
        let body = request(std::iter::empty());
        assert_eq!(edit(&body, &mut Back).unwrap().body.as_ptr(), body.as_ptr());
    }
}

//! One pass over a traces request: every span is shown to a [`Visitor`] once, and the request is
//! written once, afterwards, by copying what nobody changed.
//!
//! A request in which nothing changes is handed on as the bytes that came in.

use std::borrow::Cow;

use bytes::Bytes;

use super::envelope::{self, Item, Items, Names, Place, keep_change};
pub use super::envelope::{Attributes, Envelope, Origin, Outcome};
use super::id::{SpanId, TraceId};
use super::span::Span;
use super::value::Value;
use super::wire::WireError;

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

/// A span of the request, as [`Visitor::finish`] sees it.
#[derive(Debug, Clone)]
pub struct Record {
    /// The trace's id, if valid.
    pub trace_id: Option<TraceId>,
    /// The span's id, if valid.
    pub span_id: Option<SpanId>,
    /// The parent as it stands now.
    pub parent_span_id: Option<SpanId>,
    /// Whether the span was dropped for good.
    pub dropped: bool,
    /// Whether the span was held back and comes later.
    pub held: bool,
    /// W3C trace flags and the two `is_remote` bits.
    pub flags: u32,
    /// When the span began, in nanoseconds since the epoch.
    pub start_time_unix_nano: u64,
    place: Place,
}

/// All spans of a request, after the last one was seen.
#[derive(Debug, Default)]
pub struct Spans {
    items: Items<Record>,
    /// What is to be changed of spans that were written already, by their index.
    changes: Vec<(usize, Change)>,
    kept_again: usize,
}

/// A change that could only be made after the last span was seen.
#[derive(Debug)]
enum Change {
    /// The parent is now the record's.
    Parent,
    /// An attribute that is not there yet.
    Attribute(&'static str, Value<'static>),
}

impl Spans {
    /// The spans in the order of the request, dropped ones included.
    pub fn records(&self) -> &[Record] {
        &self.items.records
    }

    /// Takes back that the span at `index` of [`Spans::records`] was dropped.
    pub fn keep(&mut self, index: usize) {
        if let Some(record) = self.items.records.get_mut(index)
            && std::mem::take(&mut record.dropped)
        {
            self.kept_again += 1;
        }
    }

    /// How often [`Spans::keep`] took something back.
    pub fn kept_again(&self) -> usize {
        self.kept_again
    }

    /// Changes the parent of the span at `index` of [`Spans::records`].
    pub fn set_parent(&mut self, index: usize, parent: Option<SpanId>) {
        if let Some(record) = self.items.records.get_mut(index)
            && record.parent_span_id != parent
        {
            record.parent_span_id = parent;
            self.changes.push((index, Change::Parent));
        }
    }

    /// The attributes that spans are to be given, by their index in [`Spans::records`].
    pub fn attributes_to_come(&self) -> impl Iterator<Item = (usize, &'static str, &Value<'static>)> {
        self.changes.iter().filter_map(|(index, change)| match change {
            Change::Attribute(key, value) => Some((*index, *key, value)),
            Change::Parent => None,
        })
    }

    /// Gives the span at `index` of [`Spans::records`] an attribute. One of that name which is there
    /// already stays as it is.
    pub fn set_if_absent(&mut self, index: usize, key: &'static str, value: impl Into<Value<'static>>) {
        self.changes.push((index, Change::Attribute(key, value.into())));
    }
}

/// Checks a traces request and counts its spans, without showing them to anybody.
///
/// # Errors
/// Whatever prost would refuse.
pub fn check(body: &[u8]) -> Result<usize, WireError> {
    let (_, items) = envelope::walk::<Span<'_>>(body, &mut |_, _| {})?;
    Ok(items.records.len())
}

/// Shows every span of an encoded `ExportTraceServiceRequest` to `visitor` and returns the request
/// with the changes made. A scope or resource whose spans were all dropped goes with them; one that
/// came empty stays.
///
/// # Errors
/// Whatever prost would refuse. The visitor may have seen some spans by then.
pub fn edit(body: &Bytes, visitor: &mut impl Visitor) -> Result<Outcome, WireError> {
    let (shape, items) = envelope::walk(body, &mut |span: &mut Span<'_>, origin| visitor.span(span, origin))?;
    let mut spans = Spans { items, changes: Vec::new(), kept_again: 0 };
    visitor.finish(&mut spans);
    change(body, &mut spans)?;
    Ok(envelope::finish(body, &shape, &spans.items))
}

impl<'a> Item<'a> for Span<'a> {
    const NAMES: Names = Names {
        request: ("ExportTraceServiceRequest", "resource_spans"),
        resource: ("ResourceSpans", "scope_spans"),
        scope: ("ScopeSpans", "spans"),
    };
    type Record = Record;

    fn parse_at(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError> {
        Span::parse_at(self, bytes, depth)
    }

    fn source(&self) -> &'a [u8] {
        Span::source(self)
    }

    fn is_edited(&self) -> bool {
        Span::is_edited(self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        Span::write(self, out);
    }

    fn record(&self, place: Place) -> Record {
        Record {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            parent_span_id: self.parent_span_id(),
            dropped: self.is_dropped() && !self.is_held(),
            held: self.is_held(),
            flags: self.flags(),
            start_time_unix_nano: self.start_time_unix_nano(),
            place,
        }
    }
}

impl envelope::Record for Record {
    fn place(&self) -> &Place {
        &self.place
    }

    fn is_dropped(&self) -> bool {
        self.dropped || self.held
    }
}

/// Writes the spans that were changed after the walk.
fn change(body: &Bytes, spans: &mut Spans) -> Result<(), WireError> {
    let mut changes = std::mem::take(&mut spans.changes);
    changes.sort_by_key(|(index, _)| *index);
    for changes in changes.chunk_by(|(one, _), (other, _)| one == other) {
        let Items { records, arena } = &mut spans.items;
        let Some(record) = changes.first().and_then(|(index, _)| records.get_mut(*index)) else { continue };
        if record.dropped {
            continue;
        }
        let (parent, source) = (record.parent_span_id, record.place.source.clone());
        let content: Cow<'_, [u8]> = match record.place.written.clone() {
            Some(written) => Cow::Owned(arena[written].to_vec()),
            None => Cow::Borrowed(&body[source.clone()]),
        };
        let mut span = Span::new();
        span.parse(&content)?;
        for (_, change) in changes {
            match change {
                Change::Parent => span.set_parent_span_id(parent),
                Change::Attribute(key, _) if span.has(key) => {}
                Change::Attribute(key, value) => span.set(key, value.clone()),
            }
        }
        let start = arena.len();
        span.write(arena);
        record.place.written = keep_change(arena, start, &body[source]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::attributes::INDEXED_ABOVE;
    use crate::otlp::value::put_key_value;
    use crate::otlp::wire::put_bytes;

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

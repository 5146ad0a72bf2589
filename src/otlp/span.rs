//! One span: a borrowed view of its bytes, and the one interface through which stages change it.
//!
//! Nothing is decoded into structs. Parsing a span checks it as prost would and notes where its
//! attributes stand; every change is recorded beside the view, and the span is written once, after
//! the last stage, by copying what did not change. A span that nobody changes is never written:
//! its bytes are copied through as they came, unknown fields included.
//!
//! ```
//! use dragoman::otlp::{span::Span, value::Value, wire};
//!
//! // A span with one attribute, `llm.request.model` = "gpt-4o".
//! let mut bytes = Vec::new();
//! let mut value = Vec::new();
//! Value::from("gpt-4o").encode(&mut value);
//! dragoman::otlp::value::put_key_value(&mut bytes, 9, "llm.request.model", &value);
//!
//! let mut span = Span::new();
//! span.parse(&bytes).unwrap();
//! span.rename("llm.request.model", "gen_ai.request.model");
//! span.set("gen_ai.usage.input_tokens", 17);
//! span.set_name("chat gpt-4o");
//!
//! assert_eq!(span.get("gen_ai.request.model"), Some(Value::from("gpt-4o")));
//! assert_eq!(span.get("llm.request.model"), None);
//! assert_eq!(span.name(), "chat gpt-4o");
//! let mut written = Vec::new();
//! span.write(&mut written);
//! ```

use std::ops::Range;

use super::attributes::{self, AttributeList};
use super::id::{SpanId, TraceId};
use super::patch::{Patch, Singular};
pub use super::value::RawValue;
use super::value::{KeyValue, Value, fields};
use super::wire::{DEPTH, Payload, Reader, WireError, put_bytes, put_uint};

/// The number of `Span.attributes`.
pub(super) const NUMBER: u32 = 9;

/// Numbers of the other fields of `Span` that can be edited.
mod number {
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const EVENTS: u32 = 11;
}

/// `Span.SpanKind`; unknown numbers are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Not said.
    Unspecified,
    /// An operation inside of an application.
    Internal,
    /// Handles a remote call.
    Server,
    /// Makes a remote call.
    Client,
    /// Sends a message.
    Producer,
    /// Takes a message.
    Consumer,
    /// A number that this program does not know.
    Other(i32),
}

impl Kind {
    /// From the number on the wire.
    pub fn from_number(number: i32) -> Kind {
        match number {
            0 => Kind::Unspecified,
            1 => Kind::Internal,
            2 => Kind::Server,
            3 => Kind::Client,
            4 => Kind::Producer,
            5 => Kind::Consumer,
            other => Kind::Other(other),
        }
    }

    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            Kind::Unspecified => 0,
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
            Kind::Producer => 4,
            Kind::Consumer => 5,
            Kind::Other(number) => number,
        }
    }

    /// As in the OpenTelemetry specification: `CLIENT`, ...
    pub fn name(self) -> &'static str {
        match self {
            Kind::Unspecified => "UNSPECIFIED",
            Kind::Internal => "INTERNAL",
            Kind::Server => "SERVER",
            Kind::Client => "CLIENT",
            Kind::Producer => "PRODUCER",
            Kind::Consumer => "CONSUMER",
            Kind::Other(_) => "UNKNOWN",
        }
    }
}

/// `Status.StatusCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// Not set, or a number that this program does not know.
    Unset,
    /// Set to OK by the application.
    Ok,
    /// The operation failed.
    Error,
}

/// A span event, as it came.
#[derive(Debug)]
pub struct Event<'a> {
    /// When, in nanoseconds since the epoch.
    pub time_unix_nano: u64,
    /// The event's name.
    pub name: &'a str,
    content: &'a [u8],
    field: Range<usize>,
    removed: bool,
}

impl<'a> Event<'a> {
    /// The event's attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = KeyValue<'a>> + use<'a> {
        fields(self.content).filter_map(|field| match (field.number, field.payload) {
            (3, Payload::Bytes(entry)) => Some(KeyValue::parse_checked(entry)),
            _ => None,
        })
    }

    /// The value of the first attribute named `key`.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.attributes().find(|entry| entry.key_bytes() == key.as_bytes()).map(|entry| entry.parse_value())
    }
}

/// A span and the changes made to it. See the module's documentation for an example.
///
/// A `Span` is made once for each request and parses one span after another, so that its buffers
/// are reused. `'a` is the request's body.
#[derive(Debug, Default)]
pub struct Span<'a> {
    raw: &'a [u8],
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    name: &'a str,
    kind: i32,
    start_time_unix_nano: u64,
    end_time_unix_nano: u64,
    status_code: i32,
    status_message: &'a str,
    flags: u32,
    attributes: AttributeList<'a, NUMBER>,
    events: Vec<Event<'a>>,
    has_links: bool,
    singular: Singular,

    new_name: Option<String>,
    new_kind: Option<Kind>,
    new_parent: Option<Option<SpanId>>,
    /// Whether anything but an attribute was changed.
    edited: bool,
    dropped: bool,
    held: bool,
}

impl<'a> Span<'a> {
    /// A span without content; [`Span::parse`] fills it.
    pub fn new() -> Self {
        Span::default()
    }

    /// Checks a span's encoded content and makes this its view. Earlier content and changes go.
    /// The span is taken to stand where a request has it, three messages deep.
    ///
    /// # Errors
    /// Whatever prost would refuse.
    pub fn parse(&mut self, bytes: &'a [u8]) -> Result<(), WireError> {
        self.parse_at(bytes, Some(DEPTH - 3))
    }

    pub(crate) fn parse_at(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError> {
        self.clear();
        self.raw = bytes;
        let mut reader = Reader::at_depth(bytes, depth)?;
        loop {
            while let Some(field) = reader.next_if(attributes::key(NUMBER)) {
                self.attributes.push(&field, "Span", reader.below())?;
            }
            let Some(field) = reader.next()? else { break };
            let range = field.start..field.end;
            match field.number {
                1 => self.trace_id = field.bytes("Span", "trace_id")?,
                2 => self.span_id = field.bytes("Span", "span_id")?,
                3 => drop(field.string("Span", "trace_state")?),
                number::PARENT_SPAN_ID => {
                    self.parent_span_id = field.bytes("Span", "parent_span_id")?;
                    self.singular.note(field.number, range);
                }
                number::NAME => {
                    self.name = field.string("Span", "name")?;
                    self.singular.note(field.number, range);
                }
                number::KIND => {
                    self.kind = field.varint("Span", "kind")? as i32;
                    self.singular.note(field.number, range);
                }
                7 => self.start_time_unix_nano = field.fixed64("Span", "start_time_unix_nano")?,
                8 => self.end_time_unix_nano = field.fixed64("Span", "end_time_unix_nano")?,
                NUMBER => self.attributes.push(&field, "Span", reader.below())?,
                10 => drop(field.varint("Span", "dropped_attributes_count")?),
                number::EVENTS => {
                    let content = field.bytes("Span", "events")?;
                    let event = check_event(content, reader.below(), range)?;
                    self.events.push(event);
                }
                12 => drop(field.varint("Span", "dropped_events_count")?),
                13 => {
                    check_link(field.bytes("Span", "links")?, reader.below())?;
                    self.has_links = true;
                }
                14 => drop(field.varint("Span", "dropped_links_count")?),
                15 => self.parse_status(field.bytes("Span", "status")?, reader.below())?,
                16 => self.flags = field.fixed32("Span", "flags")?,
                _ => reader.unknown()?,
            }
        }
        self.attributes.settle();
        Ok(())
    }

    fn clear(&mut self) {
        self.trace_id = &[];
        self.span_id = &[];
        self.parent_span_id = &[];
        self.name = "";
        self.kind = 0;
        self.start_time_unix_nano = 0;
        self.end_time_unix_nano = 0;
        self.status_code = 0;
        self.status_message = "";
        self.flags = 0;
        self.attributes.clear();
        self.events.clear();
        self.has_links = false;
        self.singular.clear();
        self.new_name = None;
        self.new_kind = None;
        self.new_parent = None;
        self.edited = false;
        self.dropped = false;
        self.held = false;
    }

    /// A repeated status merges into the one before, field by field.
    fn parse_status(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError> {
        let mut reader = Reader::at_depth(bytes, depth)?;
        while let Some(field) = reader.next()? {
            match field.number {
                2 => self.status_message = field.string("Status", "message")?,
                3 => self.status_code = field.varint("Status", "code")? as i32,
                _ => reader.unknown()?,
            }
        }
        Ok(())
    }

    // --- reading -------------------------------------------------------------------------------

    /// The trace's id; `None` if it is not a valid one.
    pub fn trace_id(&self) -> Option<TraceId> {
        TraceId::from_bytes(self.trace_id)
    }

    /// The span's id; `None` if it is not a valid one.
    pub fn span_id(&self) -> Option<SpanId> {
        SpanId::from_bytes(self.span_id)
    }

    /// The parent's id as it stands now; `None` for a root.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.new_parent.unwrap_or_else(|| SpanId::from_bytes(self.parent_span_id))
    }

    /// The name as it stands now.
    pub fn name(&self) -> &str {
        self.new_name.as_deref().unwrap_or(self.name)
    }

    /// The kind as it stands now.
    pub fn kind(&self) -> Kind {
        self.new_kind.unwrap_or(Kind::from_number(self.kind))
    }

    /// When the span began, in nanoseconds since the epoch.
    pub fn start_time_unix_nano(&self) -> u64 {
        self.start_time_unix_nano
    }

    /// When the span ended, in nanoseconds since the epoch.
    pub fn end_time_unix_nano(&self) -> u64 {
        self.end_time_unix_nano
    }

    /// The span's status.
    pub fn status_code(&self) -> StatusCode {
        match self.status_code {
            1 => StatusCode::Ok,
            2 => StatusCode::Error,
            _ => StatusCode::Unset,
        }
    }

    /// The status' message for people.
    pub fn status_message(&self) -> &'a str {
        self.status_message
    }

    /// W3C trace flags and the two `is_remote` bits (0x100 known, 0x200 remote).
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// The value of the first attribute named `key`, as it stands now.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.attributes.get(key).map(RawValue::parse)
    }

    /// Whether there is an attribute named `key` now.
    pub fn has(&self, key: &str) -> bool {
        self.attributes.has(key)
    }

    /// All attributes as they stand now: those of the source in their order, then added ones.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, RawValue<'_>)> {
        self.attributes.iter()
    }

    /// As [`Span::attributes`], for keys that are only compared.
    pub(crate) fn attribute_bytes(&self) -> impl Iterator<Item = (&[u8], RawValue<'_>)> {
        self.attributes.iter_bytes()
    }

    /// The attributes as they came, whatever was changed since. The borrow is the request's, so
    /// that what a dialect reads here may be held while the span is edited.
    pub fn source_attributes(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.attributes.source().map(|entry| (entry.key(), entry.parse_value()))
    }

    /// The keys of the attributes as they came. Cheaper than [`Span::source_attributes`].
    pub fn source_keys(&self) -> impl Iterator<Item = &'a str> {
        self.attributes.source().map(KeyValue::key)
    }

    /// As [`Span::source_keys`], to be compared: as text they would be looked through once more.
    #[inline]
    pub(crate) fn source_key_bytes(&self) -> impl Iterator<Item = &'a [u8]> {
        self.attributes.source().map(KeyValue::key_bytes)
    }

    /// The events that were not removed, each with its index for [`Span::remove_event`].
    pub fn events(&self) -> impl Iterator<Item = (usize, &Event<'a>)> {
        self.events.iter().enumerate().filter(|(_, event)| !event.removed)
    }

    /// Whether it is linked to other spans.
    pub fn has_links(&self) -> bool {
        self.has_links
    }

    /// The span's encoded content as it came.
    pub fn source(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether anything was changed.
    pub fn is_edited(&self) -> bool {
        self.edited || self.attributes.is_edited()
    }

    /// Whether the span was dropped, or held back.
    pub fn is_dropped(&self) -> bool {
        self.dropped || self.held
    }

    /// Whether the span was held back.
    pub fn is_held(&self) -> bool {
        self.held
    }

    // --- editing -------------------------------------------------------------------------------

    /// Gives `key` a value: in the place of the first attribute of that name, or else as a new
    /// attribute after the others. Setting the value that is already there changes nothing.
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) {
        self.attributes.set(key, &value.into());
    }

    /// As [`Span::set`], of the text that `write` appends to a buffer that is there already.
    pub fn set_text(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        self.attributes.set_text(key, write);
    }

    /// Removes every attribute named `key`. Returns whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        self.attributes.remove(key)
    }

    /// Gives the first attribute named `from` the name `to`. All else of it stays as it is, byte
    /// for byte. Where `to` is there already nothing happens: a value under a current name wins.
    /// Returns whether the attribute was renamed.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        self.attributes.rename(from, to)
    }

    /// As [`Span::remove`], of an attribute that stood at this place of the source, its key nowhere else.
    pub(crate) fn remove_placed(&mut self, place: Option<usize>, key: &str) -> bool {
        self.attributes.remove_placed(place, key)
    }

    /// As [`Span::rename`], of such an attribute.
    pub(crate) fn rename_placed(&mut self, place: Option<usize>, from: &str, to: &str) -> bool {
        self.attributes.rename_placed(place, from, to)
    }

    /// Changes the name.
    pub fn set_name(&mut self, name: &str) {
        if self.name() != name {
            self.new_name = Some(name.to_owned());
            self.edited = true;
        }
    }

    /// Changes the kind.
    pub fn set_kind(&mut self, kind: Kind) {
        if self.kind() != kind {
            self.new_kind = Some(kind);
            self.edited = true;
        }
    }

    /// Changes the parent; `None` makes the span a root.
    pub fn set_parent_span_id(&mut self, parent: Option<SpanId>) {
        if self.parent_span_id() != parent {
            self.new_parent = Some(parent);
            self.edited = true;
        }
    }

    /// Removes an event; `index` is one that [`Span::events`] gave.
    pub fn remove_event(&mut self, index: usize) {
        if let Some(event) = self.events.get_mut(index) {
            event.removed = true;
            self.edited = true;
        }
    }

    /// Takes the span out of the request. Later stages do not see it.
    pub fn drop_span(&mut self) {
        self.dropped = true;
    }

    /// Takes the span out of the request for now: whoever holds it sends it on later, so that its
    /// children have a parent. Later stages do not see it yet.
    pub fn hold_back(&mut self) {
        self.held = true;
    }

    // --- writing -------------------------------------------------------------------------------

    /// Appends the span's content with all changes made. Fields that did not change are copied as
    /// they came, in their order; added attributes stand after the last one of the source.
    pub fn write(&self, out: &mut Vec<u8>) {
        if !self.is_edited() {
            out.extend_from_slice(self.raw);
            return;
        }
        let mut patch = Patch::new(self.raw);
        self.attributes.patch(&mut patch);
        for event in self.events.iter().filter(|event| event.removed) {
            patch.replace(event.field.clone(), &[][..]);
        }
        let mut field = Vec::new();
        if let Some(name) = &self.new_name {
            put_bytes(&mut field, number::NAME, name.as_bytes());
            patch.singular(&self.singular, number::NAME, std::mem::take(&mut field));
        }
        if let Some(kind) = self.new_kind {
            // As protobuf encodes an enumeration: sign-extended to 64 bits.
            put_uint(&mut field, number::KIND, i64::from(kind.number()) as u64);
            patch.singular(&self.singular, number::KIND, std::mem::take(&mut field));
        }
        if let Some(parent) = self.new_parent {
            if let Some(parent) = parent {
                put_bytes(&mut field, number::PARENT_SPAN_ID, &parent.0);
            }
            patch.singular(&self.singular, number::PARENT_SPAN_ID, field);
        }
        patch.write(out);
    }
}

fn check_event<'a>(content: &'a [u8], depth: Option<u32>, range: Range<usize>) -> Result<Event<'a>, WireError> {
    let mut event = Event { time_unix_nano: 0, name: "", content, field: range, removed: false };
    let mut reader = Reader::at_depth(content, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => event.time_unix_nano = field.fixed64("Event", "time_unix_nano")?,
            2 => event.name = field.string("Event", "name")?,
            3 => drop(KeyValue::check(field.bytes("Event", "attributes")?, reader.below())?),
            4 => drop(field.varint("Event", "dropped_attributes_count")?),
            _ => reader.unknown()?,
        }
    }
    Ok(event)
}

fn check_link(content: &[u8], depth: Option<u32>) -> Result<(), WireError> {
    let mut reader = Reader::at_depth(content, depth)?;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => drop(field.bytes("Link", "trace_id")?),
            2 => drop(field.bytes("Link", "span_id")?),
            3 => drop(field.string("Link", "trace_state")?),
            4 => drop(KeyValue::check(field.bytes("Link", "attributes")?, reader.below())?),
            5 => drop(field.varint("Link", "dropped_attributes_count")?),
            6 => drop(field.fixed32("Link", "flags")?),
            _ => reader.unknown()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::value::put_key_value;

    fn attribute(key: &str, text: &str) -> Vec<u8> {
        let mut value = Vec::new();
        Value::from(text).encode(&mut value);
        let mut field = Vec::new();
        put_key_value(&mut field, NUMBER, key, &value);
        field
    }

    fn edited(bytes: &[u8], edit: impl FnOnce(&mut Span<'_>)) -> Vec<u8> {
        let mut span = Span::new();
        span.parse(bytes).unwrap();
        edit(&mut span);
        let mut out = Vec::new();
        span.write(&mut out);
        out
    }

    #[test]
    fn an_attribute_is_added_before_a_removed_event_that_follows_the_attributes() {
        let mut bytes = attribute("a", "1");
        put_bytes(&mut bytes, number::EVENTS, &[]);
        let out = edited(&bytes, |span| {
            span.remove_event(0);
            span.set("b", "2");
        });
        assert_eq!(out, [attribute("a", "1"), attribute("b", "2")].concat());
    }

    #[test]
    fn an_attribute_is_added_before_a_name_that_follows_the_attributes() {
        let mut bytes = attribute("a", "1");
        put_bytes(&mut bytes, number::NAME, b"old");
        let out = edited(&bytes, |span| {
            span.set_name("new");
            span.set("b", "2");
        });
        let mut expected = [attribute("a", "1"), attribute("b", "2")].concat();
        put_bytes(&mut expected, number::NAME, b"new");
        assert_eq!(out, expected);
    }

    #[test]
    fn a_negative_kind_is_written_as_protobuf_writes_it() {
        let mut expected = vec![0x30];
        expected.extend([0xff; 9]);
        expected.push(1);
        assert_eq!(edited(&[], |span| span.set_kind(Kind::Other(-1))), expected);
    }
}

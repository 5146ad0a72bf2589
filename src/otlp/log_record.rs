//! One log record: a borrowed view of its bytes, and the one interface through which stages change
//! it. As [`super::span`], whose neighbour it is: nothing is decoded into structs, and a record that
//! nobody changes is never written.
//!
//! ```
//! use dragoman::otlp::{log_record::LogRecord, value::Value, wire};
//!
//! // A record whose name stands in an attribute, as old SDKs write it.
//! let mut bytes = Vec::new();
//! let mut value = Vec::new();
//! Value::from("gen_ai.choice").encode(&mut value);
//! dragoman::otlp::value::put_key_value(&mut bytes, 6, "event.name", &value);
//!
//! let mut record = LogRecord::new();
//! record.parse(&bytes).unwrap();
//! record.remove("event.name");
//! record.set_event_name("gen_ai.client.inference.operation.details");
//!
//! let mut written = Vec::new();
//! record.write(&mut written);
//! assert_eq!(record.event_name(), "gen_ai.client.inference.operation.details");
//! assert!(!record.has("event.name"));
//! ```

use std::borrow::Cow;

use super::attributes::{self, AttributeList};
use super::id::{SpanId, TraceId};
use super::patch::{Patch, Singular};
use super::value::{KeyValue, RawValue, Value, check_any_value, fields};
use super::wire::{DEPTH, Payload, Reader, WireError, put_bytes};

/// The number of `LogRecord.attributes`.
const NUMBER: u32 = 6;

/// Numbers of the other fields of `LogRecord` that can be edited.
mod number {
    pub(super) const BODY: u32 = 5;
    pub(super) const EVENT_NAME: u32 = 12;
}

/// A log record and the changes made to it. See the module's documentation for an example.
///
/// A `LogRecord` is made once for each request and parses one record after another, so that its
/// buffers are reused. `'a` is the request's body.
#[derive(Debug, Default)]
pub struct LogRecord<'a> {
    raw: &'a [u8],
    trace_id: &'a [u8],
    span_id: &'a [u8],
    time_unix_nano: u64,
    observed_time_unix_nano: u64,
    severity_number: i32,
    severity_text: &'a str,
    event_name: &'a str,
    /// Owned only when it came in several pieces.
    body: Option<Cow<'a, [u8]>>,
    attributes: AttributeList<'a, NUMBER>,
    singular: Singular,

    new_event_name: Option<String>,
    new_body: Option<Option<Vec<u8>>>,
    /// Whether anything but an attribute was changed.
    edited: bool,
    dropped: bool,
}

impl<'a> LogRecord<'a> {
    /// A record without content; [`LogRecord::parse`] fills it.
    pub fn new() -> Self {
        LogRecord::default()
    }

    /// Checks a record's encoded content and makes this its view. Earlier content and changes go.
    /// The record is taken to stand where a request has it, three messages deep.
    ///
    /// # Errors
    /// Whatever prost would refuse.
    pub fn parse(&mut self, bytes: &'a [u8]) -> Result<(), WireError> {
        self.parse_at(bytes, Some(DEPTH - 3))
    }

    pub(super) fn parse_at(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError> {
        const MESSAGE: &str = "LogRecord";
        self.clear();
        self.raw = bytes;
        let mut reader = Reader::at_depth(bytes, depth)?;
        loop {
            while let Some(field) = reader.next_if(attributes::key(NUMBER)) {
                self.attributes.push(&field, MESSAGE, reader.below())?;
            }
            let Some(field) = reader.next()? else { break };
            match field.number {
                1 => self.time_unix_nano = field.fixed64(MESSAGE, "time_unix_nano")?,
                2 => self.severity_number = field.varint(MESSAGE, "severity_number")? as i32,
                3 => self.severity_text = field.string(MESSAGE, "severity_text")?,
                number::BODY => {
                    let piece = field.bytes(MESSAGE, "body")?;
                    check_any_value(piece, reader.below())?;
                    // A message that comes in pieces is their concatenation.
                    self.body = Some(match self.body.take() {
                        None => Cow::Borrowed(piece),
                        Some(before) => Cow::Owned([&before, piece].concat()),
                    });
                    self.singular.note(field.number, field.start..field.end);
                }
                NUMBER => self.attributes.push(&field, MESSAGE, reader.below())?,
                7 => drop(field.varint(MESSAGE, "dropped_attributes_count")?),
                8 => drop(field.fixed32(MESSAGE, "flags")?),
                9 => self.trace_id = field.bytes(MESSAGE, "trace_id")?,
                10 => self.span_id = field.bytes(MESSAGE, "span_id")?,
                11 => self.observed_time_unix_nano = field.fixed64(MESSAGE, "observed_time_unix_nano")?,
                number::EVENT_NAME => {
                    self.event_name = field.string(MESSAGE, "event_name")?;
                    self.singular.note(field.number, field.start..field.end);
                }
                _ => reader.unknown()?,
            }
        }
        self.attributes.settle();
        Ok(())
    }

    fn clear(&mut self) {
        self.trace_id = &[];
        self.span_id = &[];
        self.time_unix_nano = 0;
        self.observed_time_unix_nano = 0;
        self.severity_number = 0;
        self.severity_text = "";
        self.event_name = "";
        self.body = None;
        self.attributes.clear();
        self.singular.clear();
        self.new_event_name = None;
        self.new_body = None;
        self.edited = false;
        self.dropped = false;
    }

    // --- reading -------------------------------------------------------------------------------

    /// The trace's id; `None` if it is not a valid one.
    pub fn trace_id(&self) -> Option<TraceId> {
        TraceId::from_bytes(self.trace_id)
    }

    /// The id of the span during which the record was made; `None` if it is not a valid one.
    pub fn span_id(&self) -> Option<SpanId> {
        SpanId::from_bytes(self.span_id)
    }

    /// When, in nanoseconds since the epoch; 0 if nobody knows.
    pub fn time_unix_nano(&self) -> u64 {
        self.time_unix_nano
    }

    /// When it was observed, in nanoseconds since the epoch.
    pub fn observed_time_unix_nano(&self) -> u64 {
        self.observed_time_unix_nano
    }

    /// `SeverityNumber`; 0 if not said.
    pub fn severity_number(&self) -> i32 {
        self.severity_number
    }

    /// The source's word for the severity.
    pub fn severity_text(&self) -> &'a str {
        self.severity_text
    }

    /// The event's name as it stands now; empty if the record is none.
    pub fn event_name(&self) -> &str {
        self.new_event_name.as_deref().unwrap_or(self.event_name)
    }

    /// The body as it stands now; `None` if there is none.
    pub fn body(&self) -> Option<Value<'_>> {
        match &self.new_body {
            Some(body) => body.as_deref().map(Value::parse),
            None => self.body.as_deref().map(Value::parse),
        }
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

    /// The keys of the attributes as they came.
    pub fn source_keys(&self) -> impl Iterator<Item = &'a str> {
        self.attributes.source().map(KeyValue::key)
    }

    /// The record's encoded content as it came.
    pub fn source(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether anything was changed.
    pub fn is_edited(&self) -> bool {
        self.edited || self.attributes.is_edited()
    }

    /// Whether the record was dropped.
    pub fn is_dropped(&self) -> bool {
        self.dropped
    }

    // --- editing -------------------------------------------------------------------------------

    /// Gives `key` a value; as [`Span::set`](super::span::Span::set).
    pub fn set<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) {
        self.attributes.set(key, &value.into());
    }

    /// Removes every attribute named `key`. Returns whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        self.attributes.remove(key)
    }

    /// Gives the first attribute named `from` the name `to`; as
    /// [`Span::rename`](super::span::Span::rename).
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        self.attributes.rename(from, to)
    }

    /// Changes the event's name.
    pub fn set_event_name(&mut self, name: &str) {
        if self.event_name() != name {
            self.new_event_name = Some(name.to_owned());
            self.edited = true;
        }
    }

    /// Changes the body. Setting the body that is already there changes nothing.
    pub fn set_body<'v>(&mut self, body: impl Into<Value<'v>>) {
        let encoded = |value: &Value<'_>| {
            let mut bytes = Vec::new();
            value.encode(&mut bytes);
            bytes
        };
        let new = encoded(&body.into());
        if self.body().map(|body| encoded(&body)).as_ref() != Some(&new) {
            self.new_body = Some(Some(new));
            self.edited = true;
        }
    }

    /// Removes the body. Returns whether there was one.
    pub fn remove_body(&mut self) -> bool {
        let removed = self.body().is_some();
        if removed {
            self.new_body = Some(None);
            self.edited = true;
        }
        removed
    }

    /// Takes the record out of the request. Later stages do not see it.
    pub fn drop_record(&mut self) {
        self.dropped = true;
    }

    // --- as a span -----------------------------------------------------------------------------

    /// Appends the attributes as they stand now as those of a span, byte for byte, so that what is
    /// known of spans' attributes can be done to these as well.
    pub fn write_attributes_as_span(&self, out: &mut Vec<u8>) {
        self.attributes.contents().for_each(|content| put_bytes(out, super::span::NUMBER, content));
    }

    /// Gives the record the attributes of a span's encoded content, in place of its own.
    pub fn take_attributes_of_span(&mut self, span: &[u8]) {
        let own: Vec<&[u8]> = self.attributes.contents().collect();
        let new: Vec<&[u8]> = fields(span)
            .filter_map(|field| match (field.number, field.payload) {
                (super::span::NUMBER, Payload::Bytes(content)) => Some(content),
                _ => None,
            })
            .collect();
        if own != new {
            self.attributes.replace_all(&new);
        }
    }

    // --- writing -------------------------------------------------------------------------------

    /// Appends the record's content with all changes made. Fields that did not change are copied as
    /// they came, in their order; added attributes stand after the last one of the source.
    pub fn write(&self, out: &mut Vec<u8>) {
        if !self.is_edited() {
            out.extend_from_slice(self.raw);
            return;
        }
        let mut patch = Patch::new(self.raw);
        self.attributes.patch(&mut patch);
        let mut field = Vec::new();
        if let Some(name) = &self.new_event_name {
            put_bytes(&mut field, number::EVENT_NAME, name.as_bytes());
            patch.singular(&self.singular, number::EVENT_NAME, std::mem::take(&mut field));
        }
        if let Some(body) = &self.new_body {
            if let Some(body) = body {
                put_bytes(&mut field, number::BODY, body);
            }
            patch.singular(&self.singular, number::BODY, field);
        }
        patch.write(out);
    }
}

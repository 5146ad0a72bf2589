//! Log records that are events of the GenAI conventions: what their generations said in events of
//! their own is said in the target's one event, and what the attributes say in the target's words.
//!
//! Up to 1.36 every message of a call was an event (`gen_ai.user.message`, `gen_ai.choice`, ...);
//! since 1.37 the call is one event, `gen_ai.client.inference.operation.details`, with the messages
//! in structured attributes. What an event says is in `event`; which events are one call, and what
//! they say together, in `call`; records whose content belongs on a span, in [`content`]. Attributes are translated as those of a span are, by
//! [`super::translate`].

mod call;
pub mod content;
mod event;
pub mod explain;
mod structured;

use std::collections::HashSet;

use bytes::Bytes;

use self::call::{Call, Calls, Fate};
use super::settings::Originals;
use super::tally::Tally;
use super::translate::{NoBatch, Translator};
use crate::otlp::log_record::LogRecord;
use crate::otlp::logs::Origin;
use crate::otlp::span::Span;
use crate::otlp::value::Value;

/// The event that describes a call since 1.37.
pub const DETAILS: &str = "gen_ai.client.inference.operation.details";

/// Where an event's name stood before log records had a field for it: in the SDKs up to 2025, and in
/// LiteLLM's records.
const NAME_ATTRIBUTES: [&str; 2] = ["event.name", "event_name"];

/// What became of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// No event of the conventions, not touched.
    Foreign,
    /// An event of the conventions, now in the target's words.
    Current,
    /// An event of an old generation that carries its call now.
    Carrier,
    /// An event of an old generation of which all stands on its call's carrier: dropped.
    Folded,
    /// An event of an old generation in a shape that nobody knows, not touched.
    Unread,
}

/// The log records of one request.
#[derive(Debug)]
pub struct Records<'t> {
    translator: &'t Translator,
    /// Read when the first event of an old generation is met.
    calls: Option<Calls>,
    /// Records that go another way.
    apart: Places,
}

/// Records of one request, by where each stands in it.
pub type Places = HashSet<usize, foldhash::fast::RandomState>;

/// Where a record stands in its request, of which a view has the bytes as they came.
pub fn place(record: &LogRecord<'_>) -> usize {
    record.source().as_ptr() as usize
}

impl<'t> Records<'t> {
    /// Begins a request.
    pub fn new(translator: &'t Translator) -> Records<'t> {
        Records { translator, calls: None, apart: Places::default() }
    }

    /// Leaves these records out: they are not shown, and are in no call. To be said before the first
    /// record is translated.
    pub fn leave_out(&mut self, apart: Places) {
        self.apart = apart;
    }

    /// Whether a record was left out.
    pub fn leaves_out(&self, record: &LogRecord<'_>) -> bool {
        self.apart.contains(&place(record))
    }

    /// Translates a record in place. `body` is the whole request as it came.
    pub fn translate(
        &mut self,
        record: &mut LogRecord<'_>,
        origin: &Origin<'_>,
        body: &Bytes,
        tally: &mut Tally,
    ) -> Became {
        self.translate_for(record, origin, body, &mut Listener::Tally(tally))
    }

    fn translate_for(
        &mut self,
        record: &mut LogRecord<'_>,
        origin: &Origin<'_>,
        body: &Bytes,
        listener: &mut Listener<'_>,
    ) -> Became {
        let Some(name) = name_of(record) else { return Became::Foreign };
        if event::Rule::of(&self.translator.index, &name).is_none() {
            if !name.starts_with("gen_ai.") {
                return Became::Foreign;
            }
            self.name(record, &name);
            self.attributes(record, origin, None, listener);
            return Became::Current;
        }
        let tells = matches!(listener, Listener::Explanation(_));
        let calls = self.calls.get_or_insert_with(|| Calls::read(self.translator, body, &self.apart, tells));
        match calls.take(place(record)) {
            None => Became::Unread,
            Some(Fate::Folded) if self.translator.originals == Originals::Keep => Became::Current,
            Some(Fate::Folded) => {
                record.drop_record();
                Became::Folded
            }
            Some(Fate::Carries(call)) => {
                self.carry(record, &call, origin, listener);
                if let Listener::Explanation(told) = listener {
                    told.call = Some(call.told);
                }
                Became::Carrier
            }
        }
    }

    fn carry(&self, record: &mut LogRecord<'_>, call: &Call, origin: &Origin<'_>, listener: &mut Listener<'_>) {
        if self.translator.originals == Originals::Replace {
            for key in NAME_ATTRIBUTES.iter().chain(&call.content_attributes) {
                record.remove(key);
            }
            record.remove_body();
            record.set_event_name(DETAILS);
        }
        for (key, value) in &call.attributes {
            if !record.has(key) {
                record.set(key, Value::parse(value));
            }
        }
        self.attributes(record, origin, Some(call), listener);
    }

    /// Puts the event's name where it belongs.
    fn name(&self, record: &mut LogRecord<'_>, name: &str) {
        record.set_event_name(name);
        if self.translator.originals == Originals::Keep {
            return;
        }
        for key in NAME_ATTRIBUTES {
            if record.get(key).is_some_and(|value| value.as_str() == Some(name)) {
                record.remove(key);
            }
        }
    }

    /// Translates a record's attributes as those of a span, those of a call added. On an event
    /// messages have structure, where a span has their JSON text.
    fn attributes(
        &self,
        record: &mut LogRecord<'_>,
        origin: &Origin<'_>,
        call: Option<&Call>,
        listener: &mut Listener<'_>,
    ) {
        let mut bytes = Vec::new();
        record.write_attributes_as_span(&mut bytes);
        let mut span = Span::new();
        // What was written from a valid record is valid.
        if span.parse(&bytes).is_err() {
            return;
        }
        if let Some(call) = call {
            call.write(&mut span, self.translator.convention);
        }
        match listener {
            Listener::Tally(tally) => {
                // Operations are counted on spans.
                let operations = std::mem::take(&mut tally.operations);
                self.translator.translate(&mut span, origin, &mut NoBatch, tally);
                tally.operations = operations;
            }
            Listener::Explanation(told) => {
                told.attributes = self.translator.explain(&mut span, origin, &mut NoBatch);
            }
        }
        structured::give_structure(&mut span);
        let mut written = Vec::new();
        span.write(&mut written);
        record.take_attributes_of_span(&written);
    }
}

/// Who is told what becomes of keys.
enum Listener<'l> {
    /// They are counted.
    Tally(&'l mut Tally),
    /// For [`explain`].
    Explanation(&'l mut explain::Told),
}

/// The name of the event that a record is.
fn name_of(record: &LogRecord<'_>) -> Option<String> {
    if !record.event_name().is_empty() {
        return Some(record.event_name().to_owned());
    }
    NAME_ATTRIBUTES.iter().find_map(|key| record.get(key).and_then(|value| value.as_str().map(str::to_owned)))
}

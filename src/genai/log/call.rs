//! Which events of a request are one call, and what they say together.
//!
//! Events of one scope, trace and span are one call; events without ids say nothing of what belongs
//! to what, and each stands for itself. Whatever differs from event to event goes with its message.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;

use super::event::{Event, Rule};
use super::{Places, name_of, place};
use crate::genai::content::escape::write_string;
use crate::genai::content::{write_messages, write_parts, write_tool_definitions, write_value};
use crate::genai::convention::{Convention, INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS};
use crate::genai::dialect::List;
use crate::genai::message::{Message, Part, ToolDefinition};
use crate::genai::translate::Translator;
use crate::otlp::id::{SpanId, TraceId};
use crate::otlp::log_record::LogRecord;
use crate::otlp::logs::{Origin, Visitor, edit};
use crate::otlp::span::Span;
use crate::otlp::value::Value;

/// Providers whose APIs take the system's message apart from the others; the events of their
/// instrumentations (botocore, google-genai, vertexai) say it as one of the messages.
const SYSTEM_APART: [&str; 6] = ["aws.bedrock", "gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai", "gemini", "vertex_ai"];

/// Who the provider is; a span says it itself.
const PROVIDER: [&str; 2] = ["gen_ai.system", "gen_ai.provider.name"];

/// Members that a message has by itself.
const OWN_MEMBERS: [&str; 4] = ["role", "name", "parts", "finish_reason"];

/// What becomes of an event.
#[derive(Debug)]
pub(super) enum Fate {
    /// Another event of its call carries it.
    Folded,
    /// It carries its call.
    Carries(Box<Call>),
}

/// What the events of a call say together.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// For `explain`, if it asks: what became of each event's attributes and content, in order.
    pub(super) told: Vec<EventTold>,
    /// Attributes that stand on the call's record: key and encoded value.
    pub(super) attributes: Vec<(String, Vec<u8>)>,
    /// The attributes of the carrier that its content stood in.
    pub(super) content_attributes: Vec<&'static str>,
    instructions: Vec<Part<'static>>,
    input: Vec<Message<'static>>,
    output: Vec<(u64, Message<'static>)>,
    tools: Vec<ToolDefinition<'static>>,
}

/// What became of an event that a call was made of.
#[derive(Debug, Default)]
pub(super) struct EventTold {
    /// Where the event's record stands in its request.
    pub(super) place: usize,
    /// Its attributes that became members of its message. The others stand on the record that carries the call.
    pub(super) members: Vec<String>,
    /// The list in which its messages, tools or instructions stand.
    pub(super) list: &'static str,
    /// The attributes that its content stood in.
    pub(super) content: Vec<&'static str>,
    /// Whether all its messages are the system's.
    is_system: bool,
}

/// The events of a request, by the place of each in it.
#[derive(Debug)]
pub(super) struct Calls(HashMap<usize, Fate, foldhash::fast::RandomState>);

impl Calls {
    /// Reads a whole request but for the records that stand `apart`.
    /// With `tells` it is noted what became of each event.
    pub(super) fn read(translator: &Translator, body: &Bytes, apart: &Places, tells: bool) -> Calls {
        let mut look = Look { translator, apart, groups: Vec::new(), by_key: HashMap::default() };
        // Of a request that is refused nothing is needed: the pass itself meets the same error.
        if edit(body, &mut look).is_err() {
            look.groups.clear();
        }
        let mut fates = HashMap::default();
        for group in look.groups {
            fold(group, tells, &mut fates);
        }
        Calls(fates)
    }

    /// What becomes of the event at a place; `None` if it could not be read.
    pub(super) fn take(&mut self, place: usize) -> Option<Fate> {
        self.0.remove(&place)
    }
}

struct Found {
    place: usize,
    time: u64,
    event: Event,
}

impl Found {
    fn told(&self) -> EventTold {
        let list = match self.event.list {
            _ if !self.event.tools.is_empty() => TOOL_DEFINITIONS,
            List::Output => OUTPUT_MESSAGES,
            _ => INPUT_MESSAGES,
        };
        let messages = &self.event.messages;
        EventTold {
            place: self.place,
            members: Vec::new(),
            list,
            content: self.event.content_attributes.clone(),
            is_system: !messages.is_empty() && messages.iter().all(|message| message.role == "system"),
        }
    }
}

type Key = (String, TraceId, SpanId);

struct Look<'t> {
    translator: &'t Translator,
    apart: &'t Places,
    /// The events of each call, in order.
    groups: Vec<Vec<Found>>,
    by_key: HashMap<Key, usize, foldhash::fast::RandomState>,
}

impl Visitor for Look<'_> {
    fn log_record(&mut self, record: &mut LogRecord<'_>, origin: &Origin<'_>) {
        let Some(name) = name_of(record).filter(|_| !self.apart.contains(&place(record))) else { return };
        let Some(rule) = Rule::of(&self.translator.index, &name) else { return };
        let Some(event) = Event::read(record, rule) else { return };
        let found = Found { place: place(record), time: record.time_unix_nano(), event };
        let new = self.groups.len();
        let group = match (record.trace_id(), record.span_id()) {
            (Some(trace), Some(span)) => *self.by_key.entry((origin.scope_name.to_owned(), trace, span)).or_insert(new),
            _ => new,
        };
        match self.groups.get_mut(group) {
            Some(group) => group.push(found),
            None => self.groups.push(vec![found]),
        }
    }
}

/// The events of one scope and span become one call, or several where they contradict each other.
fn fold(mut group: Vec<Found>, tells: bool, fates: &mut HashMap<usize, Fate, foldhash::fast::RandomState>) {
    // The order of a request is that of its emitter, unless it says times: some spread them so that
    // the order survives.
    if group.iter().all(|found| found.time > 0) {
        group.sort_by_key(|found| found.time);
    }
    let mut group = group.into_iter().peekable();
    while let Some(first) = group.next() {
        let mut said = Said::default();
        said.add(&first.event);
        let mut events = vec![first];
        while let Some(next) = group.next_if(|next| said.agrees(&next.event)) {
            said.add(&next.event);
            events.push(next);
        }
        // The last one carries the others: it came when the call was over.
        let Some(carrier) = events.last().map(|found| found.place) else { continue };
        fates.extend(events.iter().map(|found| (found.place, Fate::Folded)));
        let told = if tells { events.iter().map(Found::told).collect() } else { Vec::new() };
        let call = Call::of(events.into_iter().map(|found| found.event).collect(), told);
        fates.insert(carrier, Fate::Carries(Box::new(call)));
    }
}

/// What the attributes of a call's events said so far in the conventions' names.
#[derive(Default)]
struct Said(HashMap<String, Vec<u8>, foldhash::fast::RandomState>);

impl Said {
    /// Whether an event may be of this call: what the conventions have names for must be the same,
    /// and there must be a place for what else differs.
    fn agrees(&self, event: &Event) -> bool {
        event.attributes.iter().all(|(key, value)| match key.starts_with("gen_ai.") {
            true => self.0.get(key).is_none_or(|said| said == value),
            false => !OWN_MEMBERS.contains(&&**key),
        })
    }

    fn add(&mut self, event: &Event) {
        for (key, value) in event.attributes.iter().filter(|(key, _)| key.starts_with("gen_ai.")) {
            self.0.insert(key.clone(), value.clone());
        }
    }
}

impl Call {
    /// The events of one call, in order; the last one's attributes are the record's already.
    fn of(mut events: Vec<Event>, told: Vec<EventTold>) -> Call {
        let mut call = Call { told, ..Call::default() };
        if let Some(carrier) = events.last_mut() {
            call.content_attributes = std::mem::take(&mut carrier.content_attributes);
            call.attributes = std::mem::take(&mut carrier.attributes);
        }
        for (number, event) in events.into_iter().enumerate() {
            let members = call.add(event);
            if let Some(told) = call.told.get_mut(number) {
                told.members = members;
            }
        }
        let provider = call.said("gen_ai.system").or(call.said("gen_ai.provider.name")).map(Value::parse);
        let is_apart = provider.as_ref().and_then(Value::as_str).is_some_and(|name| SYSTEM_APART.contains(&name));
        call.settle(is_apart);
        call
    }

    /// Events of a call whose span says all the rest of it. What a record says that the span does not
    /// goes with its message.
    pub(super) fn on_span(events: Vec<Event>, span: &Span<'_>) -> Call {
        let mut call = Call::default();
        for mut event in events {
            for (key, value) in std::mem::take(&mut event.attributes) {
                let said = span.attributes().any(|(known, said)| known == key && said.as_bytes() == value);
                if !said && !PROVIDER.contains(&&*key) {
                    event.add_member(&key, &Value::parse(&value));
                }
            }
            call.add(event);
        }
        let is_apart = PROVIDER.iter().any(|key| {
            span.get(key).is_some_and(|said| said.as_str().is_some_and(|name| SYSTEM_APART.contains(&name)))
        });
        call.settle(is_apart);
        call
    }

    /// All events were added. `system_is_apart` where the provider's API has it so.
    fn settle(&mut self, system_is_apart: bool) {
        self.output.sort_by_key(|(index, _)| *index);
        if system_is_apart {
            let is_system = |message: &mut Message<'_>| message.role == "system" && message.more.is_empty();
            let system: Vec<_> = self.input.extract_if(.., is_system).collect();
            if !system.is_empty() {
                let said = self.told.iter_mut().filter(|told| told.is_system && told.members.is_empty());
                said.for_each(|told| told.list = SYSTEM_INSTRUCTIONS);
            }
            self.instructions.extend(system.into_iter().flat_map(|message| message.parts));
        }
    }

    fn said(&self, key: &str) -> Option<&[u8]> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// Returns the attributes that became members of the event's message.
    fn add(&mut self, mut event: Event) -> Vec<String> {
        let mut members = Vec::new();
        for (key, value) in std::mem::take(&mut event.attributes) {
            match self.said(&key) {
                None => self.attributes.push((key, value)),
                Some(said) if *said == *value => {}
                Some(_) => {
                    event.add_member(&key, &Value::parse(&value));
                    members.push(key);
                }
            }
        }
        self.instructions.extend(event.instructions);
        self.tools.extend(event.tools);
        match event.list {
            List::Output => self.output.extend(event.messages.into_iter().map(|message| (event.index, message))),
            _ => self.input.extend(event.messages),
        }
        members
    }

    /// Says the call on a span, in the target's own attributes.
    pub(super) fn write(&self, span: &mut Span<'_>, convention: &Convention) {
        let has_messages = !self.input.is_empty() || !self.output.is_empty();
        if has_messages && !span.has(OPERATION_NAME) {
            // Roles and choices are a chat's.
            span.set(OPERATION_NAME, "chat");
        }
        self.write_lists(span, convention.finish_reason_in_messages);
        if !span.has(FINISH_REASONS) {
            self.write_reasons(span);
        }
    }

    /// Says the messages on a span that says all the rest of the call itself, or will in the target's
    /// words once it is translated.
    pub(super) fn write_content(&self, span: &mut Span<'_>) {
        let with_reason = self.output.iter().any(|(_, message)| message.finish_reason.is_some());
        self.write_lists(span, with_reason);
        if !span.attributes().any(|(key, _)| key.contains("finish_reason")) {
            self.write_reasons(span);
        }
    }

    /// The provider's words; the messages have the schema's.
    fn write_reasons(&self, span: &mut Span<'_>) {
        let reasons: Vec<&str> =
            self.output.iter().filter_map(|(_, message)| message.finish_reason.as_deref()).collect();
        if !reasons.is_empty() {
            span.set(FINISH_REASONS, Value::strings(reasons));
        }
    }

    fn write_lists(&self, span: &mut Span<'_>, with_finish_reason: bool) {
        let mut text = String::new();
        let mut set = |key: &str, text: &mut String| {
            span.set(key, text.as_str());
            text.clear();
        };
        if !self.instructions.is_empty() {
            write_parts(&self.instructions, &mut text);
            set(SYSTEM_INSTRUCTIONS, &mut text);
        }
        if !self.input.is_empty() {
            write_messages(&self.input, false, &mut text);
            set(INPUT_MESSAGES, &mut text);
        }
        if !self.output.is_empty() {
            let output: Vec<Message<'_>> = self.output.iter().map(|(_, message)| message.clone()).collect();
            write_messages(&output, with_finish_reason, &mut text);
            set(OUTPUT_MESSAGES, &mut text);
        }
        if !self.tools.is_empty() {
            write_tool_definitions(&self.tools, &mut text);
            set(TOOL_DEFINITIONS, &mut text);
        }
    }
}

/// The same in both targets, as the next one.
const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
const OPERATION_NAME: &str = "gen_ai.operation.name";

impl Event {
    /// Says with the message, or with the tool, what no other place is for.
    fn add_member(&mut self, key: &str, value: &Value<'_>) {
        let more = self.messages.last_mut().map(|message| &mut message.more);
        if let Some(more) = more.or(self.tools.last_mut().map(|tool| &mut tool.more)) {
            add_member(more, key, value);
        }
    }
}

/// Adds what an event said of its message, unless the message says it.
fn add_member(more: &mut Cow<'static, str>, key: &str, value: &Value<'_>) {
    let mut member = String::new();
    write_string(key, &mut member);
    member.push(':');
    let more = more.to_mut();
    if more.contains(&member) {
        return;
    }
    if !more.is_empty() {
        more.push(',');
    }
    more.push_str(&member);
    write_value(value, more);
}

//! The content of a model's call that stands in log records and not on its span: which records have
//! some, and how it is put on the span.
//!
//! The legacy carriers are the events of `event`; Spring AI's text records, the records into
//! which AWS' distribution moves the content of spans, and the bodies of Claude Code's API requests.

use std::borrow::Cow;

use super::call::Call;
use super::event::{Event, Rule};
use super::name_of;
use crate::genai::content::json::{self, Node};
use crate::genai::content::{
    messages_from_json, system_instructions_from_text, tool_definitions_from_json, write_value,
};
use crate::genai::dialect::List;
use crate::genai::fold::messages_of_text;
use crate::genai::message::{Message, Part, ToolDefinition};
use crate::genai::translate::{Batch, Translator};
use crate::otlp::log_record::LogRecord;
use crate::otlp::span::Span;
use crate::otlp::traces::Origin;
use crate::otlp::value::Value;

/// Spring AI's loggers: the first line of their records, and what follows it.
const SPRING: [(&str, &str, List); 2] = [
    (
        "org.springframework.ai.chat.observation.ChatModelPromptContentObservationHandler",
        "Chat Model Prompt Content:",
        List::Input,
    ),
    (
        "org.springframework.ai.chat.observation.ChatModelCompletionObservationHandler",
        "Chat Model Completion:",
        List::Output,
    ),
];

/// Claude Code's records of whole API requests and responses, as JSON in the attribute `body`.
const CLAUDE_CODE: [(&str, List); 2] =
    [("claude_code.api_request_body", List::Input), ("claude_code.api_response_body", List::Output)];

/// What a log record says of its call.
#[derive(Debug)]
pub struct Content {
    events: Vec<Event>,
    /// Whether the record says nothing else, so that it may go once its content is on the span.
    pub is_all: bool,
}

impl Content {
    /// Whether something that went to the model is among it.
    pub fn has_input(&self) -> bool {
        self.events.iter().any(|event| event.list == List::Input)
    }

    /// Whether something that came from the model is among it.
    pub fn has_output(&self) -> bool {
        self.events.iter().any(|event| event.list == List::Output)
    }
}

impl Translator {
    /// The content in a log record; `None` if it has none, or in a shape that nobody knows.
    pub fn content_of(&self, record: &LogRecord<'_>, origin: &Origin<'_>) -> Option<Content> {
        if let Some(name) = name_of(record) {
            if let Some(rule) = Rule::of(&self.index, &name) {
                let event = Event::read(record, rule)?;
                return event.has_content().then(|| Content { events: vec![event], is_all: true });
            }
            if let Some((_, list)) = CLAUDE_CODE.iter().find(|(known, _)| *known == name) {
                let body = record.get("body")?;
                let event = api_body(body.as_str()?, *list)?;
                return event.has_content().then(|| Content { events: vec![event], is_all: false });
            }
        }
        match record.body()? {
            Value::Str(text) => spring(&text, record, origin.scope_name),
            body @ Value::KvList(_) => moved(&body, record),
            _ => None,
        }
    }

    /// Whether a span is the call of a model whose content may stand in log records: it has none.
    pub fn lacks_content(&self, span: &mut Span<'_>, origin: &Origin<'_>, batch: &mut dyn Batch) -> bool {
        self.may_concern(span)
            && self
                .with_source(span, |source, span| {
                    let read = self.read_span(source, span, origin, batch, false).ok()?;
                    let is_call = self.translation(&read).model_call && !self.is_embeddings(&read);
                    let operation = &read.operation;
                    (is_call && operation.input.is_absent() && operation.output.is_absent()).then_some(())
                })
                .is_some()
    }
}

/// Puts the content of log records on the span of their call, as its emitter could have.
pub fn put_on(span: &mut Span<'_>, contents: Vec<Content>) {
    let mut events = Vec::new();
    for content in contents {
        let is_all = content.is_all;
        events.extend(content.events.into_iter().map(|mut event| {
            if !is_all {
                // The record stays, and what else it says with it.
                event.attributes.clear();
            }
            event
        }));
    }
    Call::on_span(events, span).write_content(span);
}

/// A heading, and under it the texts of the messages, quoted and between brackets but not escaped, or
/// JSON in older versions.
fn spring(body: &str, record: &LogRecord<'_>, scope: &str) -> Option<Content> {
    let (_, heading, list) = SPRING.iter().find(|(logger, ..)| *logger == scope)?;
    let text = body.strip_prefix(heading)?.trim();
    let role = role_of(*list);
    let texts: Vec<Cow<'_, str>> = match json::parse(text).map(|node| node.elements().map(Node::as_str).collect()) {
        Some(Some(texts)) if text.starts_with('[') => texts,
        // Quotes and line breaks within make it no JSON; where one text ends and the next one begins
        // cannot be told.
        _ => vec![text.strip_prefix("[\"").and_then(|text| text.strip_suffix("\"]")).unwrap_or(text).into()],
    };
    let of_text = |text: Cow<'_, str>| -> Vec<Message<'static>> {
        messages_of_text(&text, role, false).into_iter().map(Message::into_owned).collect()
    };
    let mut event = Event::new(*list);
    event.messages = texts.into_iter().flat_map(of_text).collect();
    event.take_attributes(record);
    event.has_content().then(|| Content { events: vec![event], is_all: true })
}

/// `{"input": {"messages": [...]}, "output": {"messages": [...]}}`, where AWS' distribution moves what
/// instrumentations write on spans.
fn moved(body: &Value<'_>, record: &LogRecord<'_>) -> Option<Content> {
    let mut text = String::new();
    write_value(body, &mut text);
    let body = json::parse(&text)?;
    let mut events = Vec::new();
    for (key, list) in [("input", List::Input), ("output", List::Output)] {
        let Some(messages) = body.get(key).and_then(|side| side.get("messages")) else { continue };
        let mut event = Event::new(list);
        event.messages =
            messages_from_json(messages.text(), role_of(list), false)?.into_iter().map(Message::into_owned).collect();
        events.push(event);
    }
    events.last_mut()?.take_attributes(record);
    let says_more = body
        .members()
        .any(|(key, side)| !matches!(&*key, "input" | "output") || side.members().any(|(key, _)| key != "messages"));
    events.iter().any(Event::has_content).then_some(Content { events, is_all: !says_more })
}

/// A request to, or a response of, Anthropic's API; one that was cut off cannot be read.
fn api_body(text: &str, list: List) -> Option<Event> {
    let body = json::parse(text).filter(|body| body.is_object())?;
    let mut event = Event::new(list);
    let messages = match list {
        List::Input => body.get("messages")?,
        _ => body,
    };
    event.messages = messages_from_json(messages.text(), role_of(list), false)?
        .into_iter()
        .map(|message| Message { more: Cow::Borrowed(""), ..message.into_owned() })
        .collect();
    if let Some(system) = body.get("system") {
        let parts = system_instructions_from_text(system.text(), false);
        event.instructions = parts.into_iter().map(Part::into_owned).collect();
    }
    if let Some(tools) = body.get("tools") {
        let tools = tool_definitions_from_json(tools.text(), false).unwrap_or_default();
        event.tools = tools.into_iter().map(ToolDefinition::into_owned).collect();
    }
    Some(event)
}

fn role_of(list: List) -> &'static str {
    if list == List::Output { "assistant" } else { "user" }
}

//! Candidates for a list: what one source says of the messages, the instructions or the tools, and
//! whether another source says the same.

use std::borrow::Cow;
use std::ops::Range;

use super::content::{self, Direction, json, write_value};
use super::convention::Convention;
use super::dialect::Reason;
use super::fold;
use super::message::{Document, Json, Message, Part, ToolDefinition};
use super::read::ListOf;
use crate::otlp::value::Value;

/// How many pairs of messages are compared at most to find that one list says what another says.
const COMPARED: usize = 4096;

/// What a candidate for a list holds.
pub(super) enum Body<'s> {
    /// Valid as it stands; the JSON text of it.
    Current(Cow<'s, str>),
    Messages(Vec<Message<'s>>),
    Parts(Vec<Part<'s>>),
    Tools(Vec<ToolDefinition<'s>>),
    Documents(Vec<Document<'s>>),
}

pub(super) struct Candidate<'s> {
    pub(super) list: ListOf,
    pub(super) rank: u32,
    pub(super) body: Body<'s>,
    pub(super) claims: Range<usize>,
}

/// What an attribute holds for a list. `current` says that it is the list's own attribute.
pub(super) fn body<'s>(
    list: ListOf,
    value: &'s Value<'s>,
    current: bool,
    convention: &Convention,
    python: bool,
) -> Result<Body<'s>, Reason> {
    let text: Cow<'s, str> = match value {
        Value::Str(text) => Cow::Borrowed(text),
        Value::Array(_) | Value::KvList(_) => {
            let mut text = String::new();
            write_value(value, &mut text);
            Cow::Owned(text)
        }
        Value::Empty => return Err(Reason::Empty),
        _ => return Err(Reason::Shape),
    };
    if text.trim().is_empty() {
        return Err(Reason::Empty);
    }
    if current && is_valid(list, &text, convention) {
        return Ok(Body::Current(text));
    }
    let looks_like_json = text.trim_start().starts_with(['[', '{']);
    let body = match (list, text) {
        // What is cut off under a current name is no text of a user.
        (ListOf::Input | ListOf::Output, text) if current && looks_like_json => match text {
            Cow::Borrowed(text) => content::messages_from_json(text, role_of(list), python),
            Cow::Owned(text) => content::messages_from_json(&text, role_of(list), python).map(owned_messages),
        }
        .map(Body::Messages),
        (ListOf::Input | ListOf::Output, Cow::Borrowed(text)) => {
            Some(Body::Messages(fold::messages_of_text(text, role_of(list), python)))
        }
        (ListOf::Input | ListOf::Output, Cow::Owned(text)) => {
            let read = content::messages_from_json(&text, role_of(list), python).map(owned_messages);
            read.or_else(|| texts(value, role_of(list))).map(Body::Messages)
        }
        (ListOf::Instructions, Cow::Borrowed(text)) => {
            Some(Body::Parts(content::system_instructions_from_text(text, python)))
        }
        (ListOf::Instructions, Cow::Owned(text)) => {
            let parts = content::system_instructions_from_text(&text, python);
            Some(Body::Parts(parts.into_iter().map(Part::into_owned).collect()))
        }
        (ListOf::Tools, Cow::Borrowed(text)) => content::tool_definitions_from_json(text, python).map(Body::Tools),
        (ListOf::Tools, Cow::Owned(text)) => content::tool_definitions_from_json(&text, python)
            .map(|tools| Body::Tools(tools.into_iter().map(ToolDefinition::into_owned).collect())),
        (ListOf::Documents, Cow::Borrowed(text)) => content::documents_from_json(text, python).map(Body::Documents),
        (ListOf::Documents, Cow::Owned(text)) => content::documents_from_json(&text, python)
            .map(|documents| Body::Documents(documents.into_iter().map(Document::into_owned).collect())),
    };
    match body {
        None => Err(Reason::Shape),
        Some(body) if body.is_empty() => Err(Reason::Empty),
        Some(body) => Ok(body),
    }
}

fn is_valid(list: ListOf, text: &str, convention: &Convention) -> bool {
    match list {
        ListOf::Input => content::check_messages(text, Direction::Input),
        ListOf::Output => {
            let finish_reason = convention.finish_reason_in_messages;
            content::check_messages(text, Direction::Output { finish_reason })
        }
        ListOf::Instructions => content::check_system_instructions(text),
        ListOf::Tools => content::check_tool_definitions(text),
        ListOf::Documents => content::check_documents(text),
    }
}

impl Body<'_> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Body::Current(_) => false,
            Body::Messages(messages) => messages.is_empty(),
            Body::Parts(parts) => parts.is_empty(),
            Body::Tools(tools) => tools.is_empty(),
            Body::Documents(documents) => documents.is_empty(),
        }
    }

    /// Without borrowing from the source.
    pub(super) fn into_owned(self) -> Body<'static> {
        match self {
            Body::Current(text) => Body::Current(text.into_owned().into()),
            Body::Messages(messages) => Body::Messages(owned_messages(messages)),
            Body::Parts(parts) => Body::Parts(parts.into_iter().map(Part::into_owned).collect()),
            Body::Tools(tools) => Body::Tools(tools.into_iter().map(ToolDefinition::into_owned).collect()),
            Body::Documents(documents) => Body::Documents(documents.into_iter().map(Document::into_owned).collect()),
        }
    }
}

/// A message of each text, where an attribute is a list of nothing else.
fn texts(value: &Value<'_>, role: &str) -> Option<Vec<Message<'static>>> {
    let Value::Array(array) = value else { return None };
    let message = |text: &str| Message {
        role: role.to_owned().into(),
        parts: vec![Part::Text(text.to_owned().into())],
        ..Message::default()
    };
    array.iter().map(|element| element.as_str().map(message)).collect()
}

pub(super) fn role_of(list: ListOf) -> &'static str {
    if list == ListOf::Output { "assistant" } else { "user" }
}

fn owned_messages(messages: Vec<Message<'_>>) -> Vec<Message<'static>> {
    messages.into_iter().map(Message::into_owned).collect()
}

/// Whether everything that `other` says is in `chosen`.
pub(super) fn covers(chosen: &Body<'_>, other: &Body<'_>, list: ListOf) -> bool {
    let read;
    let chosen = match (chosen, list) {
        (Body::Current(text), ListOf::Input | ListOf::Output) => {
            match content::messages_from_json(text, role_of(list), false) {
                Some(messages) => {
                    read = Body::Messages(messages);
                    &read
                }
                None => return false,
            }
        }
        (Body::Current(text), ListOf::Instructions) => {
            read = Body::Parts(content::system_instructions_from_text(text, false));
            &read
        }
        (Body::Current(text), ListOf::Documents) => match content::documents_from_json(text, false) {
            Some(documents) => {
                read = Body::Documents(documents);
                &read
            }
            None => return false,
        },
        (Body::Current(text), ListOf::Tools) => match content::tool_definitions_from_json(text, false) {
            Some(tools) => {
                read = Body::Tools(tools);
                &read
            }
            None => return false,
        },
        (body, _) => body,
    };
    match (chosen, other) {
        (Body::Messages(chosen), Body::Messages(other)) => {
            chosen.len().saturating_mul(other.len()) <= COMPARED
                && other.iter().all(|message| chosen.iter().any(|known| says(known, message)))
        }
        (Body::Parts(chosen), Body::Parts(other)) => {
            chosen.len().saturating_mul(other.len()) <= COMPARED && other.iter().all(|part| chosen.contains(part))
        }
        (Body::Tools(chosen), Body::Tools(other)) => {
            chosen.len().saturating_mul(other.len()) <= COMPARED
                && other.iter().all(|tool| chosen.iter().any(|known| same_tool(known, tool)))
        }
        (Body::Documents(chosen), Body::Documents(other)) => {
            chosen.len().saturating_mul(other.len()) <= COMPARED
                && other.iter().all(|document| chosen.contains(document))
        }
        _ => false,
    }
}

/// Whether a message stands in the published output messages of a span.
pub(super) fn answers(output: &Value<'_>, message: Message<'_>) -> bool {
    output
        .as_str()
        .is_some_and(|text| covers(&Body::Current(text.into()), &Body::Messages(vec![message]), ListOf::Output))
}

/// Adds the tool calls of `other` to messages that have none and say the same otherwise: LiteLLM
/// writes `parts` without calls, and the calls beside it. Returns whether all of `other` is said now.
pub(super) fn add_calls(chosen: &mut Body<'_>, other: &Body<'_>, list: ListOf) -> bool {
    let Body::Messages(other) = other else { return false };
    let mut messages = match chosen {
        Body::Messages(messages) => std::mem::take(messages),
        Body::Current(text) => match content::messages_from_json(text, role_of(list), false) {
            Some(messages) => owned_messages(messages),
            None => return false,
        },
        _ => return false,
    };
    let is_call = |part: &Part<'_>| matches!(part, Part::ToolCall { .. });
    let fits = other.len() <= messages.len()
        && messages.iter().zip(other).all(|(message, other)| {
            message.role == "assistant"
                && message.role == other.role
                && other.parts.iter().all(|part| match is_call(part) {
                    true => !message.parts.iter().any(is_call),
                    false => message.parts.contains(part),
                })
        });
    if fits {
        for (message, other) in messages.iter_mut().zip(other) {
            message.parts.extend(other.parts.iter().filter(|part| is_call(part)).map(|part| part.clone().into_owned()));
        }
    }
    if fits || matches!(chosen, Body::Messages(_)) {
        *chosen = Body::Messages(messages);
    }
    fits
}

fn says(known: &Message<'_>, message: &Message<'_>) -> bool {
    known.role == message.role
        && (message.more.is_empty() || known.more == message.more)
        && known.parts.len().saturating_mul(message.parts.len()) <= COMPARED
        && message.parts.iter().all(|part| known.parts.iter().any(|known| same_part(known, part)))
}

/// Equal, or a call that says the same without an id (LiteLLM's `function_call` keys have none).
fn same_part(known: &Part<'_>, part: &Part<'_>) -> bool {
    match (known, part) {
        (
            Part::ToolCall { name, arguments, .. },
            Part::ToolCall { id: None, name: other_name, arguments: other_arguments },
        ) => name == other_name && same_json(arguments.as_ref(), other_arguments.as_ref()),
        (
            Part::ToolCall { id, name, arguments },
            Part::ToolCall { id: other_id, name: other_name, arguments: other_arguments },
        ) => id == other_id && name == other_name && same_json(arguments.as_ref(), other_arguments.as_ref()),
        _ => known == part,
    }
}

/// Equal but for the order in which the members of its schema stand.
fn same_tool(known: &ToolDefinition<'_>, tool: &ToolDefinition<'_>) -> bool {
    (&known.kind, &known.name, &known.description, &known.more)
        == (&tool.kind, &tool.name, &tool.description, &tool.more)
        && same_json(known.parameters.as_ref(), tool.parameters.as_ref())
}

fn same_json(known: Option<&Json<'_>>, other: Option<&Json<'_>>) -> bool {
    match (known, other) {
        (Some(Json(known)), Some(Json(other))) => {
            known == other
                || match (json::parse(known), json::parse(other)) {
                    (Some(known), Some(other)) => same_node(known, other),
                    _ => false,
                }
        }
        (known, other) => known == other,
    }
}

fn same_node(known: json::Node<'_>, other: json::Node<'_>) -> bool {
    match (known.kind(), other.kind()) {
        (json::Kind::Object, json::Kind::Object) => {
            let count = known.members().count();
            count == other.members().count()
                && count <= COMPARED / 64
                && other.members().all(|(name, node)| known.get(&name).is_some_and(|known| same_node(known, node)))
        }
        (json::Kind::Array, json::Kind::Array) => {
            known.elements().count() == other.elements().count()
                && known.elements().zip(other.elements()).all(|(known, other)| same_node(known, other))
        }
        (json::Kind::String, json::Kind::String) => known.as_str() == other.as_str(),
        (kind, other_kind) => kind == other_kind && known.text() == other.text(),
    }
}

//! Messages, parts and system instructions, from JSON text, from structured attribute values and
//! from plain text: what callers ask for. How one message is read is in [`super::reader`].

use std::borrow::Cow;

use super::block::{self, Block};
use super::json::{self, Kind, Node};
use super::members::Rest;
pub(super) use super::reader::{Budget, FINISH_REASONS, Reader, reasoning_text};
use super::{make, python, value};
use crate::genai::message::{Message, Part};
use crate::otlp::value::Value;

/// The parts that a legacy content text stands for: content blocks if the text is a list of them and
/// of nothing else, otherwise the text itself. Empty text is no part.
///
/// A user who typed JSON stays text, and so does JSON that was cut off. `allow_python` is for
/// emitters that write Python's `str()` of a list.
pub fn parts_from_text(text: &str, allow_python: bool) -> Vec<Part<'_>> {
    if text.is_empty() {
        return Vec::new();
    }
    blocks_from_text(text, allow_python, typed_blocks).unwrap_or_else(|| vec![Part::Text(Cow::Borrowed(text))])
}

/// The parts of what a model thought: a text, or a list of blocks that are thoughts.
pub fn reasoning_from_text(text: Cow<'_, str>) -> Vec<Part<'_>> {
    match blocks_from_text(&text, false, typed_blocks) {
        Some(parts) if parts.iter().all(|part| reasoning_text(part).is_some()) => {
            parts.into_iter().map(|part| part.into_owned()).collect()
        }
        _ => vec![Part::Reasoning(text)],
    }
}

/// The parts of a JSON list that is known to be one of content blocks or parts, or of a single one:
/// also blocks that have no type (`{"text": "..."}`), and texts. `None` if an element is none of these.
pub fn parts_from_json(text: &str, allow_python: bool) -> Option<Vec<Part<'_>>> {
    blocks_from_text(text, allow_python, any_blocks)
}

/// The calls of a JSON list of tool calls in any spelling (or of a single one): ids, names and
/// arguments together or under a `function`. `None` if any element is no call.
pub fn tool_calls_from_json(text: &str, allow_python: bool) -> Option<Vec<Part<'_>>> {
    if let Some(node) = json::parse(text) {
        return calls(node, Budget::FULL);
    }
    let repaired = repaired(text, allow_python)?;
    let parts = calls(json::parse(&repaired)?, Budget::FULL)?;
    Some(parts.into_iter().map(Part::into_owned).collect())
}

/// The messages of a JSON text: a message or a list of messages of any known API or framework, the
/// body of a request or a response that holds some, response items and content blocks, or
/// target-shaped messages whether well or badly made. `default_role` is for what says no role.
/// Instructions that a body holds apart come first, as a system message.
///
/// `None` if any element is none of these: the caller then still has the text.
pub fn messages_from_json<'a>(text: &'a str, default_role: &str, allow_python: bool) -> Option<Vec<Message<'a>>> {
    let reader = Reader { default_role, allow_python, lenient: false };
    if let Some(node) = json::parse(text) {
        return reader.messages(node, Budget::FULL);
    }
    let repaired = repaired(text, allow_python)?;
    Some(own(reader.messages(json::parse(&repaired)?, Budget::FULL)?))
}

/// As [`messages_from_json`], of an attribute's value or an event's body.
pub fn messages_from_value(value: &Value<'_>, default_role: &str, allow_python: bool) -> Option<Vec<Message<'static>>> {
    match value {
        Value::Str(text) => messages_from_json(text, default_role, allow_python).map(own),
        Value::Array(_) | Value::KvList(_) => {
            let mut text = String::new();
            value::write_value(value, &mut text);
            messages_from_json(&text, default_role, allow_python).map(own)
        }
        _ => None,
    }
}

/// The parts of system instructions: a text, a list of texts or blocks, a list of whole messages, or
/// what a request's body holds as its instructions.
pub fn system_instructions_from_text(text: &str, allow_python: bool) -> Vec<Part<'_>> {
    if text.is_empty() {
        return Vec::new();
    }
    let reader = Reader { default_role: "system", allow_python, lenient: false };
    let parts = match json::parse(text) {
        Some(node) => reader.instructions(node, Budget::FULL),
        None => repaired(text, allow_python).and_then(|repaired| {
            let parts = reader.instructions(json::parse(&repaired)?, Budget::FULL)?;
            Some(parts.into_iter().map(Part::into_owned).collect())
        }),
    };
    parts.unwrap_or_else(|| vec![Part::Text(Cow::Borrowed(text))])
}

/// A role in the words of the schemas, where emitters have other words for it.
pub fn role(role: Cow<'_, str>) -> Cow<'_, str> {
    const ROLES: [(&str, &str); 21] = [
        ("developer", "system"),
        ("human", "user"),
        ("ai", "assistant"),
        ("model", "assistant"),
        ("AIMessageChunk", "assistant"),
        ("function", "tool"),
        // smolagents.
        ("tool-call", "assistant"),
        ("tool-response", "tool"),
        ("USER", "user"),
        ("User", "user"),
        ("ASSISTANT", "assistant"),
        ("Assistant", "assistant"),
        ("CHATBOT", "assistant"),
        ("Chatbot", "assistant"),
        ("MODEL", "assistant"),
        ("AI", "assistant"),
        ("SYSTEM", "system"),
        ("System", "system"),
        ("TOOL", "tool"),
        ("Tool", "tool"),
        ("FUNCTION", "tool"),
    ];
    // The name of a member of an enumeration: `MessageRole.USER`.
    let word = role.strip_prefix("MessageRole.").or_else(|| role.strip_prefix("ChatRole.")).unwrap_or(&role);
    match ROLES.iter().find(|(known, _)| *known == word) {
        Some((_, word)) => Cow::Borrowed(*word),
        None => role,
    }
}

/// Whether a role says only that the emitter knows none (OpenLLMetry's LangChain wrapper).
pub fn is_no_role(role: &str) -> bool {
    matches!(role, "" | "unknown")
}

/// JSON text made of text that is nearly JSON.
pub(super) fn repaired(text: &str, allow_python: bool) -> Option<String> {
    let first = text.trim_start().bytes().next()?;
    if !matches!(first, b'[' | b'{' | b'"' | b'(') {
        return None;
    }
    json::mend_surrogates(text)
        .filter(|mended| json::parse(mended).is_some())
        .or_else(|| if allow_python && first != b'"' { python::to_json(text) } else { None })
}

pub(super) fn own(messages: Vec<Message<'_>>) -> Vec<Message<'static>> {
    messages.into_iter().map(Message::into_owned).collect()
}

type Blocks = for<'a> fn(Node<'a>) -> Option<Vec<Part<'a>>>;

fn blocks_from_text(text: &str, allow_python: bool, blocks: Blocks) -> Option<Vec<Part<'_>>> {
    if !matches!(text.trim_start().bytes().next(), Some(b'[' | b'{' | b'(')) {
        return None;
    }
    if let Some(node) = json::parse(text) {
        return blocks(node);
    }
    let repaired = repaired(text, allow_python)?;
    let parts = blocks(json::parse(&repaired)?)?;
    Some(parts.into_iter().map(Part::into_owned).collect())
}

/// Blocks whose type is known, and those without a type beside such ones.
fn typed_blocks(node: Node<'_>) -> Option<Vec<Part<'_>>> {
    let mut any_known = false;
    let mut part = |node| match block::read(node)? {
        Block::Known(part) => {
            any_known = true;
            Some(part)
        }
        Block::Untyped(part @ Part::Text(_)) => Some(part),
        Block::Untyped(_) | Block::Unknown(_) => None,
    };
    let parts: Vec<_> =
        if node.is_object() { vec![part(node)?] } else { node.elements().map(part).collect::<Option<_>>()? };
    (any_known && !parts.is_empty()).then_some(parts)
}

fn any_blocks(node: Node<'_>) -> Option<Vec<Part<'_>>> {
    if node.is_object() {
        return Some(vec![any_block(node)?]);
    }
    let parts: Vec<_> = node.elements().map(any_block).collect::<Option<_>>()?;
    (!parts.is_empty()).then_some(parts)
}

fn any_block(node: Node<'_>) -> Option<Part<'_>> {
    if let Some(text) = node.as_str() {
        return Some(Part::Text(text));
    }
    match block::read(node)? {
        Block::Known(part) | Block::Untyped(part) => Some(part),
        Block::Unknown(_) => None,
    }
}

pub(super) fn calls(node: Node<'_>, budget: Budget) -> Option<Vec<Part<'_>>> {
    match node.kind() {
        Kind::Array => {
            let budget = budget.deeper()?;
            let lists: Vec<_> = node.elements().map(|call| calls(call, budget)).collect::<Option<_>>()?;
            Some(lists.into_iter().flatten().collect())
        }
        Kind::Object => Some(vec![call(node)?]),
        Kind::String => {
            let text = node.as_str()?;
            let parts = calls(json::parse(&text)?, budget.unquoted()?)?;
            Some(parts.into_iter().map(Part::into_owned).collect())
        }
        _ => None,
    }
}

/// A tool call, whatever the emitter calls its type.
pub(super) fn call(node: Node<'_>) -> Option<Part<'_>> {
    if let Some(Block::Known(part)) = block::read(node)
        && is_call(&part)
    {
        return Some(part);
    }
    let mut rest = Rest::of(node);
    for kind in ["type", "toolCallType"] {
        rest.take(kind);
    }
    let part = make::tool_call(&mut rest)?;
    block::extended(part, rest)
}

fn is_call(part: &Part<'_>) -> bool {
    match part {
        Part::ToolCall { .. } | Part::ServerToolCall { .. } => true,
        Part::Extended { part, .. } => is_call(part),
        _ => false,
    }
}

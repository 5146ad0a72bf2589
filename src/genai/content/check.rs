//! Whether a text already is what a target asks for, so that it can pass as it came.
//!
//! Stricter than the published schemas, in which anything with a `type` is a generic part: a part of
//! a published type must have what that type asks for, and a block of another API passes only if no
//! published part can say it.

use std::borrow::Cow;

use super::block;
use super::finish_reason::message_finish_reason;
use super::json::{self, Kind, Node};
use super::read;

/// Which list of messages is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `gen_ai.input.messages`.
    Input,
    /// `gen_ai.output.messages`.
    Output {
        /// Whether the target asks for a `finish_reason` on every message.
        finish_reason: bool,
    },
}

/// Whether `text` is a list of target-shaped messages.
pub fn check_messages(text: &str, direction: Direction) -> bool {
    is_list_of(text, |message| is_message(message, direction))
}

/// Whether `text` is a list of target-shaped parts.
pub fn check_system_instructions(text: &str) -> bool {
    is_list_of(text, is_part)
}

/// Whether `text` is a list of target-shaped tool definitions.
pub fn check_tool_definitions(text: &str) -> bool {
    is_list_of(text, |tool| {
        let mut seen = Seen::default();
        for (name, value) in tool.members() {
            let good = match &*name {
                "type" => seen.text(0, value),
                "name" => seen.text(1, value),
                "description" => is_text_or_null(value),
                // Text is not forbidden, but text that holds the schema is the schema.
                "parameters" => !is_text_of_object(value) && !value.is_array() && value.kind() != Kind::Number,
                name if FOREIGN_IN_TOOL.contains(&name) => value.is_blank(),
                _ => true,
            };
            if !good {
                return false;
            }
        }
        tool.is_object() && seen.all(2)
    })
}

/// Whether `text` is a list of target-shaped documents. What 1.41 requires beyond that is said by
/// [`Document::is_complete`](crate::genai::message::Document::is_complete).
pub fn check_documents(text: &str) -> bool {
    is_list_of(text, |document| {
        document.is_object()
            && document.members().all(|(name, value)| match &*name {
                "id" => value.kind() == Kind::String,
                "score" => value.kind() == Kind::Number,
                "metadata" => !is_text_of_object(value),
                // Other names of the same.
                "page_content" | "document_id" | "id_" | "node" | "relevance_score" => false,
                _ => true,
            })
            && ["id", "score", "content"].iter().any(|name| document.get(name).is_some())
    })
}

fn is_list_of(text: &str, is_good: impl Fn(Node<'_>) -> bool) -> bool {
    json::parse(text).is_some_and(|node| node.is_array() && node.elements().all(is_good))
}

/// Where other APIs keep a tool's schema, or the tool.
pub(super) const FOREIGN_IN_TOOL: &[&str] =
    &["function", "input_schema", "inputSchema", "parameters_json_schema", "parametersJsonSchema", "json_schema"];

/// What other APIs hang on a message, and belongs in its parts.
pub(super) const FOREIGN: &[&str] = &["content", "tool_calls", "tool_call_id", "function_call", "reasoning_content"];

fn is_message(message: Node<'_>, direction: Direction) -> bool {
    let mut seen = Seen::default();
    for (name, value) in message.members() {
        let good = match &*name {
            "role" => seen.note(0, value.as_str().is_some_and(|role| is_role(&role))),
            "parts" => seen.note(1, value.is_array() && value.elements().all(is_part)),
            "name" => is_text_or_null(value),
            "finish_reason" => match (direction, value.as_str()) {
                (Direction::Input, text) => text.is_some() || value.is_null(),
                (Direction::Output { finish_reason }, None) => !finish_reason && value.is_null(),
                (Direction::Output { .. }, Some(text)) => {
                    seen.note(2, message_finish_reason(Cow::Borrowed(&text)) == text)
                }
            },
            name => !FOREIGN.contains(&name) || value.is_blank(),
        };
        if !good {
            return false;
        }
    }
    let required = if direction == (Direction::Output { finish_reason: true }) { 3 } else { 2 };
    message.is_object() && seen.all(required)
}

/// Whether a role is one of the schema's or of nobody's.
fn is_role(role: &str) -> bool {
    !read::is_no_role(role) && read::role(Cow::Borrowed(role)) == role
}

/// The members that a published type asks for, and the optional ones that are text or `null`.
fn shape(kind: &str) -> Option<(&'static [Required], &'static [&'static str])> {
    use Required::{Any, Text, Typed};
    Some(match kind {
        // A refusal is not published, but written like a text.
        "text" | "reasoning" | "refusal" => (&[Text("content")], &[]),
        "tool_call" => (&[Text("name")], &["id"]),
        "tool_call_response" => (&[Any("response")], &["id"]),
        "server_tool_call" => (&[Text("name"), Typed("server_tool_call")], &["id"]),
        "server_tool_call_response" => (&[Typed("server_tool_call_response")], &["id"]),
        "blob" => (&[Text("modality"), Text("content")], &["mime_type"]),
        "file" => (&[Text("modality"), Text("file_id")], &["mime_type"]),
        "uri" => (&[Text("modality"), Text("uri")], &["mime_type"]),
        _ => return None,
    })
}

#[derive(Clone, Copy)]
enum Required {
    /// Text.
    Text(&'static str),
    /// Anything, also `null`.
    Any(&'static str),
    /// An object with a text `type`.
    Typed(&'static str),
}

impl Required {
    fn is_met(self, part: Node<'_>) -> bool {
        match self {
            Required::Text(name) => part.get(name).is_some_and(|value| value.kind() == Kind::String),
            Required::Any(name) => part.get(name).is_some(),
            Required::Typed(name) => {
                part.get(name).and_then(|value| value.get("type")).is_some_and(|value| value.kind() == Kind::String)
            }
        }
    }
}

fn is_part(part: Node<'_>) -> bool {
    let Some(kind) = part.get("type").and_then(Node::as_str) else { return false };
    match shape(&kind) {
        Some((required, optional)) => {
            required.iter().all(|required| required.is_met(part))
                && optional.iter().all(|name| part.get(name).is_none_or(is_text_or_null))
                // An empty id is none: calls would share it.
                && !part.get("id").is_some_and(|id| id.as_str().is_some_and(|id| id.is_empty()))
                && (&*kind != "tool_call" || !part.get("arguments").is_some_and(is_text_of_arguments))
        }
        None => !block::is_convertible(part, &kind),
    }
}

/// Whether a text holds what should stand there itself.
fn is_text_of_object(value: Node<'_>) -> bool {
    value.as_str().is_some_and(|text| json::parse(&text).is_some_and(Node::is_object))
}

fn is_text_of_arguments(value: Node<'_>) -> bool {
    value.as_str().is_some_and(|text| json::parse(&text).is_some_and(|inner| inner.is_object() || inner.is_array()))
}

fn is_text_or_null(value: Node<'_>) -> bool {
    matches!(value.kind(), Kind::String | Kind::Null)
}

/// Which required members were seen.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    fn note(&mut self, member: u8, good: bool) -> bool {
        self.0 |= 1 << member;
        good
    }

    fn text(&mut self, member: u8, value: Node<'_>) -> bool {
        self.note(member, value.kind() == Kind::String)
    }

    fn all(&self, members: u32) -> bool {
        self.0.trailing_ones() >= members
    }
}

//! One content block of a provider's API, or one part of a target's message, becomes a [`Part`].
//!
//! The shapes are in [`super::shape`]. What a block says beyond its part is carried along as
//! additional members; a block that no part can say becomes a generic part, whole.

use std::borrow::Cow;

use super::json::{Kind, Node};
use super::make::json_string;
use super::members::Rest;
use super::shape::{self, Keyed, Typed};
use crate::genai::message::{Json, Part};

/// A block, read.
pub(super) enum Block<'a> {
    /// Its `type` is known and it has the members that the type asks for.
    Known(Part<'a>),
    /// An object without a type, told by a member that could stand in any object.
    Untyped(Part<'a>),
    /// An object with another `type`, or without what its type asks for.
    Unknown(Part<'a>),
}

impl<'a> Block<'a> {
    pub(super) fn into_part(self) -> Part<'a> {
        match self {
            Block::Known(part) | Block::Untyped(part) | Block::Unknown(part) => part,
        }
    }
}

/// Reads a block; `None` for what is no object, or has neither a type nor a known member.
pub(super) fn read(node: Node<'_>) -> Option<Block<'_>> {
    if !node.is_object() {
        return None;
    }
    let mut rest = Rest::of(node);
    if !rest.has("type") {
        // LlamaIndex's word for it.
        rest.rename("block_type", "type");
    }
    match rest.take_str("type") {
        Some(kind) => Some(typed(&kind, &rest, node)),
        None => keyed(&rest),
    }
}

/// Whether a part of a type that is not published can be said by a part of one that is.
pub(super) fn is_convertible(node: Node<'_>, kind: &str) -> bool {
    !shape::is_published(kind) && matches!(read(node), Some(Block::Known(part)) if !matches!(part, Part::Generic(_)))
}

fn typed<'a>(kind: &str, rest: &Rest<'a>, node: Node<'a>) -> Block<'a> {
    for reading in shape::typed(kind) {
        let mut rest = rest.clone();
        match reading {
            Typed::Part(read) => {
                if let Some(part) = read(&mut rest).and_then(|part| extended(part, rest)) {
                    return Block::Known(part);
                }
            }
            Typed::Kept(member) => {
                if member == "type" || rest.has(member) {
                    return Block::Known(whole(kind, &rest, node));
                }
            }
        }
    }
    Block::Unknown(match shape::is_published(kind) {
        // A generic part cannot have this type.
        true => withheld(kind, rest).unwrap_or(Part::Text(Cow::Borrowed(node.text()))),
        false => whole(kind, rest, node),
    })
}

/// A generic part of all that a block says; its type stands under `type` also where it stood elsewhere.
fn whole<'a>(kind: &str, rest: &Rest<'a>, node: Node<'a>) -> Part<'a> {
    if node.get("type").is_some_and(|kind| kind.kind() == Kind::String) {
        return Part::Generic(Json(Cow::Borrowed(node.text())));
    }
    match rest.clone().more(&["type"]) {
        Some(more) => {
            let separator = if more.is_empty() { "" } else { "," };
            Part::Generic(Json(format!("{{\"type\":{}{separator}{more}}}", json_string(kind).0).into()))
        }
        None => Part::Text(Cow::Borrowed(node.text())),
    }
}

/// A part of which the emitter was told to keep the content back.
fn withheld<'a>(kind: &str, rest: &Rest<'a>) -> Option<Part<'a>> {
    if ["content", "text", "response", "uri", "url"].iter().any(|key| rest.has(key)) {
        return None;
    }
    let mut rest = rest.clone();
    let part = match kind {
        "text" => Part::Text("".into()),
        "reasoning" => Part::Reasoning("".into()),
        "tool_call_response" => Part::ToolCallResponse { id: rest.take_str("id"), response: Json("null".into()) },
        _ => return None,
    };
    extended(part, rest)
}

fn keyed<'a>(rest: &Rest<'a>) -> Option<Block<'a>> {
    for (key, reading) in shape::keyed() {
        let Some(value) = rest.get(key) else { continue };
        let mut rest = rest.clone();
        match reading {
            Keyed::Object(read) => {
                if !value.is_object() {
                    continue;
                }
                let mut inner = Rest::of(value);
                let Some(part) = read(&mut inner) else { continue };
                rest.take(key);
                rest.absorb(inner);
                if let Some(part) = extended(part, rest) {
                    return Some(Block::Known(part));
                }
            }
            Keyed::Beside(read) => {
                if let Some(part) = read(&mut rest).and_then(|part| extended(part, rest)) {
                    return Some(Block::Untyped(part));
                }
            }
            Keyed::Kept => {
                let more = rest.more(&["type"])?;
                let Json(kind) = json_string(key);
                return Some(Block::Untyped(Part::Generic(Json(format!("{{\"type\":{kind},{more}}}").into()))));
            }
        }
    }
    // AutoGen's calls and answers.
    let mut call = rest.clone();
    if !call.has("name") {
        return None;
    }
    if call.has("call_id") && call.get("content").is_some_and(|content| content.kind() == Kind::String) {
        let response = Json(call.take("content")?.text().into());
        let part = Part::ToolCallResponse { id: call.take_str("call_id"), response };
        return extended(part, call).map(Block::Untyped);
    }
    if !call.has("arguments") && !call.has("args") {
        return None;
    }
    let part = super::make::tool_call(&mut call)?;
    extended(part, call).map(Block::Untyped)
}

/// Adds what is left of a block to its part; `None` if that would say something else.
pub(super) fn extended<'a>(part: Part<'a>, rest: Rest<'a>) -> Option<Part<'a>> {
    let own: &[&str] = match part {
        Part::Text(_) | Part::Reasoning(_) => &["type", "content"],
        Part::ToolCall { .. } => &["type", "id", "name", "arguments"],
        Part::ToolCallResponse { .. } => &["type", "id", "response"],
        Part::Blob { .. } => &["type", "modality", "mime_type", "content"],
        Part::File { .. } => &["type", "modality", "mime_type", "file_id"],
        Part::Uri { .. } => &["type", "modality", "mime_type", "uri"],
        Part::ServerToolCall { .. } => &["type", "id", "name", "server_tool_call"],
        Part::ServerToolCallResponse { .. } => &["type", "id", "server_tool_call_response"],
        Part::Generic(_) | Part::Extended { .. } => return Some(part),
    };
    let more = rest.more(own)?;
    if more.is_empty() { Some(part) } else { Some(Part::Extended { part: Box::new(part), more }) }
}

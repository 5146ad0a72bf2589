//! One content block of a provider's API, or one part of a target's message, becomes a [`Part`].
//!
//! Knows the blocks of OpenAI (chat and responses), Anthropic and the published part types. What a
//! block says beyond its part is carried along as additional members; a block that no part can say
//! becomes a generic part, whole.

use std::borrow::Cow;

use super::escape::write_string;
use super::json::{self, Kind, Node};
use super::members::Rest;
use crate::genai::message::{Json, Part};

/// A block, read.
pub(super) enum Block<'a> {
    /// Its `type` is known and it has the members that the type asks for.
    Known(Part<'a>),
    /// An object with another `type`, or without what its type asks for.
    Unknown(Part<'a>),
}

impl<'a> Block<'a> {
    pub(super) fn into_part(self) -> Part<'a> {
        match self {
            Block::Known(part) | Block::Unknown(part) => part,
        }
    }
}

/// Reads an object that has a text `type`; `None` for anything else.
pub(super) fn read(node: Node<'_>) -> Option<Block<'_>> {
    let mut rest = Rest::of(node);
    let kind = rest.take_str("type")?;
    let generic = || Part::Generic(Json(Cow::Borrowed(node.text())));
    Some(match part(&kind, rest, node) {
        Some(part) => Block::Known(part),
        None => Block::Unknown(generic()),
    })
}

/// Whether a part of a type that is not published can be said by a part of one that is.
pub(super) fn is_convertible(node: Node<'_>, kind: &str) -> bool {
    let foreign = matches!(
        kind,
        "input_text"
            | "output_text"
            | "summary_text"
            | "reasoning_text"
            | "thinking"
            | "image_url"
            | "input_image"
            | "image"
            | "audio"
            | "video"
            | "document"
            | "input_audio"
            | "input_file"
            | "video_url"
            | "audio_url"
            | "tool_use"
            | "tool_result"
            | "function"
            | "function_call"
            | "function_call_output"
    );
    foreign && !matches!(read(node).map(Block::into_part), Some(Part::Generic(_)) | None)
}

fn part<'a>(kind: &str, mut rest: Rest<'a>, node: Node<'a>) -> Option<Part<'a>> {
    let generic = Part::Generic(Json(Cow::Borrowed(node.text())));
    let part = match kind {
        "text" | "input_text" | "output_text" => {
            Part::Text(rest.take_str("text").or_else(|| rest.take_str("content"))?)
        }
        "reasoning" | "thinking" | "summary_text" | "reasoning_text" => Part::Reasoning(reasoning(&mut rest)?),
        "redacted_thinking" => return rest.take_str("data").map(|_| generic),
        "refusal" => return rest.take_str("refusal").map(|_| generic),
        "image_url" | "input_image" => {
            rest.take_str("file_id").map(|id| file("image", id)).or_else(|| linked(&mut rest, "image_url", "image"))?
        }
        "video_url" => linked(&mut rest, "video_url", "video")?,
        "audio_url" => linked(&mut rest, "audio_url", "audio")?,
        "image" | "audio" | "video" | "document" => {
            let modality = modality_of_type(kind);
            match rest.get("source") {
                Some(source) => match sourced(source, modality) {
                    Some(part) => {
                        rest.take("source");
                        part
                    }
                    None if source.get("type")?.kind() == Kind::String => return Some(generic),
                    None => return None,
                },
                None => media(rest.take_str("url")?, modality),
            }
        }
        "input_audio" => {
            let mut audio = Rest::of(rest.take_kind("input_audio", Kind::Object)?);
            let content = audio.take_str("data")?;
            let mime_type = audio.take_str("format").map(|format| Cow::Owned(format!("audio/{format}")));
            rest.absorb(audio);
            Part::Blob { modality: "audio".into(), mime_type, content }
        }
        "file" | "input_file" => {
            if let Some(inner) = rest.take_kind("file", Kind::Object) {
                rest.absorb(Rest::of(inner));
            }
            let modality = rest.take_str("modality").unwrap_or("document".into());
            let mime_type = rest.take_str("mime_type");
            if let Some(file_id) = rest.take_str("file_id") {
                Part::File { modality, mime_type, file_id }
            } else if let Some(data) = rest.take_str("file_data") {
                match data_url(&data) {
                    Some((mime_type, content)) => blob("document", mime_type, content.to_owned().into()),
                    None => Part::Blob { modality, mime_type, content: data },
                }
            } else {
                Part::Uri { modality, mime_type, uri: rest.take_str("file_url")? }
            }
        }
        "blob" => Part::Blob {
            modality: rest.take_str("modality")?,
            mime_type: rest.take_str("mime_type"),
            content: rest.take_str("content")?,
        },
        "uri" => Part::Uri {
            modality: rest.take_str("modality")?,
            mime_type: rest.take_str("mime_type"),
            uri: rest.take_str("uri")?,
        },
        "tool_use" => Part::ToolCall {
            id: rest.take_str("id"),
            name: rest.take_str("name")?,
            arguments: rest.take("input").and_then(arguments),
        },
        "tool_call" | "function" | "function_call" => return tool_call(rest),
        "tool_result" => {
            Part::ToolCallResponse { id: Some(rest.take_str("tool_use_id")?), response: response(rest.take("content")) }
        }
        "function_call_output" => {
            rest.rename("id", "item_id");
            Part::ToolCallResponse {
                id: Some(rest.take_str("call_id")?),
                response: response(Some(rest.take("output")?)),
            }
        }
        "tool_call_response" => {
            let answer = ["response", "result", "content"].into_iter().find_map(|key| rest.take(key));
            // `"response": null` is an answer; a part without any is none.
            let answer = match answer {
                Some(answer) => Some(answer),
                None => node.get("response").map(Some)?,
            };
            Part::ToolCallResponse { id: rest.take_str("id"), response: response(answer) }
        }
        "server_tool_call" => Part::ServerToolCall {
            id: rest.take_str("id"),
            name: rest.take_str("name")?,
            call: Json(typed_object(rest.take("server_tool_call")?)?.text().into()),
        },
        "server_tool_call_response" => Part::ServerToolCallResponse {
            id: rest.take_str("id"),
            response: Json(typed_object(rest.take("server_tool_call_response")?)?.text().into()),
        },
        _ => return None,
    };
    extended(part, rest)
}

/// A tool call in any of its spellings; `type` was taken or there is none.
pub(super) fn tool_call(mut rest: Rest<'_>) -> Option<Part<'_>> {
    for wrapper in ["function", "custom"] {
        if let Some(inner) = rest.take_kind(wrapper, Kind::Object) {
            rest.absorb(Rest::of(inner));
        }
    }
    // The place in its list, which the part's own place says.
    rest.take_kind("index", Kind::Number);
    let id = match ["call_id", "tool_call_id", "toolCallId", "toolUseId"].into_iter().find_map(|key| rest.take_str(key))
    {
        Some(id) => {
            rest.rename("id", "item_id");
            Some(id)
        }
        None => rest.take_str("id"),
    };
    let name = ["name", "toolName", "tool_name"].into_iter().find_map(|key| rest.take_str(key))?;
    let arguments = ["arguments", "args", "input"].into_iter().find_map(|key| rest.take(key)).and_then(arguments);
    extended(Part::ToolCall { id, name, arguments }, rest)
}

/// A tool call's arguments from their text: an object if the text is the JSON of one, else the text
/// as a JSON string; none if there is no text.
pub fn arguments_from_text(text: Cow<'_, str>) -> Option<Json<'_>> {
    if text.trim().is_empty() {
        return None;
    }
    if json::parse(&text).is_some_and(Node::is_object) {
        return Some(match text {
            Cow::Borrowed(text) => Json(Cow::Borrowed(text.trim())),
            Cow::Owned(text) => Json(Cow::Owned(text.trim().to_owned())),
        });
    }
    Some(json_string(&text))
}

/// `text` as a JSON string.
pub fn json_string(text: &str) -> Json<'static> {
    let mut json = String::new();
    write_string(text, &mut json);
    Json(Cow::Owned(json))
}

fn arguments(node: Node<'_>) -> Option<Json<'_>> {
    match node.as_str() {
        Some(text) => arguments_from_text(text),
        None => Some(Json(Cow::Borrowed(node.text()))),
    }
}

fn response(node: Option<Node<'_>>) -> Json<'_> {
    Json(Cow::Borrowed(node.map_or("null", Node::text)))
}

fn typed_object(node: Node<'_>) -> Option<Node<'_>> {
    (node.get("type")?.kind() == Kind::String).then_some(node)
}

/// Adds what is left of a block to its part.
fn extended<'a>(part: Part<'a>, rest: Rest<'a>) -> Option<Part<'a>> {
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

/// The text of a reasoning block: OpenAI's items hold it in lists of texts.
fn reasoning<'a>(rest: &mut Rest<'a>) -> Option<Cow<'a, str>> {
    if let Some(text) = ["thinking", "content", "text", "reasoning"].into_iter().find_map(|key| rest.take_str(key)) {
        return Some(text);
    }
    for key in ["summary", "content"] {
        let Some(list) = rest.get(key).filter(|list| list.is_array()) else { continue };
        let texts: Vec<_> =
            list.elements().map(|item| item.get("text").and_then(Node::as_str)).collect::<Option<_>>()?;
        if !texts.is_empty() {
            rest.take(key);
            return Some(Cow::Owned(texts.join("\n")));
        }
    }
    // An item whose thoughts are kept from the caller.
    ["summary", "encrypted_content"].iter().any(|key| rest.has(key)).then_some(Cow::Borrowed(""))
}

/// `{"image_url": "..."}` or `{"image_url": {"url": "...", "detail": "low"}}`.
fn linked<'a>(rest: &mut Rest<'a>, key: &str, modality: &'static str) -> Option<Part<'a>> {
    if let Some(url) = rest.take_str(key) {
        return Some(media(url, modality));
    }
    let mut link = Rest::of(rest.take_kind(key, Kind::Object)?);
    let url = link.take_str("url")?;
    rest.absorb(link);
    Some(media(url, modality))
}

/// Anthropic's `source`; `None` unless a part can say all of it.
fn sourced<'a>(source: Node<'a>, modality: &'static str) -> Option<Part<'a>> {
    let mut rest = Rest::of(source);
    let kind = rest.take_str("type")?;
    let mime_type = rest.take_str("media_type");
    let part = match &*kind {
        "base64" => Part::Blob { modality: modality.into(), mime_type, content: rest.take_str("data")? },
        "url" => Part::Uri { modality: modality.into(), mime_type, uri: rest.take_str("url")? },
        "file" => Part::File { modality: modality.into(), mime_type, file_id: rest.take_str("file_id")? },
        _ => return None,
    };
    rest.more(&[])?.is_empty().then_some(part)
}

fn media<'a>(url: Cow<'a, str>, modality: &'static str) -> Part<'a> {
    match url {
        Cow::Borrowed(url) => match data_url(url) {
            Some((mime_type, content)) => blob(modality, mime_type, content.into()),
            None => Part::Uri { modality: modality.into(), mime_type: None, uri: url.into() },
        },
        Cow::Owned(url) => media(Cow::Borrowed(&url), modality).into_owned(),
    }
}

fn blob<'a>(modality: &'static str, mime_type: &str, content: Cow<'a, str>) -> Part<'a> {
    let modality = match mime_type.split('/').next() {
        Some("image") => "image",
        Some("audio") => "audio",
        Some("video") => "video",
        _ => modality,
    };
    let mime_type = (!mime_type.is_empty()).then(|| Cow::Owned(mime_type.to_owned()));
    Part::Blob { modality: modality.into(), mime_type, content }
}

fn file<'a>(modality: &'static str, file_id: Cow<'a, str>) -> Part<'a> {
    Part::File { modality: modality.into(), mime_type: None, file_id }
}

/// The media type and the base64 text of a data URL (RFC 2397).
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, content) = url.strip_prefix("data:")?.split_once(',')?;
    let parameters = head.strip_suffix(";base64")?;
    Some((parameters.split(';').next().unwrap_or_default(), content))
}

fn modality_of_type(kind: &str) -> &'static str {
    match kind {
        "image" => "image",
        "audio" => "audio",
        "video" => "video",
        _ => "document",
    }
}

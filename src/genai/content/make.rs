//! What the shapes of blocks have in common: media, tool calls, answers, tools that a provider runs.

use std::borrow::Cow;

use super::escape::write_string;
use super::json::{self, Kind, Node};
use super::members::Rest;
use crate::genai::message::{Json, Part};

/// The names under which a call's id stands where `id` would be the id of the item around it.
const CALL_ID: &[&str] = &["call_id", "tool_call_id", "toolCallId", "toolUseId", "callId"];
const CALL_NAME: &[&str] = &["name", "toolName", "tool_name"];
const ARGUMENTS: &[&str] = &["arguments", "args", "input", "parameters", "tool_kwargs"];
const MIME_TYPE: &[&str] = &[
    "mime_type",
    "media_type",
    "mimeType",
    "mediaType",
    "contentType",
    "content_type",
    "image_mimetype",
    "document_mimetype",
    "video_mimetype",
];

/// A tool call's arguments from their text: an object (or a list) if the text is the JSON of one, else
/// the text as a JSON string; none if there is no text.
pub fn arguments_from_text(text: Cow<'_, str>) -> Option<Json<'_>> {
    if text.trim().is_empty() {
        return None;
    }
    if json::parse(&text).is_some_and(|node| node.is_object() || node.is_array()) {
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

/// What the model would not say. No schema has a part for it; it is written as texts are.
pub fn refusal(text: &str) -> Part<'static> {
    Part::Generic(Json(format!(r#"{{"type":"refusal","content":{}}}"#, json_string(text).0).into()))
}

pub(super) fn arguments(node: Node<'_>) -> Option<Json<'_>> {
    match node.as_str() {
        Some(text) => arguments_from_text(text),
        None => Some(Json(Cow::Borrowed(node.text()))),
    }
}

/// What a tool answered; no answer is `null`.
pub(super) fn response(node: Option<Node<'_>>) -> Json<'_> {
    Json(Cow::Borrowed(node.map_or("null", Node::text)))
}

/// A tool call in any of its spellings: with its members together or under a `function`.
pub(super) fn tool_call<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    for wrapper in ["function", "custom"] {
        if let Some(inner) = rest.take_kind(wrapper, Kind::Object) {
            rest.absorb(Rest::of(inner));
        }
    }
    // The place in its list, which the part's own place says.
    rest.take_kind("index", Kind::Number);
    let id = match CALL_ID.iter().find_map(|key| rest.take_str(key)) {
        Some(id) => {
            rest.rename("id", "item_id");
            Some(id)
        }
        None => rest.take_str("id"),
    };
    let name = CALL_NAME.iter().find_map(|key| rest.take_str(key))?;
    let arguments = ARGUMENTS.iter().find_map(|key| rest.take(key)).and_then(arguments);
    // Gemini's calls have no id, for which several emitters write an empty one.
    Some(Part::ToolCall { id: id.filter(|id| !id.is_empty()), name, arguments })
}

/// A call that a model makes under the name of its block's type, with one member as its arguments.
pub(super) fn named_call<'a>(rest: &mut Rest<'a>, name: &'static str, member: &str) -> Option<Part<'a>> {
    let id = rest.take_str("call_id");
    if id.is_some() {
        rest.rename("id", "item_id");
    }
    let id = id.or_else(|| rest.take_str("id"));
    let arguments = rest.take(member).and_then(arguments);
    Some(Part::ToolCall { id, name: name.into(), arguments })
}

/// A call of a tool that the provider runs. The published part asks for an object with a `type`; all
/// that was said of the call stands in it.
pub(super) fn server_call<'a>(rest: &mut Rest<'a>, kind: &str, name: Cow<'a, str>) -> Option<Part<'a>> {
    let id = rest.take_str("id");
    Some(Part::ServerToolCall { id, name, call: typed_object(rest, kind)? })
}

/// As [`server_call`], of the answer to the call of an id.
pub(super) fn server_response<'a>(rest: &mut Rest<'a>, kind: &str, id: Option<Cow<'a, str>>) -> Option<Part<'a>> {
    Some(Part::ServerToolCallResponse { id, response: typed_object(rest, kind)? })
}

fn typed_object<'a>(rest: &mut Rest<'a>, kind: &str) -> Option<Json<'a>> {
    let more = rest.take_all().more(&["type"])?;
    let Json(kind) = json_string(kind);
    let separator = if more.is_empty() { "" } else { "," };
    Some(Json(format!("{{\"type\":{kind}{separator}{more}}}").into()))
}

/// The media type, under any of its names.
pub(super) fn mime_type<'a>(rest: &mut Rest<'a>) -> Option<Cow<'a, str>> {
    MIME_TYPE.iter().find_map(|key| rest.take_str(key))
}

/// `image`, `audio`, `video` or `document`, by a media type.
pub(super) fn modality_of(mime_type: &str) -> Option<&'static str> {
    match mime_type.split('/').next() {
        Some("image") => Some("image"),
        Some("audio") => Some("audio"),
        Some("video") => Some("video"),
        Some("application" | "text") => Some("document"),
        _ => None,
    }
}

/// The modality that a block's type names.
pub(super) fn modality_of_type(kind: &str) -> &'static str {
    match kind {
        "image" => "image",
        "audio" => "audio",
        "video" => "video",
        _ => "document",
    }
}

/// `{"image_url": "..."}` or `{"image_url": {"url": "...", "detail": "low"}}`.
pub(super) fn linked<'a>(rest: &mut Rest<'a>, key: &str, modality: &'static str) -> Option<Part<'a>> {
    let mime = mime_type(rest);
    if let Some(url) = rest.take_str(key) {
        return Some(media(url, mime, modality));
    }
    let mut link = Rest::of(rest.take_kind(key, Kind::Object)?);
    let url = link.take_str("url")?;
    rest.absorb(link);
    Some(media(url, mime, modality))
}

/// Data at a URL, or in one.
pub(super) fn media<'a>(url: Cow<'a, str>, mime: Option<Cow<'a, str>>, modality: &'static str) -> Part<'a> {
    match url {
        Cow::Borrowed(url) => match data_url(url) {
            Some((kind, content)) => {
                let kind = if kind.is_empty() { mime } else { Some(Cow::Borrowed(kind)) };
                blob(content.into(), kind, modality)
            }
            None => {
                let modality = mime.as_deref().and_then(modality_of).unwrap_or(modality);
                Part::Uri { modality: modality.into(), mime_type: mime, uri: url.into() }
            }
        },
        Cow::Owned(url) => media(Cow::Borrowed(&url), mime, modality).into_owned(),
    }
}

/// Data that is a URL, a data URL or base64.
pub(super) fn data_or_url<'a>(text: Cow<'a, str>, mime: Option<Cow<'a, str>>, modality: &'static str) -> Part<'a> {
    let is_url = text.get(..64.min(text.len())).unwrap_or(&text).contains("://") || text.starts_with("data:");
    if is_url { media(text, mime, modality) } else { blob(text, mime, modality) }
}

/// Base64 data; its media type says better what it is than the block that holds it.
pub(super) fn blob<'a>(content: Cow<'a, str>, mime: Option<Cow<'a, str>>, modality: &'static str) -> Part<'a> {
    let modality = mime.as_deref().and_then(modality_of).unwrap_or(modality);
    Part::Blob { modality: modality.into(), mime_type: mime, content }
}

/// Data that the provider keeps.
pub(super) fn file<'a>(file_id: Cow<'a, str>, mime_type: Option<Cow<'a, str>>, modality: &'static str) -> Part<'a> {
    Part::File { modality: modality.into(), mime_type, file_id }
}

/// The media type and the base64 text of a data URL (RFC 2397).
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, content) = url.strip_prefix("data:")?.split_once(',')?;
    let parameters = head.strip_suffix(";base64")?;
    Some((parameters.split(';').next().unwrap_or_default(), content))
}

/// The texts of a list of texts or of objects with a text; `None` if an element is neither or there
/// is none.
pub(super) fn texts(list: Node<'_>) -> Option<Cow<'_, str>> {
    let text =
        |item: Node<'_>| item.as_str().map(Cow::into_owned).or_else(|| Some(item.get("text")?.as_str()?.into_owned()));
    let texts: Vec<_> = list.elements().map(text).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| Cow::Owned(texts.join("\n")))
}

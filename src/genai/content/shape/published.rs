//! The published part types, well made or nearly so.

use std::borrow::Cow;

use super::{Family, Typed, first_str};
use crate::genai::content::json::{Kind, Node};
use crate::genai::content::make::{json_string, mime_type, modality_of, response, tool_call};
use crate::genai::content::members::Rest;
use crate::genai::message::{Json, Part};

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("text", Typed::Part(text)),
        ("reasoning", Typed::Part(reasoning)),
        ("tool_call", Typed::Part(tool_call)),
        ("tool_call_response", Typed::Part(tool_call_response)),
        ("server_tool_call", Typed::Part(server_tool_call)),
        ("server_tool_call_response", Typed::Part(server_tool_call_response)),
        ("blob", Typed::Part(blob)),
        ("file", Typed::Part(file)),
        ("uri", Typed::Part(uri)),
        // Not published; a text, as it is written here.
        ("refusal", Typed::Part(refusal)),
        // Published for the newer target only, where nothing is required of it.
        ("compaction", Typed::Kept("type")),
    ],
    keyed: &[],
};

fn text<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    first_str(rest, &["content", "text"]).map(Part::Text)
}

fn refusal<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let text = first_str(rest, &["refusal", "content", "text"])?;
    let more = rest.take_all().more(&["type", "content"])?;
    let separator = if more.is_empty() { "" } else { "," };
    let Json(text) = json_string(&text);
    Some(Part::Generic(Json(format!(r#"{{"type":"refusal","content":{text}{separator}{more}}}"#).into())))
}

fn reasoning<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    super::responses::thoughts(rest).map(Part::Reasoning)
}

fn tool_call_response<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let answer = super::first(rest, &["response", "result", "content", "output"]);
    // `"response": null` is an answer; a part without any is none.
    let answer = answer.or_else(|| rest.null("response"))?;
    Some(Part::ToolCallResponse {
        id: first_str(rest, &["id", "call_id", "tool_call_id"]).filter(|id| !id.is_empty()),
        response: response(Some(answer)),
    })
}

fn server_tool_call<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let call = typed_object(rest, "server_tool_call")?;
    Some(Part::ServerToolCall { id: rest.take_str("id"), name: rest.take_str("name")?, call })
}

fn server_tool_call_response<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let response = typed_object(rest, "server_tool_call_response")?;
    Some(Part::ServerToolCallResponse { id: rest.take_str("id"), response })
}

fn typed_object<'a>(rest: &mut Rest<'a>, key: &str) -> Option<Json<'a>> {
    let object = rest.get(key)?;
    object.get("type").filter(|kind| kind.kind() == Kind::String)?;
    rest.take(key).map(|object: Node<'a>| Json(object.text().into()))
}

fn blob<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let content = first_str(rest, &["content", "data"])?;
    let (modality, mime_type) = modality(rest);
    Some(Part::Blob { modality, mime_type, content })
}

fn file<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let file_id = rest.take_str("file_id")?;
    let (modality, mime_type) = modality(rest);
    Some(Part::File { modality, mime_type, file_id })
}

fn uri<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let uri = first_str(rest, &["uri", "url"])?;
    let (modality, mime_type) = modality(rest);
    Some(Part::Uri { modality, mime_type, uri })
}

/// The modality and the media type; data of which neither is said are a document.
fn modality<'a>(rest: &mut Rest<'a>) -> (Cow<'a, str>, Option<Cow<'a, str>>) {
    let mime = mime_type(rest);
    let modality = rest.take_str("modality");
    let modality = modality.unwrap_or_else(|| mime.as_deref().and_then(modality_of).unwrap_or("document").into());
    (modality, mime)
}

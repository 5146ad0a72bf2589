//! LangChain's standard content blocks, which MLflow and LangSmith also record, and the plain media
//! blocks of OpenInference.

use super::{Family, Typed, first_str};
use crate::genai::content::json::{Kind, Node};
use crate::genai::content::make::{
    blob, data_or_url, file, linked, media, mime_type, modality_of_type, server_call, server_response, tool_call,
};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("image", Typed::Part(|rest| standard(rest, "image"))),
        ("audio", Typed::Part(|rest| standard(rest, "audio"))),
        ("video", Typed::Part(|rest| standard(rest, "video"))),
        ("document", Typed::Part(|rest| standard(rest, "document"))),
        ("file", Typed::Part(|rest| standard(rest, "document"))),
        ("media", Typed::Part(|rest| standard(rest, "document"))),
        ("text-plain", Typed::Kept("text")),
        ("tool_call_chunk", Typed::Part(tool_call)),
        ("invalid_tool_call", Typed::Part(tool_call)),
        ("server_tool_call", Typed::Part(server_tool_call)),
        ("server_tool_result", Typed::Part(server_tool_result)),
        ("non_standard", Typed::Kept("type")),
    ],
    keyed: &[],
};

/// Data under one of several names, said to be inline, at a URL or kept by an id.
fn standard<'a>(rest: &mut Rest<'a>, kind: &str) -> Option<Part<'a>> {
    let modality = modality_of_type(kind);
    // OpenInference: `{"type": "image", "image": {"image": {"url": "..."}}}`.
    if let Some(inner) = rest.get(kind).filter(|inner| inner.kind() == Kind::Object) {
        let inner = inner.get(kind).filter(|deeper| deeper.kind() == Kind::Object).unwrap_or(inner);
        inner.get("url").and_then(Node::as_str)?;
        rest.take(kind);
        rest.absorb(Rest::of(inner));
        return linked(rest, "url", modality);
    }
    let source_type = rest.take_str("source_type");
    let mime = mime_type(rest);
    if let Some(data) = first_str(rest, &["base64", "data"]) {
        return Some(match source_type.as_deref() {
            Some("base64") => blob(data, mime, modality),
            _ => data_or_url(data, mime, modality),
        });
    }
    if let Some(url) = first_str(rest, &["url", "uri", "file_uri"]) {
        return Some(media(url, mime, modality));
    }
    let id = match source_type.as_deref() {
        Some("id") => rest.take_str("id"),
        _ => None,
    };
    Some(file(id.or_else(|| rest.take_str("file_id"))?, mime, modality))
}

fn server_tool_call<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    rest.get("args")?;
    let name = rest.take_str("name")?;
    let kind = name.clone();
    server_call(rest, &kind, name)
}

fn server_tool_result<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let id = rest.take_str("tool_call_id")?;
    server_response(rest, "server_tool_result", Some(id))
}

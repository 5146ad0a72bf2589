//! The blocks of Amazon Bedrock's Converse API, which Strands records.

use super::{Family, Keyed, Typed};
use crate::genai::content::json::{Kind, Node};
use crate::genai::content::make::{response, texts, tool_call};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    // As Strands' TypeScript SDK has what the model said.
    typed: &[("toolUse", Typed::Part(tool_call)), ("toolResult", Typed::Part(tool_result))],
    keyed: &[
        ("toolUse", Keyed::Object(tool_call)),
        ("toolResult", Keyed::Object(tool_result)),
        ("reasoningContent", Keyed::Object(reasoning)),
        ("image", Keyed::Object(|rest| sourced(rest, "image"))),
        ("document", Keyed::Object(|rest| sourced(rest, "document"))),
        ("video", Keyed::Object(|rest| sourced(rest, "video"))),
        ("audio", Keyed::Object(|rest| sourced(rest, "audio"))),
        ("citationsContent", Keyed::Object(cited)),
        ("guardContent", Keyed::Kept),
        ("cachePoint", Keyed::Kept),
        ("searchResult", Keyed::Kept),
        ("reasoningContent", Keyed::Kept),
        ("document", Keyed::Kept),
    ],
};

/// An answer; the only text or JSON in its list is the answer itself.
fn tool_result<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let id = rest.take_str("toolUseId")?;
    let content = rest.take("content");
    let answer = content.and_then(only).or(content);
    Some(Part::ToolCallResponse { id: Some(id), response: response(answer) })
}

fn only(list: Node<'_>) -> Option<Node<'_>> {
    let mut elements = list.elements();
    let (Some(element), None) = (elements.next(), elements.next()) else { return None };
    let mut members = element.members();
    match (members.next(), members.next()) {
        (Some((name, value)), None) if name == "json" || (name == "text" && value.kind() == Kind::String) => {
            Some(value)
        }
        _ => None,
    }
}

fn reasoning<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    if let Some(text) = rest.take_str("text") {
        return Some(Part::Reasoning(text));
    }
    let mut inner = Rest::of(rest.take_kind("reasoningText", Kind::Object)?);
    let text = inner.take_str("text")?;
    rest.absorb(inner);
    Some(Part::Reasoning(text))
}

/// `{"format": "png", "source": {"bytes": "..."}}`.
fn sourced<'a>(rest: &mut Rest<'a>, modality: &'static str) -> Option<Part<'a>> {
    let mut source = Rest::of(rest.get("source").filter(|source| source.is_object())?);
    let mime_type = rest.get("format").and_then(Node::as_str).map(|format| media_type(modality, &format).into());
    let modality = modality.into();
    let part = match source.take_str("bytes") {
        Some(content) => Part::Blob { modality, mime_type, content },
        None => {
            let mut location = Rest::of(source.take_kind("s3Location", Kind::Object)?);
            let uri = location.take_str("uri")?;
            source.absorb(location);
            Part::Uri { modality, mime_type, uri }
        }
    };
    rest.take("format");
    rest.take("source");
    rest.absorb(source);
    Some(part)
}

/// The media type of a format; Bedrock names documents by their file extensions.
fn media_type(modality: &str, format: &str) -> String {
    const DOCUMENTS: [(&str, &str); 9] = [
        ("pdf", "application/pdf"),
        ("csv", "text/csv"),
        ("html", "text/html"),
        ("txt", "text/plain"),
        ("md", "text/markdown"),
        ("doc", "application/msword"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("xls", "application/vnd.ms-excel"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ];
    match DOCUMENTS.iter().find(|(extension, _)| modality == "document" && *extension == format) {
        Some((_, mime)) => (*mime).to_owned(),
        None if modality == "document" => format!("application/{format}"),
        None => format!("{modality}/{format}"),
    }
}

fn cited<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let text = texts(rest.get("content")?)?;
    rest.take("content");
    Some(Part::Text(text))
}

//! The AI SDK's prompt and response parts, versions 4 (`args`, `result`, `mimeType`) and later
//! (`input`, `output`, `mediaType`), which Mastra also records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Family, Typed, first_str};
use crate::genai::content::json::{Kind, Node};
use crate::genai::content::make::{
    blob, data_or_url, file, media, mime_type, response, server_call, server_response, tool_call,
};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("tool-call", Typed::Part(call)),
        ("tool-result", Typed::Part(result)),
        ("tool-error", Typed::Part(error)),
        ("image", Typed::Part(|rest| data(rest, "image", "image"))),
        ("file", Typed::Part(|rest| data(rest, "data", "document"))),
        ("file", Typed::Part(generated)),
        ("reasoning-file", Typed::Kept("type")),
        ("redacted-reasoning", Typed::Kept("data")),
        ("source", Typed::Kept("type")),
        ("tool-approval-request", Typed::Kept("approvalId")),
        ("tool-approval-response", Typed::Kept("approvalId")),
        ("step-start", Typed::Kept("type")),
        ("custom", Typed::Kept("kind")),
    ],
    keyed: &[],
};

/// Whether the provider ran the tool.
fn by_provider(rest: &mut Rest<'_>) -> bool {
    let is_so = rest.get("providerExecuted").is_some_and(|flag| flag.text() == "true");
    if is_so {
        rest.take("providerExecuted");
    }
    is_so
}

fn call<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    if !by_provider(rest) {
        return tool_call(rest);
    }
    let name = rest.take_str("toolName")?;
    rest.rename("toolCallId", "id");
    let kind = name.clone();
    server_call(rest, &kind, name)
}

fn result<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let id = rest.take_str("toolCallId");
    let by_provider = by_provider(rest);
    if by_provider {
        let kind = rest.get("toolName").and_then(Node::as_str)?;
        return server_response(rest, &kind, id);
    }
    let answer = match rest.take_kind("output", Kind::Object) {
        Some(output) => Some(unwrapped(output)),
        None => super::first(rest, &["result", "output", "content"]),
    };
    rest.rename("toolName", "name");
    Some(Part::ToolCallResponse { id, response: response(answer) })
}

/// The value of `{"type": "json", "value": ...}`; other outputs (errors, refusals, lists of content)
/// say by their type what they are.
fn unwrapped(output: Node<'_>) -> Node<'_> {
    let plain = matches!(output.get("type").and_then(Node::as_str).as_deref(), Some("text" | "json"));
    output.get("value").filter(|_| plain && output.members().count() == 2).unwrap_or(output)
}

fn error<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let id = rest.take_str("toolCallId");
    let error = rest.take("error")?;
    rest.rename("toolName", "name");
    Some(Part::ToolCallResponse { id, response: response(Some(error)) })
}

/// A file or an image: text is base64 or a URL; version 7 says which in an object. What the application gave
/// as bytes is the JSON that JavaScript makes of them.
fn data<'a>(rest: &mut Rest<'a>, key: &str, modality: &'static str) -> Option<Part<'a>> {
    let mime = mime_type(rest);
    if let Some(text) = rest.take_str(key) {
        return Some(data_or_url(text, mime, modality));
    }
    let value = rest.get(key)?;
    if let Some(bytes) = bytes(value) {
        rest.take(key);
        return Some(blob(STANDARD.encode(bytes).into(), mime, modality));
    }
    let mut inner = Rest::of(value);
    let part = match first_str(&mut inner, &["data", "base64"]) {
        Some(text) => data_or_url(text, mime, modality),
        None => match first_str(&mut inner, &["url"]) {
            Some(url) => media(url, mime, modality),
            None => file(first_str(&mut inner, &["reference", "fileId"])?, mime, modality),
        },
    };
    rest.take(key);
    Some(part)
}

/// The bytes of `{"type": "Buffer", "data": [137, 80]}` (Node's `Buffer`) and of `{"0": 137, "1": 80}` (a
/// `Uint8Array`).
fn bytes(value: Node<'_>) -> Option<Vec<u8>> {
    let byte = |node: Node<'_>| node.text().parse().ok();
    match value.get("data").filter(|data| data.is_array()) {
        Some(data) => {
            let is_buffer = value.get("type").and_then(Node::as_str).as_deref() == Some("Buffer");
            if is_buffer { data.elements().map(byte).collect() } else { None }
        }
        None => {
            let numbered = value.members().enumerate();
            let bytes: Option<Vec<u8>> =
                numbered.map(|(at, (key, value))| byte(value).filter(|_| *key == *at.to_string())).collect();
            bytes.filter(|bytes| !bytes.is_empty())
        }
    }
}

/// A generated file: `{"base64Data": "...", "mimeType": "..."}` and its relatives.
fn generated<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let text = first_str(rest, &["base64Data", "base64", "uint8ArrayData"])?;
    let mime = mime_type(rest);
    Some(data_or_url(text, mime, "document"))
}

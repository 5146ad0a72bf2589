//! Anthropic's messages, with the tools that Anthropic runs.

use super::{Family, Typed, first_str};
use crate::genai::content::json::{Kind, Node};
use crate::genai::content::make::{modality_of_type, response, server_call, server_response};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("thinking", Typed::Part(|rest| first_str(rest, &["thinking", "content", "text"]).map(Part::Reasoning))),
        ("redacted_thinking", Typed::Kept("data")),
        ("image", Typed::Part(|rest| sourced(rest, "image"))),
        ("audio", Typed::Part(|rest| sourced(rest, "audio"))),
        ("video", Typed::Part(|rest| sourced(rest, "video"))),
        ("document", Typed::Part(|rest| sourced(rest, "document"))),
        // Text that is cited from, not said.
        ("document", Typed::Kept("source")),
        ("search_result", Typed::Kept("source")),
        ("container_upload", Typed::Kept("file_id")),
        ("tool_use", Typed::Part(crate::genai::content::make::tool_call)),
        ("tool_result", Typed::Part(tool_result)),
        ("server_tool_use", Typed::Part(server_tool_use)),
        ("mcp_tool_use", Typed::Part(mcp_tool_use)),
        ("web_search_tool_result", Typed::Part(|rest| tool_answer(rest, "web_search_tool_result"))),
        ("web_fetch_tool_result", Typed::Part(|rest| tool_answer(rest, "web_fetch_tool_result"))),
        ("code_execution_tool_result", Typed::Part(|rest| tool_answer(rest, "code_execution_tool_result"))),
        ("bash_code_execution_tool_result", Typed::Part(|rest| tool_answer(rest, "bash_code_execution_tool_result"))),
        (
            "text_editor_code_execution_tool_result",
            Typed::Part(|rest| tool_answer(rest, "text_editor_code_execution_tool_result")),
        ),
        ("tool_search_tool_result", Typed::Part(|rest| tool_answer(rest, "tool_search_tool_result"))),
        ("mcp_tool_result", Typed::Part(|rest| tool_answer(rest, "mcp_tool_result"))),
        // Those to come.
        ("*_tool_result", Typed::Part(|rest| tool_answer(rest, "tool_result"))),
    ],
    keyed: &[],
};

fn tool_result<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let id = rest.take_str("tool_use_id")?;
    Some(Part::ToolCallResponse { id: Some(id), response: response(rest.take("content")) })
}

fn server_tool_use<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let name = rest.take_str("name")?;
    server_call(rest, "server_tool_use", name)
}

fn mcp_tool_use<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let name = rest.take_str("name")?;
    server_call(rest, "mcp_tool_use", name)
}

fn tool_answer<'a>(rest: &mut Rest<'a>, kind: &str) -> Option<Part<'a>> {
    let id = rest.take_str("tool_use_id")?;
    server_response(rest, kind, Some(id))
}

/// A block with a `source`; `None` unless a part can say all of the source.
fn sourced<'a>(rest: &mut Rest<'a>, modality: &str) -> Option<Part<'a>> {
    let source = rest.get("source").filter(|source| source.kind() == Kind::Object)?;
    let part = source_part(source, modality_of_type(modality))?;
    rest.take("source");
    Some(part)
}

fn source_part<'a>(source: Node<'a>, modality: &'static str) -> Option<Part<'a>> {
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

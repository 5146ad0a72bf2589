//! The items and blocks of OpenAI's responses, which the OpenAI Agents SDK and Llama Stack also use.

use std::borrow::Cow;

use super::{Family, Typed, first_str, openai};
use crate::genai::content::make::{file, linked, mime_type, named_call, response, server_call, texts, tool_call};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("input_text", Typed::Part(text)),
        ("output_text", Typed::Part(text)),
        ("summary_text", Typed::Part(|rest| thoughts(rest).map(Part::Reasoning))),
        ("reasoning_text", Typed::Part(|rest| thoughts(rest).map(Part::Reasoning))),
        ("input_image", Typed::Part(input_image)),
        ("input_file", Typed::Part(openai::input_file)),
        ("output_audio", Typed::Part(output_audio)),
        ("function_call", Typed::Part(tool_call)),
        ("function_call_output", Typed::Part(output)),
        // Calls that the application answers.
        ("custom_tool_call", Typed::Part(tool_call)),
        ("custom_tool_call_output", Typed::Part(output)),
        ("computer_call", Typed::Part(|rest| named_call(rest, "computer", "action"))),
        ("computer_call_output", Typed::Part(output)),
        ("local_shell_call", Typed::Part(|rest| named_call(rest, "local_shell", "action"))),
        ("local_shell_call_output", Typed::Part(output)),
        ("shell_call", Typed::Part(|rest| named_call(rest, "shell", "action"))),
        ("shell_call_output", Typed::Part(output)),
        ("apply_patch_call", Typed::Part(|rest| named_call(rest, "apply_patch", "operation"))),
        ("apply_patch_call_output", Typed::Part(output)),
        // Calls that the provider answers, in the same item.
        ("web_search_call", Typed::Part(|rest| server_call(rest, "web_search_call", "web_search".into()))),
        ("file_search_call", Typed::Part(|rest| server_call(rest, "file_search_call", "file_search".into()))),
        (
            "code_interpreter_call",
            Typed::Part(|rest| server_call(rest, "code_interpreter_call", "code_interpreter".into())),
        ),
        (
            "image_generation_call",
            Typed::Part(|rest| server_call(rest, "image_generation_call", "image_generation".into())),
        ),
        ("tool_search_call", Typed::Part(|rest| server_call(rest, "tool_search_call", "tool_search".into()))),
        ("mcp_call", Typed::Part(|rest| mcp(rest, "mcp_call"))),
        ("mcp_list_tools", Typed::Part(|rest| server_call(rest, "mcp_list_tools", "mcp_list_tools".into()))),
        ("mcp_approval_request", Typed::Part(|rest| mcp(rest, "mcp_approval_request"))),
        ("mcp_approval_response", Typed::Kept("approval_request_id")),
        ("item_reference", Typed::Kept("id")),
    ],
    keyed: &[],
};

fn text<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    first_str(rest, &["text", "content"]).map(Part::Text)
}

fn input_image<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    match rest.take_str("file_id") {
        Some(id) => Some(file(id, mime_type(rest), "image")),
        None => linked(rest, "image_url", "image"),
    }
}

fn output_audio<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    Some(Part::Blob { modality: "audio".into(), mime_type: mime_type(rest), content: rest.take_str("data")? })
}

fn output<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let output = rest.take("output")?;
    let id = rest.take_str("call_id");
    if id.is_some() {
        rest.rename("id", "item_id");
    }
    let id = id.or_else(|| rest.take_str("id"))?;
    Some(Part::ToolCallResponse { id: Some(id), response: response(Some(output)) })
}

fn mcp<'a>(rest: &mut Rest<'a>, kind: &str) -> Option<Part<'a>> {
    let name = rest.take_str("name")?;
    server_call(rest, kind, name)
}

/// The text of a thought: a text under one of several names, or the texts of lists.
pub(super) fn thoughts<'a>(rest: &mut Rest<'a>) -> Option<Cow<'a, str>> {
    if let Some(text) = first_str(rest, &["content", "thinking", "text", "reasoning"]) {
        return Some(text);
    }
    for key in ["summary", "content"] {
        if let Some(text) = rest.get(key).filter(|list| list.is_array() && !list.is_blank()) {
            let text = texts(text)?;
            rest.take(key);
            return Some(text);
        }
    }
    // An item whose thoughts are kept from the caller.
    ["summary", "encrypted_content"].iter().any(|key| rest.has(key)).then_some(Cow::Borrowed(""))
}

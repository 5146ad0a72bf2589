//! The parts of Gemini and Vertex AI, in the API's spelling and in that of the Python SDKs, which
//! Google ADK records.

use super::{Family, Keyed};
use crate::genai::content::make::{blob, media, mime_type, response, server_call, server_response, tool_call};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[],
    keyed: &[
        ("functionCall", Keyed::Object(tool_call)),
        ("function_call", Keyed::Object(tool_call)),
        ("functionResponse", Keyed::Object(function_response)),
        ("function_response", Keyed::Object(function_response)),
        ("inlineData", Keyed::Object(inline_data)),
        ("inline_data", Keyed::Object(inline_data)),
        ("fileData", Keyed::Object(file_data)),
        ("file_data", Keyed::Object(file_data)),
        ("executableCode", Keyed::Object(|rest| server_call(rest, "executable_code", "code_execution".into()))),
        ("executable_code", Keyed::Object(|rest| server_call(rest, "executable_code", "code_execution".into()))),
        ("codeExecutionResult", Keyed::Object(code_execution_result)),
        ("code_execution_result", Keyed::Object(code_execution_result)),
        ("text", Keyed::Beside(text)),
    ],
};

/// Text, or what the model thought.
fn text<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let text = rest.take_str("text")?;
    if rest.get("thought").is_some_and(|flag| flag.text() == "true") {
        rest.take("thought");
        return Some(Part::Reasoning(text));
    }
    Some(Part::Text(text))
}

fn function_response<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let answer = rest.take("response")?;
    Some(Part::ToolCallResponse { id: rest.take_str("id"), response: response(Some(answer)) })
}

fn inline_data<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mime = mime_type(rest);
    Some(blob(rest.take_str("data")?, mime, "document"))
}

fn file_data<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mime = mime_type(rest);
    Some(media(super::first_str(rest, &["fileUri", "file_uri"])?, mime, "document"))
}

fn code_execution_result<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let id = rest.take_str("id");
    server_response(rest, "code_execution_result", id)
}

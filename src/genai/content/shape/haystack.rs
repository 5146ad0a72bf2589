//! The content of Haystack's chat messages.

use super::{Family, Keyed, first_str};
use crate::genai::content::json::Node;
use crate::genai::content::make::{blob, mime_type, response, tool_call};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[],
    keyed: &[
        ("tool_call", Keyed::Object(tool_call)),
        ("tool_call_result", Keyed::Object(tool_call_result)),
        ("reasoning", Keyed::Object(|rest| rest.take_str("reasoning_text").map(Part::Reasoning))),
        ("image", Keyed::Object(|rest| inline(rest, "base64_image", "image"))),
        ("file", Keyed::Object(|rest| inline(rest, "base64_data", "document"))),
    ],
};

fn tool_call_result<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let answer = rest.take("result")?;
    let origin = rest.get("origin")?;
    let id = origin.get("id").and_then(Node::as_str);
    Some(Part::ToolCallResponse { id, response: response(Some(answer)) })
}

fn inline<'a>(rest: &mut Rest<'a>, key: &str, modality: &'static str) -> Option<Part<'a>> {
    let data = first_str(rest, &[key])?;
    let mime = mime_type(rest);
    Some(blob(data, mime, modality))
}

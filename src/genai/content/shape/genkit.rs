//! Genkit's parts.

use super::{Family, Keyed, first_str};
use crate::genai::content::make::{media, mime_type, response, tool_call};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[],
    keyed: &[
        ("toolRequest", Keyed::Object(request)),
        ("toolResponse", Keyed::Object(answer)),
        ("media", Keyed::Object(link)),
        ("reasoning", Keyed::Beside(|rest| rest.take_str("reasoning").map(Part::Reasoning))),
        ("resource", Keyed::Kept),
        ("custom", Keyed::Kept),
        ("data", Keyed::Kept),
    ],
};

fn request<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    rest.rename("ref", "id");
    tool_call(rest)
}

fn answer<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let id = first_str(rest, &["ref"]);
    Some(Part::ToolCallResponse { id, response: response(Some(rest.take("output")?)) })
}

fn link<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mime = mime_type(rest);
    Some(media(rest.take_str("url")?, mime, "image"))
}

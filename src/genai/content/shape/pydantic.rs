//! The parts that Pydantic AI named in its own way (its format versions 2 and 3).

use super::{Family, Typed};
use crate::genai::content::make::{blob, linked, mime_type};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("image-url", Typed::Part(|rest| linked(rest, "url", "image"))),
        ("audio-url", Typed::Part(|rest| linked(rest, "url", "audio"))),
        ("video-url", Typed::Part(|rest| linked(rest, "url", "video"))),
        ("document-url", Typed::Part(|rest| linked(rest, "url", "document"))),
        ("binary", Typed::Part(binary)),
    ],
    keyed: &[],
};

fn binary<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mime = mime_type(rest);
    Some(blob(rest.take_str("content").or_else(|| rest.take_str("data")).unwrap_or_default(), mime, "document"))
}

//! The blocks of LlamaIndex's chat messages, whose type stands under `block_type` and is read as a
//! `type`.

use super::{Family, Typed, first_str};
use crate::genai::content::make::{data_or_url, media, mime_type};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("image", Typed::Part(|rest| block(rest, "image", "image"))),
        ("audio", Typed::Part(|rest| block(rest, "audio", "audio"))),
        ("video", Typed::Part(|rest| block(rest, "video", "video"))),
        ("document", Typed::Part(|rest| block(rest, "data", "document"))),
        ("cache", Typed::Kept("type")),
        ("citable", Typed::Kept("type")),
        ("citation", Typed::Kept("type")),
    ],
    keyed: &[],
};

fn block<'a>(rest: &mut Rest<'a>, data: &str, modality: &'static str) -> Option<Part<'a>> {
    let mime = mime_type(rest).or_else(|| Some(format!("{modality}/{}", rest.take_str("format")?).into()));
    match first_str(rest, &[data]) {
        Some(data) => Some(data_or_url(data, mime, modality)),
        None => Some(media(first_str(rest, &["url", "path"])?, mime, modality)),
    }
}

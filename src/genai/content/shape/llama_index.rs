//! The blocks of LlamaIndex's chat messages, whose type stands under `block_type` and is read as a
//! `type`.

use super::{Family, Typed, first_str};
use crate::genai::content::make::{data_or_url, media, mime_type};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("image", Typed::Part(|rest| block(rest, "image", "image_mimetype", "image"))),
        ("audio", Typed::Part(|rest| block(rest, "audio", "format", "audio"))),
        ("video", Typed::Part(|rest| block(rest, "video", "video_mimetype", "video"))),
        ("document", Typed::Part(|rest| block(rest, "data", "document_mimetype", "document"))),
        ("cache", Typed::Kept("type")),
        ("citable", Typed::Kept("type")),
        ("citation", Typed::Kept("type")),
    ],
    keyed: &[],
};

fn block<'a>(rest: &mut Rest<'a>, data: &str, mime: &str, modality: &'static str) -> Option<Part<'a>> {
    let mime = mime_type(rest).or_else(|| match rest.take_str(mime)? {
        format if format.contains('/') => Some(format),
        format => Some(format!("{modality}/{format}").into()),
    });
    match first_str(rest, &[data]) {
        Some(data) => Some(data_or_url(data, mime, modality)),
        None => Some(media(first_str(rest, &["url", "path"])?, mime, modality)),
    }
}

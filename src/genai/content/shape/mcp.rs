//! The content of the Model Context Protocol's results and prompts.

use super::{Family, Typed, first_str};
use crate::genai::content::json::Kind;
use crate::genai::content::make::{blob, media, mime_type};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("resource", Typed::Part(resource)),
        ("resource_link", Typed::Part(link)),
        ("resource", Typed::Kept("type")),
    ],
    keyed: &[],
};

fn link<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mime = mime_type(rest);
    Some(media(rest.take_str("uri")?, mime, "document"))
}

/// Binary content of a resource; its text stays where it is, for it is not said but quoted.
fn resource<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mut inner = Rest::of(rest.get("resource").filter(|inner| inner.kind() == Kind::Object)?);
    let data = first_str(&mut inner, &["blob"])?;
    let mime = mime_type(&mut inner);
    rest.take("resource");
    rest.absorb(inner);
    Some(blob(data, mime, "document"))
}

//! The shapes of content blocks, one file a family of APIs; what becomes of a block in general is
//! decided in [`super::block`].
//!
//! A block is told by the value of its `type`, or, in APIs whose blocks have none, by the name of the
//! member that holds it. To add a family: a file with a [`Family`], and its line in [`FAMILIES`].

mod anthropic;
mod bedrock;
mod gemini;
mod genkit;
mod haystack;
mod langchain;
mod llama_index;
mod mcp;
mod openai;
mod published;
mod pydantic;
mod responses;
mod vercel;

#[cfg(test)]
mod tests;

use super::json::Node;
use super::members::Rest;
use crate::genai::message::Part;

/// Reads a block: takes from its members what the part says, leaves what is carried along. `None` if
/// the members are not those of this shape.
pub(super) type Read = for<'a> fn(&mut Rest<'a>) -> Option<Part<'a>>;

/// What becomes of a block of a type.
#[derive(Clone, Copy)]
pub(super) enum Typed {
    /// A published part says it.
    Part(Read),
    /// No published part says it; it is known by this text member, and stays as it is.
    Kept(&'static str),
}

/// What becomes of a block without a type that has a certain member.
#[derive(Clone, Copy)]
pub(super) enum Keyed {
    /// The member is an object with what the part says.
    Object(Read),
    /// The member is one of several that say it.
    Beside(Read),
    /// No published part says it: it gets the member's name for a type.
    Kept,
}

/// The blocks of one family of APIs.
pub(super) struct Family {
    /// By the value of `type`; `*_x` stands for every value that ends like that.
    pub(super) typed: &'static [(&'static str, Typed)],
    /// By the name of a member.
    pub(super) keyed: &'static [(&'static str, Keyed)],
}

/// All families. Where several know a type (`image`), the first whose members are there reads it.
pub(super) static FAMILIES: &[&Family] = &[
    &published::FAMILY,
    &openai::FAMILY,
    &responses::FAMILY,
    &anthropic::FAMILY,
    &langchain::FAMILY,
    &vercel::FAMILY,
    &gemini::FAMILY,
    &bedrock::FAMILY,
    &haystack::FAMILY,
    &genkit::FAMILY,
    &llama_index::FAMILY,
    &pydantic::FAMILY,
    &mcp::FAMILY,
];

/// What the families say of a type, in their order.
pub(super) fn typed(kind: &str) -> impl Iterator<Item = Typed> {
    let is = move |name: &str| match name.strip_prefix('*') {
        Some(end) => kind.ends_with(end),
        None => name == kind,
    };
    FAMILIES.iter().flat_map(|family| family.typed).filter(move |(name, _)| is(name)).map(|(_, reading)| *reading)
}

/// Whether a part of this type is published.
pub(super) fn is_published(kind: &str) -> bool {
    published::FAMILY.typed.iter().any(|(name, reading)| *name == kind && matches!(reading, Typed::Part(_)))
}

/// What the families say of members' names.
pub(super) fn keyed() -> impl Iterator<Item = (&'static str, Keyed)> {
    FAMILIES.iter().flat_map(|family| family.keyed).copied()
}

/// The first of several members that is a text.
fn first_str<'a>(rest: &mut Rest<'a>, keys: &[&str]) -> Option<std::borrow::Cow<'a, str>> {
    keys.iter().find_map(|key| rest.take_str(key))
}

/// The first of several members that says something.
fn first<'a>(rest: &mut Rest<'a>, keys: &[&str]) -> Option<Node<'a>> {
    keys.iter().find_map(|key| rest.take(key))
}

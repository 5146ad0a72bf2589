//! Message content: read from whatever an emitter wrote (JSON of a provider's API, Python text,
//! structured attribute values, plain text), written as the conventions' published JSON.
//!
//! The types are in [`super::message`]. Which attribute holds what is known to the dialects; which
//! attribute a target wants it in, to the conventions. Everything here is bounded in depth, and no
//! text is ever lost: what is not understood stays text.

pub mod escape;
pub mod json;
pub mod python;

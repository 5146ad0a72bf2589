//! Pydantic AI: the conventions' metrics, with the framework's own word for the provider under the current
//! name and the old one (`google`).

use super::{Attribute, Dialect};
use crate::genai::values;

/// The dialect.
pub(super) static PYDANTIC_AI: Dialect = Dialect {
    scopes: &["pydantic-ai"],
    attributes: &[Attribute::reworded("gen_ai.provider.name", values::PROVIDER)],
    ..Dialect::new("pydantic-ai")
};

//! Llama Stack and OGX. Up to 0.3 it counted tokens in sums of bare names, in release candidates of
//! 0.4 in histograms of the same names; its own metrics since then have no home.

use super::{Attribute, Dialect, Row};
use crate::genai::metric::{Direction, Says};
use crate::genai::values;

const MODEL: &str = "model_id";

const ATTRIBUTES: &[Attribute] = &[
    Attribute::renamed(MODEL, "gen_ai.request.model"),
    // The id of a provider in one deployment, which mostly is the vendor's name.
    Attribute::mapped("provider_id", "gen_ai.provider.name", values::PROVIDER),
];

const fn row(name: &'static str, says: Says) -> Row {
    // Another one of this program may send them on (`genai_metrics.compatibility`).
    Row { only_with: Some(MODEL), copy_in: Some("dragoman"), attributes: ATTRIBUTES, ..Row::new(name, says) }
}

/// The dialect.
pub(super) static LLAMA_STACK: Dialect = Dialect {
    scopes: &["llama_stack"],
    metrics: &[
        row("prompt_tokens", Says::Tokens(Some(Direction::Input))),
        row("completion_tokens", Says::Tokens(Some(Direction::Output))),
        row("total_tokens", Says::Nothing),
    ],
    kept: &["llama_stack.", "ogx."],
    ..Dialect::new("llama-stack")
};

//! OpenLIT: sums of tokens up to 1.33, the conventions' metrics since.

use super::{Attribute, Dialect, Row};
use crate::genai::metric::{Direction, Says};
use crate::genai::values;

/// The dialect.
pub(super) static OPENLIT: Dialect = Dialect {
    scopes: &["openlit."],
    metrics: &[
        Row::new("gen_ai.usage.prompt_tokens", Says::Tokens(Some(Direction::Input))),
        Row::new("gen_ai.usage.completion_tokens", Says::Tokens(Some(Direction::Output))),
        Row::new("gen_ai.usage.input_tokens", Says::Tokens(Some(Direction::Input))),
        Row::new("gen_ai.usage.output_tokens", Says::Tokens(Some(Direction::Output))),
        Row::new("gen_ai.usage.total_tokens", Says::Nothing),
        Row::new("gen_ai.total.requests", Says::Nothing),
    ],
    attributes: &[
        Attribute::reworded("gen_ai.operation.name", values::OPERATION),
        Attribute::reworded("gen_ai.provider.name", values::PROVIDER),
    ],
    ..Dialect::new("openlit")
};

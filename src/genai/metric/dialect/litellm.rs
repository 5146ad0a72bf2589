//! LiteLLM with metrics on, library and proxy: the conventions' names, words of its own, and metrics
//! that it puts under the conventions' prefix. Its operation is always `chat` in the default mode,
//! for embeddings too, which nothing on the point can tell.

use super::{Attribute, Dialect, Row};
use crate::genai::metric::Says;
use crate::genai::values;

/// The dialect.
pub(super) static LITELLM: Dialect = Dialect {
    scopes: &["litellm"],
    tell: Some("hidden_params"),
    metrics: &[
        Row::new("gen_ai.client.token.cost", Says::Nothing),
        // From the request on, and not from the operation's begin.
        Row::new("gen_ai.client.response.time_to_first_token", Says::Nothing),
        Row::new("gen_ai.client.response.time_per_output_token", Says::Nothing),
        Row::new("gen_ai.client.response.duration", Says::Nothing),
    ],
    attributes: &[
        Attribute::reworded("gen_ai.operation.name", values::LITELLM_CALL_TYPE),
        Attribute::reworded("gen_ai.provider.name", values::PROVIDER),
    ],
    ..Dialect::new("litellm")
};

//! OpenLLMetry by Traceloop: the sums and histograms of 0.16 (`llm.*`), and what its later releases
//! attach to the conventions' metrics. Its scopes are shared with official packages, so that its
//! metrics and attributes tell it.

use super::{Attribute, Dialect, Row};
use crate::genai::metric::Says;
use crate::genai::metric::convention::TOKEN_TYPE;
use crate::genai::values;

const OPERATION: &str = "gen_ai.operation.name";
const PROVIDER: &str = "gen_ai.provider.name";

const OPENAI_CHAT: &[(&str, &str)] = &[(OPERATION, "chat"), (PROVIDER, "openai")];
const OPENAI_EMBEDDINGS: &[(&str, &str)] = &[(OPERATION, "embeddings"), (PROVIDER, "openai")];
// One instrument for messages and completions: a chat is what both are to the model.
const ANTHROPIC: &[(&str, &str)] = &[(OPERATION, "chat"), (PROVIDER, "anthropic")];
const WATSONX: &[(&str, &str)] = &[(OPERATION, "text_completion"), (PROVIDER, "ibm.watsonx.ai")];

const fn row(name: &'static str, says: Says, implies: &'static [(&'static str, &'static str)]) -> Row {
    Row { implies, ..Row::new(name, says) }
}

/// The dialect.
pub(super) static OPENLLMETRY: Dialect = Dialect {
    scopes: &["traceloop.", "@traceloop/", "opentelemetry.instrumentation.openai.v"],
    tell: Some("traceloop.workflow.name"),
    metrics: &[
        row("llm.openai.chat_completions.tokens", Says::Tokens(None), OPENAI_CHAT),
        row("llm.openai.chat_completions.duration", Says::Duration, OPENAI_CHAT),
        row("llm.openai.embeddings.tokens", Says::Tokens(None), OPENAI_EMBEDDINGS),
        row("llm.openai.embeddings.duration", Says::Duration, OPENAI_EMBEDDINGS),
        row("llm.anthropic.completion.tokens", Says::Tokens(None), ANTHROPIC),
        row("llm.anthropic.completion.duration", Says::Duration, ANTHROPIC),
        row("llm.watsonx.completions.tokens", Says::Tokens(None), WATSONX),
        row("llm.watsonx.completions.duration", Says::Duration, WATSONX),
        Row::new("gen_ai.client.generation.choices", Says::Nothing),
    ],
    kept: &["llm."],
    attributes: &[
        // The package for LiteLLM.
        Attribute::mapped("gen_ai.usage.token_type", TOKEN_TYPE, values::TOKEN_TYPE),
        Attribute::reworded(OPERATION, values::OPERATION),
        Attribute::reworded(PROVIDER, values::PROVIDER),
    ],
    ..Dialect::new("openllmetry")
};

//! Inference servers: vLLM and SGLang.
//!
//! One SERVER span a request, in old names, without an operation and most often without a model. It is
//! the other side of a call that a client reports: no operation is made up for it, so that its tokens are
//! counted for the client only. The server's id of a request is not the response's and stays.
//!
//! TGI writes fields of Rust's `tracing` without any token count or key of GenAI, Ollama writes no spans
//! at all: there is nothing to translate.

use super::{Dialect, Reason, Rule, Tell};
use crate::genai::field::Field;

/// vLLM.
pub static VLLM: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("vllm", 100),
        Tell::key_prefix("gen_ai.latency.", 30),
        Tell::key("gen_ai.usage.num_sequences", 20),
    ],
    keys: &[
        Rule::field("gen_ai.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::field("gen_ai.usage.cached_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.request.n", Field::RequestChoiceCount),
        // What was generated, where nothing says what was asked for.
        Rule::field("gen_ai.usage.num_sequences", Field::RequestChoiceCount),
        Rule::keep("gen_ai.request.id", Reason::NoHome),
        Rule::keep("gen_ai.request.best_of", Reason::NoHome),
    ],
    kept: LATENCY,
    ..Dialect::new("vllm")
};

/// SGLang, which took vLLM's names and added some.
pub static SGLANG: Dialect = Dialect {
    tells: &[Tell::scope_prefix("sglang", 100), Tell::key("gen_ai.usage.cached_tokens", 5)],
    keys: &[
        Rule::field("gen_ai.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::field("gen_ai.usage.cached_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.request.n", Field::RequestChoiceCount),
        Rule::keep("gen_ai.request.id", Reason::NoHome),
    ],
    kept: LATENCY,
    ..Dialect::new("sglang")
};

/// Seconds; time to first token among them is the server's, not the client's.
const LATENCY: &[(&str, Reason)] = &[("gen_ai.latency.", Reason::NoHome)];

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact tables, a concrete one for each of their rows.
    #[test]
    fn every_key_of_the_tables_is_known() {
        let keys = [
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "gen_ai.usage.num_sequences",
            "gen_ai.usage.cached_tokens",
            "gen_ai.request.id",
            "gen_ai.request.n",
            "gen_ai.request.max_tokens",
            "gen_ai.request.top_p",
            "gen_ai.request.top_k",
            "gen_ai.request.temperature",
            "gen_ai.response.model",
            "gen_ai.latency.time_to_first_token",
            "gen_ai.latency.e2e",
            "gen_ai.latency.time_in_queue",
            "gen_ai.latency.time_in_model_inference",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

//! Keys that people write by hand: `prompt_tokens`, `llm.tokens.input`, `usage`.
//!
//! No scope helps. Of bare keys public code has pre-call estimates, sums of a whole session and
//! counts of characters; they count only under the guard of [`Rule::guarded`].

use super::{Action, Dialect, Reason, Rule};
use crate::genai::field::Field;
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "handwritten";

/// The dialect. Exact names before bare ones: of two spellings the first is believed.
pub static HANDWRITTEN: Dialect = Dialect {
    keys: &[
        Rule::field("llm.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("llm.prompt_tokens", Field::UsageInputTokens),
        Rule::field("llm.input_tokens", Field::UsageInputTokens),
        Rule::field("llm.tokens.input", Field::UsageInputTokens),
        Rule::field("llm.tokens.prompt", Field::UsageInputTokens),
        Rule::field("usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("llm.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::field("llm.completion_tokens", Field::UsageOutputTokens),
        Rule::field("llm.output_tokens", Field::UsageOutputTokens),
        Rule::field("llm.tokens.output", Field::UsageOutputTokens),
        Rule::field("llm.tokens.completion", Field::UsageOutputTokens),
        Rule::field("usage.completion_tokens", Field::UsageOutputTokens),
        Rule::field("llm.tokens.reasoning", Field::UsageReasoningOutputTokens),
        Rule::field("usage.completion_tokens_details.reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::field("usage.prompt_tokens_details.cached_tokens", Field::UsageCacheReadInputTokens),
        Rule::new("llm.usage.total_tokens", Action::Total),
        Rule::new("llm.total_tokens", Action::Total),
        Rule::new("llm.tokens.total", Action::Total),
        Rule::new("usage.total_tokens", Action::Total),
        // A typing error that is in the wild.
        Rule::new("llm_usage.total_tokens", Action::Total),
        Rule::field("llm.model", Field::RequestModel),
        Rule::field("llm.model_name", Field::RequestModel),
        Rule::field("usage.model", Field::RequestModel),
        Rule::mapped("llm.provider", Field::ProviderName, values::PROVIDER),
        Rule::mapped("llm.operation", Field::OperationName, values::OPERATION),
        Rule::field("llm.temperature", Field::RequestTemperature),
        Rule::field("llm.top_p", Field::RequestTopP),
        Rule::field("llm.max_tokens", Field::RequestMaxTokens),
        Rule::field("llm.max_output_tokens", Field::RequestMaxTokens),
        Rule::field("llm.finish_reason", Field::ResponseFinishReasons),
        Rule::guarded("prompt_tokens", Field::UsageInputTokens),
        Rule::guarded("input_tokens", Field::UsageInputTokens),
        Rule::guarded("prompt_token_count", Field::UsageInputTokens),
        Rule::guarded("prompt_eval_count", Field::UsageInputTokens),
        Rule::guarded("completion_tokens", Field::UsageOutputTokens),
        Rule::guarded("output_tokens", Field::UsageOutputTokens),
        Rule::guarded("candidates_token_count", Field::UsageOutputTokens),
        Rule::guarded("eval_count", Field::UsageOutputTokens),
        Rule { guarded: true, ..Rule::new("total_tokens", Action::Total) },
        Rule { guarded: true, ..Rule::new("total_token_count", Action::Total) },
        Rule { guarded: true, ..Rule::new("usage", Action::Usage) },
        Rule::keep("llm.cost_usd", Reason::NoHome),
        Rule::keep("llm.cost.usd", Reason::NoHome),
        Rule::keep("llm.estimated_cost", Reason::NoHome),
        Rule::keep("usage.cost_usd", Reason::NoHome),
        Rule::keep("cost_usd", Reason::NoHome),
        Rule::keep("llm.latency_ms", Reason::NoHome),
    ],
    // The whole usage object comes as the text of a Python dict as often as JSON.
    python: true,
    ..Dialect::new(NAME)
};

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "prompt_tokens",
            "completion_tokens",
            "input_tokens",
            "output_tokens",
            "total_tokens",
            "llm.prompt_tokens",
            "llm.completion_tokens",
            "llm.total_tokens",
            "usage.prompt_tokens",
            "usage.completion_tokens",
            "usage.total_tokens",
            "llm.usage.prompt_tokens",
            "llm.usage.completion_tokens",
            "llm.usage.total_tokens",
            "llm.input_tokens",
            "llm.tokens.input",
            "llm.tokens.prompt",
            "llm.output_tokens",
            "llm.tokens.output",
            "llm.tokens.completion",
            "llm.tokens.total",
            "llm_usage.total_tokens",
            "llm.tokens.reasoning",
            "usage",
            "usage.prompt_tokens_details.cached_tokens",
            "usage.completion_tokens_details.reasoning_tokens",
            "llm.model",
            "llm.model_name",
            "usage.model",
            "llm.provider",
            "llm.temperature",
            "llm.max_tokens",
            "llm.max_output_tokens",
            "llm.top_p",
            "llm.finish_reason",
            "llm.operation",
            "llm.cost_usd",
            "llm.cost.usd",
            "usage.cost_usd",
            "cost_usd",
            "llm.estimated_cost",
            "llm.latency_ms",
            "prompt_token_count",
            "prompt_eval_count",
            "candidates_token_count",
            "eval_count",
            "total_token_count",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

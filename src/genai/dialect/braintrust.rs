//! Braintrust's OpenTelemetry attributes: what a span took, gave and counted, each as one JSON text.
//! Messages stand on spans of type `llm` only.

use super::named::named;
use super::{Action, Dialect, List, Reason, Rule, Tell};
use crate::genai::field::Field;
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "braintrust";

/// The dialect.
pub static BRAINTRUST: Dialect = Dialect {
    tells: &[Tell::scope_prefix("braintrust", 100), Tell::key_prefix("braintrust.", 20)],
    keys: &[
        Rule::new("braintrust.span_attributes", Action::Members(SPAN)),
        Rule::mapped("braintrust.span_attributes.type", Field::OperationName, &TYPE),
        Rule::new("braintrust.metadata", Action::Members(METADATA)),
        Rule::field("braintrust.metadata.model", Field::RequestModel),
        Rule::mapped("braintrust.metadata.provider", Field::ProviderName, values::PROVIDER),
        Rule::new("braintrust.metrics", Action::Members(METRICS)),
        Rule::field("braintrust.metrics.prompt_tokens", Field::UsageInputTokens),
        Rule::field("braintrust.metrics.completion_tokens", Field::UsageOutputTokens),
        Rule::new("braintrust.metrics.tokens", Action::Total),
        Rule::field("braintrust.metrics.prompt_cached_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("braintrust.metrics.prompt_cache_creation_tokens", Field::UsageCacheWriteInputTokens),
        Rule::field("braintrust.metrics.completion_reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::new(
            "braintrust.input_json",
            Action::ByOperation(&[
                ("chat", Action::Messages(List::Input)),
                ("execute_tool", Action::Field(Field::ToolCallArguments)),
            ]),
        ),
        Rule::new(
            "braintrust.output_json",
            Action::ByOperation(&[
                ("chat", Action::Messages(List::Output)),
                ("execute_tool", Action::Field(Field::ToolCallResult)),
            ]),
        ),
        Rule::keep("braintrust.context_json", Reason::NoHome),
        Rule::keep("braintrust.scores", Reason::NoHome),
        Rule::keep("braintrust.expected_json", Reason::NoHome),
        Rule::keep("braintrust.expected", Reason::NoHome),
        Rule::keep("braintrust.tags", Reason::NoHome),
        Rule::keep("braintrust.parent", Reason::NoHome),
        Rule::keep("braintrust.origin", Reason::NoHome),
        Rule::keep("braintrust.project_id", Reason::NoHome),
        Rule::keep("braintrust.org", Reason::NoHome),
    ],
    kept: &[
        ("braintrust.metadata.", Reason::NoHome),
        ("braintrust.metrics.", Reason::NoHome),
        ("braintrust.function.", Reason::NoHome),
        ("braintrust.span_attributes.", Reason::NoHome),
        ("braintrust.", Reason::Unknown),
    ],
    quirk: Some(named),
    ..Dialect::new(NAME)
};

/// Types of spans; those that are no operations of the conventions are named as what they are.
static TYPE: [(&str, Option<&str>); 9] = [
    ("llm", Some("chat")),
    ("tool", Some("execute_tool")),
    ("function", None),
    ("task", None),
    ("score", None),
    ("eval", None),
    ("automation", None),
    ("facet", None),
    ("preprocessor", None),
];

const SPAN: &[Rule] = &[Rule::mapped("type", Field::OperationName, &TYPE)];

const METADATA: &[Rule] = &[
    Rule::field("model", Field::RequestModel),
    Rule::mapped("provider", Field::ProviderName, values::PROVIDER),
    Rule::field("temperature", Field::RequestTemperature),
    Rule::field("top_p", Field::RequestTopP),
    Rule::field("max_tokens", Field::RequestMaxTokens),
    Rule::field("max_completion_tokens", Field::RequestMaxTokens),
    Rule::field("max_output_tokens", Field::RequestMaxTokens),
    Rule::field("frequency_penalty", Field::RequestFrequencyPenalty),
    Rule::field("presence_penalty", Field::RequestPresencePenalty),
    Rule::field("stop", Field::RequestStopSequences),
    Rule::field("seed", Field::RequestSeed),
    Rule::field("n", Field::RequestChoiceCount),
    Rule::field("stream", Field::RequestStream),
    Rule::field("reasoning_effort", Field::RequestReasoningLevel),
    Rule::new("tools", Action::Tools),
];

/// Also when the span started and ended, which it says itself.
const METRICS: &[Rule] = &[
    Rule::field("prompt_tokens", Field::UsageInputTokens),
    Rule::field("completion_tokens", Field::UsageOutputTokens),
    Rule::new("tokens", Action::Total),
    Rule::field("prompt_cached_tokens", Field::UsageCacheReadInputTokens),
    Rule::field("prompt_cache_creation_tokens", Field::UsageCacheWriteInputTokens),
    Rule::field("completion_reasoning_tokens", Field::UsageReasoningOutputTokens),
    Rule::field("prompt_audio_tokens", Field::UsageAudioInputTokens),
    Rule::field("completion_audio_tokens", Field::UsageAudioOutputTokens),
    Rule::field("time_to_first_token", Field::ResponseTimeToFirstChunk),
];

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "braintrust.span_attributes",
            "braintrust.input_json",
            "braintrust.output_json",
            "braintrust.metrics",
            "braintrust.metadata",
            "braintrust.scores",
            "braintrust.expected_json",
            "braintrust.tags",
            "braintrust.parent",
            "braintrust.project_id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
        assert_eq!(unknown(&["braintrust.drift"]), ["braintrust.drift"]);
    }
}

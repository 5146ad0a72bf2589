//! Official OpenTelemetry: every name that the semantic conventions ever had for GenAI, drafts
//! included, from January 2024 to the GenAI repository's main branch.
//!
//! The current names of both targets need no rule here: the index takes them from
//! [`crate::genai::convention`].

use super::{Action, Dialect, EventRule, List, Reason, Rule, Sign, Tell};
use crate::genai::field::Field;
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "otel";

/// The dialect.
pub static OTEL: Dialect = Dialect {
    tells: &[
        Tell { sign: Sign::SchemaScopePrefix("opentelemetry.instrumentation."), weight: 100 },
        Tell::scope("opentelemetry.instrumentation.openai_v2", 100),
        Tell::scope_prefix("opentelemetry.instrumentation.genai.", 100),
        Tell::scope_prefix("opentelemetry.util.genai", 100),
        Tell::key("gen_ai.provider.name", 2),
        Tell::key("gen_ai.operation.name", 1),
        Tell::key_prefix("gen_ai.openai.request.", 1),
    ],
    keys: &[
        // 1.27.0
        Rule::field("gen_ai.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.usage.completion_tokens", Field::UsageOutputTokens),
        // 1.28.0 obsoleted these without a replacement; 1.37.0 gave their content a place.
        Rule::new("gen_ai.prompt", Action::Input),
        Rule::new("gen_ai.completion", Action::Output),
        // 1.30.0, 1.31.0
        Rule::field("gen_ai.openai.request.seed", Field::RequestSeed),
        Rule::mapped("gen_ai.openai.request.response_format", Field::OutputType, values::OUTPUT_TYPE),
        // 1.35.0
        Rule::field("az.namespace", Field::AzureResourceProviderNamespace),
        Rule::field("az.service_request_id", Field::AzureServiceRequestId),
        // 1.37.0
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, &RENAMED_PROVIDER),
        Rule::field("gen_ai.openai.request.service_tier", Field::OpenaiRequestServiceTier),
        Rule::field("gen_ai.openai.response.service_tier", Field::OpenaiResponseServiceTier),
        Rule::field("gen_ai.openai.response.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        // The draft of March 2024.
        Rule::mapped("gen_ai.llm.system", Field::ProviderName, values::PROVIDER),
        Rule::field("gen_ai.llm.request.model", Field::RequestModel),
        Rule::field("gen_ai.llm.request.max_tokens", Field::RequestMaxTokens),
        Rule::field("gen_ai.llm.request.temperature", Field::RequestTemperature),
        Rule::field("gen_ai.llm.request.top_p", Field::RequestTopP),
        Rule::field("gen_ai.llm.response.id", Field::ResponseId),
        Rule::field("gen_ai.llm.response.model", Field::ResponseModel),
        Rule::field("gen_ai.llm.response.finish_reason", Field::ResponseFinishReasons),
        Rule::field("gen_ai.llm.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.llm.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::new("gen_ai.llm.prompt", Action::Input),
        Rule::new("gen_ai.llm.completion", Action::Output),
        // The draft of January 2024.
        Rule::mapped("llm.system", Field::ProviderName, values::PROVIDER),
        Rule::field("llm.request.model", Field::RequestModel),
        Rule::field("llm.request.max_tokens", Field::RequestMaxTokens),
        Rule::field("llm.temperature", Field::RequestTemperature),
        Rule::field("llm.top_p", Field::RequestTopP),
        Rule::field("llm.stream", Field::RequestStream),
        Rule::field("llm.stop_sequences", Field::RequestStopSequences),
        Rule::field("llm.response.id", Field::ResponseId),
        Rule::field("llm.response.model", Field::ResponseModel),
        Rule::field("llm.response.finish_reason", Field::ResponseFinishReasons),
        Rule::field("llm.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("llm.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::new("llm.usage.total_tokens", Action::Total),
        Rule::new("llm.prompt", Action::Input),
        Rule::new("llm.completion", Action::Output),
        Rule::field("llm.openai.presence_penalty", Field::RequestPresencePenalty),
        Rule::field("llm.openai.frequency_penalty", Field::RequestFrequencyPenalty),
        Rule::field("llm.openai.seed", Field::RequestSeed),
        Rule::mapped("llm.openai.response_format", Field::OutputType, values::OUTPUT_TYPE),
        Rule::field("llm.openai.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        // Forms of the cache and reasoning counts that were proposed and are in the wild.
        Rule::field("gen_ai.usage.cache_read_input_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.cache_creation_input_tokens", Field::UsageCacheWriteInputTokens),
        Rule::field("gen_ai.usage.input_tokens.cached", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.input_tokens.cache_write", Field::UsageCacheWriteInputTokens),
        Rule::field("gen_ai.usage.output_tokens.reasoning", Field::UsageReasoningOutputTokens),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        // Content under its current name, which may be in another shape than the current one.
        Rule::new("gen_ai.input.messages", Action::Input),
        Rule::new("gen_ai.output.messages", Action::Output),
        Rule::new("gen_ai.system_instructions", Action::Instructions),
        Rule::new("gen_ai.tool.definitions", Action::Tools),
        Rule::new("gen_ai.retrieval.documents", Action::Documents),
        // Current names that are fields of no target's table because nothing translates to them.
        Rule::keep("gen_ai.conversation.compacted", Reason::Current),
        Rule::keep("gen_ai.request.stream_cursor", Reason::Current),
        Rule::keep("gen_ai.response.status", Reason::Current),
    ],
    events: &[
        // Span events of 1.26.0 and 1.27.0.
        EventRule::message("gen_ai.content.prompt", List::Input, "user", &["gen_ai.prompt"]),
        EventRule::message("gen_ai.content.completion", List::Output, "assistant", &["gen_ai.completion"]),
        // Log events from 1.28.0 to 1.36.0, which some emitters write as span events.
        EventRule::message("gen_ai.system.message", List::Input, "system", MESSAGE),
        EventRule::message("gen_ai.developer.message", List::Input, "developer", MESSAGE),
        EventRule::message("gen_ai.user.message", List::Input, "user", MESSAGE),
        EventRule::message("gen_ai.assistant.message", List::Input, "assistant", MESSAGE),
        EventRule::message("gen_ai.tool.message", List::Input, "tool", MESSAGE),
        EventRule::message("gen_ai.choice", List::Output, "assistant", CHOICE),
    ],
    kept: &[
        ("gen_ai.prompt.variable.", Reason::Current),
        ("gen_ai.memory.", Reason::Current),
        ("gen_ai.evaluation.", Reason::Current),
        ("gen_ai.usage.text.", Reason::Current),
        ("gen_ai.usage.audio.", Reason::Current),
        ("gen_ai.usage.image.", Reason::Current),
        ("gen_ai.", Reason::Unknown),
        ("openai.", Reason::Unknown),
        ("llm.", Reason::Unknown),
    ],
    ..Dialect::new(NAME)
};

/// Members of `gen_ai.system` that were renamed before the key was (1.33.0, 1.35.0, 1.37.0): Google's package
/// writes `gemini` under the new key.
static RENAMED_PROVIDER: [(&str, Option<&str>); 5] = [
    ("gemini", Some("gcp.gemini")),
    ("vertex_ai", Some("gcp.vertex_ai")),
    ("az.ai.inference", Some("azure.ai.inference")),
    ("az.ai.openai", Some("azure.ai.openai")),
    ("xai", Some("x_ai")),
];

const MESSAGE: &[&str] = &["content", "gen_ai.event.content", "tool_calls"];
const CHOICE: &[&str] = &["message", "content", "gen_ai.event.content", "tool_calls"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genai::convention;

    #[test]
    fn no_rule_hides_a_current_name() {
        let names: Vec<_> = convention::ALL.iter().flat_map(|convention| convention.all_names()).collect();
        let hides = |rule: &&Rule| {
            matches!(rule.action, Action::Keep(_)) && names.iter().any(|name| name.attribute == Some(rule.key))
        };
        let rules = super::super::BUILT_IN.iter().flat_map(|dialect| dialect.keys);
        assert_eq!(rules.filter(hides).map(|rule| rule.key).collect::<Vec<_>>(), [""; 0]);
    }
}

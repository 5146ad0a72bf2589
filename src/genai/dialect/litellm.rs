//! LiteLLM, as a library and as a proxy, from 1.40 (June 2024) to the second OpenTelemetry mode of
//! 2026.
//!
//! One release speaks two vocabularies: up to 1.68 the keys of prompts, completions and functions
//! are the literal text of a Python enum (`SpanAttributes.LLM_PROMPTS.0.role`) on Python 3.11 and
//! later, and `gen_ai.prompt.0.role` before. So keys decide, never versions. From 1.82 on the
//! current names hold raw OpenAI messages and LiteLLM's own call types.
//!
//! The child span `raw_gen_ai_request` repeats the call under `llm.{provider}.*`. It must feed
//! neither usage nor messages: its keys are kept, as copies.

use super::{Action, Dialect, Family, List, Piece, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "litellm";

/// The dialect.
pub static LITELLM: Dialect = Dialect {
    tells: &[
        Tell::scope("litellm", 100),
        // A user can rename the tracer, and up to 1.84 the attributes may stand on a span of the
        // application's own.
        Tell::key_prefix("SpanAttributes.", 50),
        Tell::key("hidden_params", 20),
        Tell::key("metadata.user_api_key_hash", 20),
        Tell::key_prefix("litellm.", 20),
        Tell::span_name("litellm_request", 20),
        Tell::span_name("raw_gen_ai_request", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.operation.name", Field::OperationName, values::LITELLM_CALL_TYPE),
        Rule::mapped("llm.request.type", Field::OperationName, values::LITELLM_CALL_TYPE),
        Rule {
            values: Some(values::LITELLM_CALL_TYPE),
            ..Rule::own("llm_request_type", Action::Copy(Field::OperationName))
        },
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::field("llm.is_streaming", Field::RequestStream),
        Rule::new("litellm.request.streaming", Action::Copy(Field::RequestStream)),
        Rule::field("gen_ai.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::new("llm.usage.total_tokens", Action::Total),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        // The only source of cache and reasoning counts in the default mode.
        Rule::new("metadata.usage_object", Action::Usage),
        Rule::new("metadata.api_base", Action::Url),
        // LiteLLM's Langtrace callback, whose key lies: it holds the request's stop sequences.
        Rule::field("gen_ai.response_id", Field::ResponseId),
        Rule::field("gen_ai.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        Rule::mapped("langtrace.service.name", Field::ProviderName, values::PROVIDER),
        Rule::field("llm.response.stop_reason", Field::RequestStopSequences),
        Rule::keep("llm.user", Reason::NoHome),
        Rule::keep("gen_ai.request.id", Reason::NoHome),
        Rule::keep("hidden_params", Reason::NoHome),
        // Bare keys of failures, guardrails and internal spans, which are no LLM calls.
        Rule::keep("error.code", Reason::NoHome),
        Rule::keep("error.message", Reason::NoHome),
        Rule::keep("error.stack_trace", Reason::NoHome),
        Rule::keep("error.llm_provider", Reason::NoHome),
        // A guardrail is no operation of the conventions; it is named as what it is.
        Rule::own("guardrail_name", Action::Marks),
        Rule::keep("guardrail_mode", Reason::NoHome),
        Rule::keep("guardrail_response", Reason::NoHome),
        Rule::keep("masked_entity_count", Reason::NoHome),
        Rule::keep("call_type", Reason::NoHome),
        Rule::keep("service", Reason::NoHome),
        Rule::keep("error", Reason::NoHome),
        Rule::keep("caller", Reason::NoHome),
        // Names of the conventions' early drafts, which are parameters of the raw request here.
        Rule::keep("llm.openai.presence_penalty", Reason::Copy),
        Rule::keep("llm.openai.frequency_penalty", Reason::Copy),
        Rule::keep("llm.openai.seed", Reason::Copy),
        Rule::keep("llm.openai.response_format", Reason::Copy),
        Rule::keep("llm.openai.system_fingerprint", Reason::Copy),
    ],
    families: &[
        Family { prefix: "SpanAttributes.LLM_PROMPTS.", list: List::Input, pieces: PROMPT, unindexed: &[] },
        Family { prefix: "SpanAttributes.LLM_COMPLETIONS.", list: List::Output, pieces: COMPLETION, unindexed: &[] },
        Family { prefix: "SpanAttributes.LLM_REQUEST_FUNCTIONS.", list: List::Tools, pieces: TOOL, unindexed: &[] },
        Family { prefix: "gen_ai.prompt.", list: List::Input, pieces: PROMPT, unindexed: &[] },
        Family { prefix: "gen_ai.completion.", list: List::Output, pieces: COMPLETION, unindexed: &[] },
        Family { prefix: "llm.request.functions.", list: List::Tools, pieces: TOOL, unindexed: &[] },
        Family { prefix: "gen_ai.tool.", list: List::Tools, pieces: TOOL, unindexed: &[] },
    ],
    kept: &[
        ("metadata.", Reason::NoHome),
        ("litellm.", Reason::NoHome),
        ("gen_ai.cost.", Reason::NoHome),
        ("llm.openai.", Reason::Copy),
        ("llm.text-completion-openai.", Reason::Copy),
        ("llm.azure.", Reason::Copy),
        ("llm.azure_ai.", Reason::Copy),
        ("llm.anthropic.", Reason::Copy),
        ("llm.bedrock.", Reason::Copy),
        ("llm.bedrock_converse.", Reason::Copy),
        ("llm.vertex_ai.", Reason::Copy),
        ("llm.vertex_ai_beta.", Reason::Copy),
        ("llm.gemini.", Reason::Copy),
        ("llm.ollama.", Reason::Copy),
        ("llm.ollama_chat.", Reason::Copy),
        ("llm.mistral.", Reason::Copy),
        ("llm.cohere.", Reason::Copy),
        ("llm.cohere_chat.", Reason::Copy),
        ("llm.groq.", Reason::Copy),
        ("llm.deepseek.", Reason::Copy),
        ("llm.huggingface.", Reason::Copy),
        ("llm.hosted_vllm.", Reason::Copy),
        ("llm.openrouter.", Reason::Copy),
        // Where LiteLLM did not know the provider.
        ("llm.None.", Reason::Copy),
        ("llm.Unknown.", Reason::Copy),
    ],
    span_names: &[SpanName::Exact("litellm_request")],
    python: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const PROMPT: &[(&str, Piece)] = &[("role", Piece::Role), ("content", Piece::Content)];

/// Here the number of a function call is the number of the tool call, not of the choice.
const COMPLETION: &[(&str, Piece)] = &[
    ("role", Piece::Role),
    ("content", Piece::Content),
    ("finish_reason", Piece::FinishReason),
    ("function_call.name", Piece::ChoiceCallName),
    ("function_call.arguments", Piece::ChoiceCallArguments),
];

const TOOL: &[(&str, Piece)] =
    &[("name", Piece::ToolName), ("description", Piece::ToolDescription), ("parameters", Piece::ToolParameters)];

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    strip_slug(operation, seen);
    if operation.get(Field::OperationName).is_none() && seen.get("guardrail_name").is_some() {
        operation.named = Some("guardrail".to_owned());
    }
    // Releases before `llm.request.type` write embeddings as calls without an answer.
    let is_said = ["llm.request.type", "gen_ai.operation.name"].iter().any(|key| seen.get(key).is_some());
    let is_embedding = !is_said
        && operation.output.is_absent()
        && [Field::UsageInputTokens, Field::UsageTotalTokens].iter().any(|field| operation.int(*field).is_some())
        && operation.int(Field::UsageOutputTokens).is_none_or(|count| count == 0)
        && operation.text(Field::RequestModel).is_some_and(|model| model.contains("embed"));
    if is_embedding {
        operation.set(Field::OperationName, Scalar::Str("embeddings".into()));
    }
}

/// `ollama/codegemma` answered: the router's prefix goes if it is the provider of this very span, in
/// LiteLLM's word or in the conventions'.
fn strip_slug<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let Some(answered) = operation.text(Field::ResponseModel) else { return };
    let said = ["gen_ai.system", "gen_ai.provider.name"].map(|key| seen.get(key).and_then(|value| value.as_str()));
    let slugs = [said[0], said[1], operation.text(Field::ProviderName)];
    let mut model = answered;
    // All of them at once, for nothing may be left to be stripped another time.
    while let Some(rest) = slugs.iter().flatten().filter(|slug| !slug.is_empty()).find_map(|slug| {
        model.strip_prefix(slug).and_then(|rest| rest.strip_prefix('/')).filter(|rest| !rest.is_empty())
    }) {
        model = rest;
    }
    if model.len() < answered.len() {
        let model = model.to_owned();
        operation.set(Field::ResponseModel, Scalar::Str(model.into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "SpanAttributes.LLM_PROMPTS.0.role",
            "SpanAttributes.LLM_PROMPTS.0.content",
            "SpanAttributes.LLM_COMPLETIONS.0.role",
            "SpanAttributes.LLM_COMPLETIONS.0.content",
            "SpanAttributes.LLM_COMPLETIONS.0.finish_reason",
            "SpanAttributes.LLM_COMPLETIONS.1.function_call.name",
            "SpanAttributes.LLM_COMPLETIONS.1.function_call.arguments",
            "SpanAttributes.LLM_REQUEST_FUNCTIONS.0.name",
            "SpanAttributes.LLM_REQUEST_FUNCTIONS.0.description",
            "SpanAttributes.LLM_REQUEST_FUNCTIONS.0.parameters",
            "gen_ai.prompt.0.role",
            "gen_ai.prompt.0.content",
            "gen_ai.completion.0.role",
            "gen_ai.completion.0.content",
            "gen_ai.completion.0.finish_reason",
            "gen_ai.completion.1.function_call.name",
            "gen_ai.completion.1.function_call.arguments",
            "llm.request.functions.0.name",
            "llm.request.functions.0.description",
            "llm.request.functions.0.parameters",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.total_tokens",
            "gen_ai.usage.total_tokens",
            "gen_ai.system",
            "gen_ai.request.model",
            "gen_ai.response.model",
            "llm.is_streaming",
            "llm.request.type",
            "gen_ai.operation.name",
            "llm.user",
            "gen_ai.input.messages",
            "gen_ai.output.messages",
            "gen_ai.system_instructions",
            "gen_ai.response.finish_reasons",
            "gen_ai.request.id",
            "gen_ai.response.id",
            "gen_ai.cost.input_cost",
            "gen_ai.cost.output_cost",
            "gen_ai.cost.total_cost",
            "gen_ai.cost.tool_usage_cost",
            "gen_ai.cost.original_cost",
            "gen_ai.cost.discount_x",
            "gen_ai.cost.margin_x",
            "gen_ai.cost.cache_x_cost",
            "gen_ai.cost.reasoning_cost",
            "gen_ai.cost.x",
            "hidden_params",
            "metadata.usage_object",
            "metadata.user_api_key_x",
            "metadata.requester_x",
            "metadata.spend_logs_metadata",
            "metadata.applied_guardrails",
            "metadata.x",
            "litellm.call_id",
            "litellm.model_group",
            "litellm.provider.model",
            "litellm.team.x",
            "gen_ai.openai.request.service_tier",
            "gen_ai.openai.response.service_tier",
            "llm.openai.model",
            "llm.openai.stringified_raw_response",
            "error.type",
            "error.code",
            "error.message",
            "error.stack_trace",
            "error.llm_provider",
            "guardrail_name",
            "llm_request_type",
            "guardrail_mode",
            "guardrail_response",
            "masked_entity_count",
            "call_type",
            "service",
            "error",
            "caller",
            "gen_ai.response_id",
            "gen_ai.system_fingerprint",
            "langtrace.service.name",
            "llm.response.stop_reason",
            "gen_ai.tool.0.name",
            "gen_ai.tool.0.description",
            "gen_ai.tool.0.parameters",
            "gen_ai.usage.cache_creation.input_tokens",
            "litellm.cost.x",
            "litellm.metadata.x",
            "litellm.request.streaming",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

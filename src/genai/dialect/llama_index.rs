//! LlamaIndex' own package, `llama-index-observability-otel`. What most people use is OpenInference or
//! OpenLLMetry.
//!
//! What its spans are, their events say: the event of a call's beginning what the model was told, that of
//! its end the provider's answer as it came, member by member. The events stay: they say more than the
//! conventions have words for. A stream's end has no event. Everything else that LlamaIndex does has spans
//! too, and those say nothing of a model. With its option for current names it writes those.

use super::{Action, Dialect, EventRule, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};

/// The dialect's name.
pub const NAME: &str = "llama-index";

const SCOPE: &str = "llamaindex.opentelemetry.tracer";

/// The dialect.
pub static LLAMA_INDEX: Dialect = Dialect {
    tells: &[Tell::scope(SCOPE, 100)],
    events: &[
        EventRule::rules("LLMChatStartEvent", CALL),
        EventRule::rules("LLMChatEndEvent", ANSWER),
        EventRule::rules("EmbeddingStartEvent", CALL),
        EventRule::rules("RetrievalStartEvent", QUERY),
        EventRule::rules("RetrievalEndEvent", FOUND),
    ],
    kept: &[("llama_index.", Reason::NoHome), ("llamaindex.", Reason::NoHome)],
    // `OpenAI.chat`: the class and its method.
    span_names: &[SpanName::InScope(SCOPE)],
    // The answer is the provider's.
    counts_as_provider: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// What a call begins with.
const CALL: &[Rule] = &[
    Rule::new("messages", Action::Input),
    Rule::new("additional_kwargs.tools", Action::Tools),
    Rule::field("model_dict.model_name", Field::RequestModel),
    Rule::field("model_dict.temperature", Field::RequestTemperature),
];

/// The provider's answer: OpenAI's, Anthropic's.
const ANSWER: &[Rule] = &[
    Rule::new("response.raw.choices", Action::Output),
    Rule::new("response.raw.content", Action::Output),
    Rule::field("response.raw.id", Field::ResponseId),
    Rule::field("response.raw.model", Field::ResponseModel),
    Rule::field("response.raw.stop_reason", Field::ResponseFinishReasons),
    Rule::field("response.raw.usage.prompt_tokens", Field::UsageInputTokens),
    Rule::field("response.raw.usage.input_tokens", Field::UsageInputTokens),
    Rule::field("response.raw.usage.completion_tokens", Field::UsageOutputTokens),
    Rule::field("response.raw.usage.output_tokens", Field::UsageOutputTokens),
    Rule::field("response.raw.usage.prompt_tokens_details.cached_tokens", Field::UsageCacheReadInputTokens),
    Rule::field("response.raw.usage.cache_read_input_tokens", Field::UsageCacheReadInputTokens),
    Rule::field("response.raw.usage.cache_creation_input_tokens", Field::UsageCacheWriteInputTokens),
    Rule::field("response.raw.usage.completion_tokens_details.reasoning_tokens", Field::UsageReasoningOutputTokens),
];

const QUERY: &[Rule] = &[Rule::field("str_or_query_bundle.query_str", Field::RetrievalQueryText)];

const FOUND: &[Rule] = &[Rule::new("nodes", Action::Documents)];

/// What the method does, by the end of its name.
const METHODS: &[(&str, &str)] = &[("chat", "chat"), ("embedding", "embeddings"), ("retrieve", "retrieval")];

fn quirk(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let says = |field: Field| operation.get(field).is_some();
    let is_told = says(Field::RequestModel) || says(Field::RetrievalQueryText) || !operation.input.is_absent();
    if !is_told || says(Field::OperationName) {
        return;
    }
    // `get_text_embedding_batch` has more of them.
    let method = seen.name.rsplit('.').next().unwrap_or_default().trim_end_matches("_batch");
    if let Some((_, name)) = METHODS.iter().find(|(end, _)| method.ends_with(end)) {
        operation.set(Field::OperationName, Scalar::Str((*name).into()));
    }
}

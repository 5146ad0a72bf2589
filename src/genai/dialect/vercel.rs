//! Vercel's AI SDK, versions 3 to 7.
//!
//! Until version 6, and in 7 on request, everything is under `ai.`, in the scope `ai` or in that of the
//! application's own tracer: a span around the whole (`ai.generateText`) and one for each call of a model
//! in it (`ai.generateText.doGenerate`), which has a part of the current names besides. The span around
//! says usage too: that of the last step in versions 4 and 5, the sum in streams and later. It is an agent's
//! and not a call's, and its counts stay under the SDK's own names.
//!
//! Version 7 has the scope `gen_ai` and nearly the current names: an operation of its own for each step,
//! and names of metrics as attributes.

use super::{Action, Counts, Dialect, EventRule, List, Piece, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::content::json;
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar, Seen};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "vercel-ai-sdk";

/// The dialect.
pub static VERCEL: Dialect = Dialect {
    tells: &[
        Tell::scope("ai", 100),
        Tell::scope("gen_ai", 100),
        Tell::key("ai.operationId", 60),
        Tell::key_prefix("ai.telemetry.", 20),
        Tell::key_prefix("ai.settings.", 20),
    ],
    keys: &[
        Rule::mapped("ai.operationId", Field::OperationName, &OPERATION),
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &STEP),
        Rule::own("operation.name", Action::Read(repeated)),
        Rule::own("resource.name", Action::Read(repeated)),
        // The name of the place in the application's code: what an agent would be called.
        Rule::new("ai.telemetry.functionId", Action::ByOperation(&[("invoke_agent", Action::Field(Field::AgentName))])),
        Rule::field("ai.telemetry.metadata.sessionId", Field::ConversationId),
        Rule::field("ai.telemetry.metadata.threadId", Field::ConversationId),
        Rule::field("ai.telemetry.metadata.conversationId", Field::ConversationId),
        Rule::field("ai.telemetry.metadata.userId", Field::UserId),
        Rule::field("ai.model.id", Field::RequestModel),
        Rule::new("ai.model.provider", Action::Read(provider)),
        Rule::new("gen_ai.system", Action::Read(provider)),
        Rule::new("ai.prompt", Action::Members(PROMPT)),
        Rule::new("ai.prompt.messages", Action::Input),
        Rule::new("ai.prompt.tools", Action::Tools),
        Rule::keep("ai.prompt.toolChoice", Reason::NoHome),
        Rule::new("ai.prompt.format", Action::Read(repeated)),
        Rule::new("ai.schema", Action::Read(schema)),
        Rule::new("ai.schema.name", Action::Read(schema)),
        Rule::new("ai.schema.description", Action::Read(schema)),
        Rule::mapped("ai.settings.output", Field::OutputType, &OUTPUT),
        Rule::field("ai.settings.maxOutputTokens", Field::RequestMaxTokens),
        Rule::field("ai.settings.maxTokens", Field::RequestMaxTokens),
        Rule::field("ai.settings.temperature", Field::RequestTemperature),
        Rule::field("ai.settings.topP", Field::RequestTopP),
        Rule::field("ai.settings.topK", Field::RequestTopK),
        Rule::field("ai.settings.frequencyPenalty", Field::RequestFrequencyPenalty),
        Rule::field("ai.settings.presencePenalty", Field::RequestPresencePenalty),
        Rule::field("ai.settings.seed", Field::RequestSeed),
        Rule::field("ai.settings.stopSequences", Field::RequestStopSequences),
        Rule::new("ai.response.reasoning", Action::Piece(List::Output, Piece::Reasoning)),
        Rule::new("ai.response.text", Action::Piece(List::Output, Piece::Content)),
        Rule::new("ai.response.object", Action::Piece(List::Output, Piece::Block("text"))),
        Rule::new("ai.response.files", Action::Piece(List::Output, Piece::Blocks)),
        Rule::new("ai.response.toolCalls", Action::Piece(List::Output, Piece::Calls)),
        // Before version 4.
        Rule::new("ai.result.text", Action::Piece(List::Output, Piece::Content)),
        Rule::new("ai.result.object", Action::Piece(List::Output, Piece::Block("text"))),
        Rule::new("ai.result.toolCalls", Action::Piece(List::Output, Piece::Calls)),
        Rule::field("ai.response.finishReason", Field::ResponseFinishReasons),
        Rule::field("ai.finishReason", Field::ResponseFinishReasons),
        Rule::field("ai.response.id", Field::ResponseId),
        Rule::field("ai.response.model", Field::ResponseModel),
        Rule::new("ai.response.msToFirstChunk", Action::Read(first_chunk)),
        Rule::field("gen_ai.client.operation.time_to_first_chunk", Field::ResponseTimeToFirstChunk),
        Rule::keep("ai.response.timestamp", Reason::NoHome),
        Rule::keep("ai.response.msToFinish", Reason::NoHome),
        Rule::keep("ai.response.avgOutputTokensPerSecond", Reason::NoHome),
        Rule::keep("ai.response.avgCompletionTokensPerSecond", Reason::NoHome),
        Rule::keep("ai.stream.msToFirstChunk", Reason::NoHome),
        Rule::new("ai.usage.inputTokens", Action::ByOperation(INPUT_TOKENS)),
        Rule::new("ai.usage.promptTokens", Action::ByOperation(INPUT_TOKENS)),
        Rule::new("ai.usage.tokens", Action::ByOperation(INPUT_TOKENS)),
        Rule::new("ai.usage.outputTokens", Action::ByOperation(OUTPUT_TOKENS)),
        Rule::new("ai.usage.completionTokens", Action::ByOperation(OUTPUT_TOKENS)),
        Rule::new("ai.usage.totalTokens", Action::ByOperation(&[("chat", Action::Total)])),
        Rule::new("ai.usage.inputTokenDetails.cacheReadTokens", Action::ByOperation(CACHE_READ_TOKENS)),
        Rule::new("ai.usage.cachedInputTokens", Action::ByOperation(CACHE_READ_TOKENS)),
        Rule::new(
            "ai.usage.inputTokenDetails.cacheWriteTokens",
            Action::ByOperation(&[("chat", Action::Field(Field::UsageCacheWriteInputTokens))]),
        ),
        Rule::keep("ai.usage.inputTokenDetails.noCacheTokens", Reason::NoHome),
        Rule::new("ai.usage.outputTokenDetails.reasoningTokens", Action::ByOperation(REASONING_TOKENS)),
        Rule::new("ai.usage.reasoningTokens", Action::ByOperation(REASONING_TOKENS)),
        Rule::new(
            "ai.usage.outputTokenDetails.textTokens",
            Action::ByOperation(&[("chat", Action::Field(Field::UsageTextOutputTokens))]),
        ),
        // After the counts of the SDK's own.
        Rule::new("ai.response.providerMetadata", Action::ByOperation(&[("chat", Action::Members(PROVIDER_METADATA))])),
        Rule::keep("ai.value", Reason::NoHome),
        Rule::keep("ai.values", Reason::NoHome),
        Rule::new("ai.embedding", Action::Read(vector)),
        Rule::new("ai.embeddings", Action::Read(vector)),
        Rule::field("ai.toolCall.name", Field::ToolName),
        Rule::field("ai.toolCall.id", Field::ToolCallId),
        Rule::field("ai.toolCall.args", Field::ToolCallArguments),
        Rule::field("ai.toolCall.result", Field::ToolCallResult),
        Rule::keep("ai.documents", Reason::NoHome),
        Rule::keep("ai.ranking", Reason::NoHome),
        // Metrics, as attributes of a span.
        Rule::keep("gen_ai.client.operation.duration", Reason::NoHome),
        Rule::keep("gen_ai.client.operation.time_per_output_chunk", Reason::NoHome),
        Rule::keep("gen_ai.execute_tool.duration", Reason::NoHome),
    ],
    events: &[EventRule::rules(
        "ai.stream.firstChunk",
        &[Rule::new("ai.response.msToFirstChunk", Action::Read(first_chunk))],
    )],
    kept: &[
        ("ai.", Reason::Unknown),
        ("ai.settings.", Reason::NoHome),
        ("ai.telemetry.metadata.", Reason::NoHome),
        ("ai.request.headers.", Reason::NoHome),
        ("ai.ranking.", Reason::NoHome),
    ],
    span_names: &[
        SpanName::Suffix(".doGenerate"),
        SpanName::Suffix(".doStream"),
        SpanName::Suffix(".doEmbed"),
        SpanName::Suffix(".doRerank"),
        SpanName::Exact("ai.toolCall"),
        SpanName::With("ai.", "ai.telemetry.functionId"),
        // Version 7 calls it by its model.
        SpanName::With("invoke_agent ", "gen_ai.agent.name"),
    ],
    counts: Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// `ai.operationId`. The spans around embeddings and reranking repeat the one inside.
static OPERATION: [(&str, Option<&str>); 13] = [
    ("ai.generateText.doGenerate", Some("chat")),
    ("ai.streamText.doStream", Some("chat")),
    ("ai.generateObject.doGenerate", Some("chat")),
    ("ai.streamObject.doStream", Some("chat")),
    ("ai.generateText", Some("invoke_agent")),
    ("ai.streamText", Some("invoke_agent")),
    ("ai.generateObject", Some("invoke_agent")),
    ("ai.streamObject", Some("invoke_agent")),
    ("ai.toolCall", Some("execute_tool")),
    ("ai.embed.doEmbed", Some("embeddings")),
    ("ai.embedMany.doEmbed", Some("embeddings")),
    ("ai.rerank.doRerank", Some("rerank")),
    ("ai.*", None),
];

/// Version 7's span around one step of an agent: nothing that a target has a word for.
static STEP: [(&str, Option<&str>); 1] = [("agent_step", None)];

/// `ai.settings.output`.
static OUTPUT: [(&str, Option<&str>); 6] = [
    ("object", Some("json")),
    ("array", Some("json")),
    ("enum", Some("json")),
    ("no-schema", Some("json")),
    ("json", Some("json")),
    ("text", Some("text")),
];

/// Providers of the SDK, `PROVIDER.API`, where what stands before the dot is not the word.
static PROVIDER: [(&str, Option<&str>); 14] = [
    ("azure-openai*", Some("azure.ai.openai")),
    ("azure.*", Some("azure.ai.openai")),
    ("google.vertex*", Some("gcp.vertex_ai")),
    ("google-vertex*", Some("gcp.vertex_ai")),
    ("vertex.*", Some("gcp.vertex_ai")),
    ("google.generative-ai*", Some("gcp.gemini")),
    ("amazon-bedrock*", Some("aws.bedrock")),
    ("bedrock.*", Some("aws.bedrock")),
    ("grok*", Some("x_ai")),
    ("moonshotai*", Some("moonshot_ai")),
    ("togetherai*", Some("together_ai")),
    ("fireworks*", Some("fireworks_ai")),
    ("unknown", None),
    ("", None),
];

/// What the whole was asked: one of prompt and messages, and instructions apart from them.
const PROMPT: &[Rule] = &[
    Rule::new("", Action::Input),
    Rule::new("system", Action::Instructions),
    Rule::new("instructions", Action::Instructions),
    Rule::new("prompt", Action::Input),
    Rule::new("messages", Action::Input),
];

const INPUT_TOKENS: &[(&str, Action)] =
    &[("chat", Action::Field(Field::UsageInputTokens)), ("embeddings", Action::Field(Field::UsageInputTokens))];
const OUTPUT_TOKENS: &[(&str, Action)] = &[("chat", Action::Field(Field::UsageOutputTokens))];
const CACHE_READ_TOKENS: &[(&str, Action)] = &[("chat", Action::Field(Field::UsageCacheReadInputTokens))];
const REASONING_TOKENS: &[(&str, Action)] = &[("chat", Action::Field(Field::UsageReasoningOutputTokens))];

/// Counts that version 4 has nowhere else.
const PROVIDER_METADATA: &[Rule] = &[
    Rule::keep("", Reason::NoHome),
    Rule::new("openai.cachedPromptTokens", Action::Copy(Field::UsageCacheReadInputTokens)),
    Rule::new("openai.reasoningTokens", Action::Copy(Field::UsageReasoningOutputTokens)),
    Rule::new("azure.cachedPromptTokens", Action::Copy(Field::UsageCacheReadInputTokens)),
    Rule::new("azure.reasoningTokens", Action::Copy(Field::UsageReasoningOutputTokens)),
    Rule::new("anthropic.cacheReadInputTokens", Action::Copy(Field::UsageCacheReadInputTokens)),
    Rule::new("anthropic.cacheCreationInputTokens", Action::Copy(Field::UsageCacheWriteInputTokens)),
    Rule::new("google.usageMetadata.cachedContentTokenCount", Action::Copy(Field::UsageCacheReadInputTokens)),
    Rule::new("google.usageMetadata.thoughtsTokenCount", Action::Copy(Field::UsageReasoningOutputTokens)),
    Rule::new("openai.serviceTier", Action::Copy(Field::OpenaiResponseServiceTier)),
];

/// Says once more what stands in other keys.
fn repeated<'a>(_: &mut Operation<'a>, _: &Value<'a>) -> Verdict {
    Verdict::Discarded(Reason::Copy)
}

/// `openai.chat`, `google.generative-ai`, `cerebras.chat`.
fn provider<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(word) = value.as_str() else { return Verdict::Kept(Reason::Uncoercible) };
    let before_dot = word.split('.').next().unwrap_or_default();
    let provider = match values::look(&PROVIDER, word) {
        Mapped::To(provider) => provider.to_owned(),
        Mapped::Nothing => return Verdict::Discarded(Reason::Empty),
        Mapped::Unknown => match values::look(values::PROVIDER, before_dot) {
            // A current word, which may have a dot.
            _ if matches!(values::look(values::PROVIDER, word), Mapped::To(to) if to == word) => word.to_owned(),
            Mapped::To(provider) => provider.to_owned(),
            Mapped::Nothing => return Verdict::Discarded(Reason::Empty),
            Mapped::Unknown => before_dot.trim().to_ascii_lowercase(),
        },
    };
    match operation.offer(Field::ProviderName, Scalar::Str(provider.into())) {
        Offered::Conflict => Verdict::Kept(Reason::Conflict),
        Offered::Taken | Offered::Equal => Verdict::Expressed,
    }
}

/// A schema for the answer was given: the answer is JSON.
fn schema<'a>(operation: &mut Operation<'a>, _: &Value<'a>) -> Verdict {
    operation.offer(Field::OutputType, Scalar::Str("json".into()));
    Verdict::Kept(Reason::SaysMore)
}

/// Milliseconds; only a stream has chunks. The event that says them once more stays: it shows when.
fn first_chunk<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let milliseconds = match value {
        Value::Double(number) if number.is_finite() && *number >= 0.0 => *number,
        Value::Int(number) if *number >= 0 => *number as f64,
        _ => return Verdict::Kept(Reason::Uncoercible),
    };
    operation.offer(Field::RequestStream, Scalar::Bool(true));
    match operation.offer(Field::ResponseTimeToFirstChunk, Scalar::Double(milliseconds / 1000.0)) {
        Offered::Conflict => Verdict::Kept(Reason::Conflict),
        Offered::Equal => Verdict::Kept(Reason::SaysMore),
        Offered::Taken => Verdict::Expressed,
    }
}

/// A vector as JSON, or a list of them.
fn vector<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let dimensions = |text: &str| {
        let vector = json::parse(text).filter(|node| node.is_array())?;
        let is_vector = vector.elements().all(|node| node.kind() == json::Kind::Number);
        i64::try_from(vector.elements().count()).ok().filter(|count| is_vector && *count > 0)
    };
    let count = match value {
        Value::Str(text) => dimensions(text),
        Value::Array(list) => list.iter().next().and_then(|first| first.as_str().and_then(dimensions)),
        _ => None,
    };
    if let Some(count) = count {
        operation.offer(Field::EmbeddingsDimensionCount, Scalar::Int(count));
    }
    Verdict::Kept(Reason::SaysMore)
}

/// What the name of the function says of a call: whether it is streamed, and whether it answers with an
/// object.
fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    // What nothing names may still be inferred to be a chat.
    if operation.text(Field::OperationName).is_some_and(|name| name != "chat") || operation.named.is_some() {
        return;
    }
    let function = seen.get("ai.operationId").and_then(Value::as_str).unwrap_or(seen.name);
    if function.ends_with(".doStream") || operation.get(Field::ResponseTimeToFirstChunk).is_some() {
        operation.offer(Field::RequestStream, Scalar::Bool(true));
    }
    if function.ends_with("Object.doGenerate") || function.ends_with("Object.doStream") {
        operation.offer(Field::OutputType, Scalar::Str("json".into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "ai.operationId",
            "operation.name",
            "resource.name",
            "ai.telemetry.functionId",
            "ai.telemetry.metadata.sessionId",
            "ai.telemetry.metadata.threadId",
            "ai.telemetry.metadata.conversationId",
            "ai.telemetry.metadata.userId",
            "ai.telemetry.metadata.tier",
            "ai.model.id",
            "ai.model.provider",
            "gen_ai.system",
            "gen_ai.request.model",
            "gen_ai.request.top_k",
            "gen_ai.response.finish_reasons",
            "ai.prompt",
            "ai.prompt.messages",
            "ai.prompt.tools",
            "ai.prompt.toolChoice",
            "ai.prompt.format",
            "ai.schema",
            "ai.schema.name",
            "ai.schema.description",
            "ai.settings.output",
            "ai.settings.maxOutputTokens",
            "ai.settings.maxTokens",
            "ai.settings.temperature",
            "ai.settings.topP",
            "ai.settings.topK",
            "ai.settings.frequencyPenalty",
            "ai.settings.presencePenalty",
            "ai.settings.seed",
            "ai.settings.stopSequences",
            "ai.settings.maxRetries",
            "ai.settings.maxSteps",
            "ai.settings.mode",
            "ai.settings.context.a",
            "ai.request.headers.user-agent",
            "ai.response.text",
            "ai.response.reasoning",
            "ai.response.object",
            "ai.response.toolCalls",
            "ai.response.files",
            "ai.response.finishReason",
            "ai.response.id",
            "ai.response.model",
            "ai.response.timestamp",
            "ai.response.providerMetadata",
            "ai.response.msToFirstChunk",
            "ai.response.msToFinish",
            "ai.response.avgOutputTokensPerSecond",
            "ai.response.avgCompletionTokensPerSecond",
            "ai.result.text",
            "ai.result.object",
            "ai.result.toolCalls",
            "ai.usage.promptTokens",
            "ai.usage.completionTokens",
            "ai.usage.inputTokens",
            "ai.usage.outputTokens",
            "ai.usage.totalTokens",
            "ai.usage.reasoningTokens",
            "ai.usage.cachedInputTokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
            "ai.usage.inputTokenDetails.noCacheTokens",
            "ai.usage.outputTokenDetails.reasoningTokens",
            "ai.usage.outputTokenDetails.textTokens",
            "ai.usage.tokens",
            "ai.value",
            "ai.values",
            "ai.embedding",
            "ai.embeddings",
            "ai.toolCall.name",
            "ai.toolCall.id",
            "ai.toolCall.args",
            "ai.toolCall.result",
            "ai.documents",
            "ai.ranking",
            "gen_ai.operation.name",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.client.operation.duration",
            "gen_ai.client.operation.time_to_first_chunk",
            "gen_ai.client.operation.time_per_output_chunk",
            "gen_ai.execute_tool.duration",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

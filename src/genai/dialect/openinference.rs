//! OpenInference by Arize: Python, JavaScript and Java.
//!
//! Everything stands in flattened keys, and most of it once more as a raw request and answer in
//! `input.value` and `output.value`, of which the meaning depends on the kind of the span. Only the raw
//! answer has its id, by which a call is known that another instrumentation saw in another trace.
//! `llm.model_name` is the model that answered, if one did; which was asked for is a parameter.
//!
//! With `OPENINFERENCE_ENABLE_GENAI_SEMCONV` the current names stand beside all this, without
//! reasoning counts and with less of the messages.

use std::borrow::Cow;

use super::{Action, Dialect, EventRule, Family, List, Piece, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::content::json;
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar, Seen};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "openinference";

/// The dialect.
pub static OPENINFERENCE: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("openinference.instrumentation", 100),
        Tell::scope_prefix("@arizeai/openinference", 100),
        Tell::scope_prefix("com.arize", 100),
        // Spans of an application's own tracer.
        Tell::key("openinference.span.kind", 60),
        Tell::key_prefix("llm.input_messages.", 20),
        Tell::key_prefix("llm.output_messages.", 20),
        Tell::key_prefix("llm.token_count.", 20),
        Tell::key_prefix("embedding.embeddings.", 20),
    ],
    keys: &[
        Rule::mapped("openinference.span.kind", Field::OperationName, &KIND),
        Rule::field("llm.request.model_name", Field::RequestModel),
        Rule::field("llm.response.model_name", Field::ResponseModel),
        Rule::new("llm.model_name", Action::Read(model_name)),
        Rule::field("embedding.model_name", Field::RequestModel),
        Rule::field("reranker.model_name", Field::RequestModel),
        // In this order: the one says who serves the model, the other who made it.
        Rule::new("llm.provider", Action::Read(provider)),
        Rule::new("llm.system", Action::Read(system)),
        Rule::field("llm.finish_reason", Field::ResponseFinishReasons),
        Rule::field("llm.token_count.prompt", Field::UsageInputTokens),
        Rule::field("llm.token_count.completion", Field::UsageOutputTokens),
        Rule::new("llm.token_count.total", Action::Total),
        Rule::field("llm.token_count.prompt_details.cache_read", Field::UsageCacheReadInputTokens),
        Rule::field("llm.token_count.prompt_details.cache_input", Field::UsageCacheReadInputTokens),
        Rule::field("llm.token_count.prompt_details.cache_write", Field::UsageCacheWriteInputTokens),
        Rule::field("llm.token_count.prompt_details.audio", Field::UsageAudioInputTokens),
        Rule::field("llm.token_count.completion_details.reasoning", Field::UsageReasoningOutputTokens),
        Rule::field("llm.token_count.completion_details.audio", Field::UsageAudioOutputTokens),
        Rule::new("llm.invocation_parameters", Action::Members(&PARAMETERS)),
        Rule::new("embedding.invocation_parameters", Action::Members(&PARAMETERS)),
        // LlamaIndex's completions: a list of texts.
        Rule::new("llm.prompts", Action::Input),
        Rule::new("llm.function_call", Action::Piece(List::Output, Piece::Calls)),
        Rule::own("tool.name", Action::Field(Field::ToolName)),
        Rule::own("tool.description", Action::Field(Field::ToolDescription)),
        Rule::own("tool.id", Action::Field(Field::ToolCallId)),
        Rule::own("tool_call.id", Action::Field(Field::ToolCallId)),
        Rule::own("tool.json_schema", Action::Tools),
        Rule::own("agent.name", Action::Field(Field::AgentName)),
        Rule::own("session.id", Action::Copy(Field::ConversationId)),
        Rule::own("metadata", Action::Members(METADATA)),
        Rule::own("input.value", Action::ByOperation(INPUT)),
        Rule::own("output.value", Action::ByOperation(OUTPUT)),
        // Before the messages and after the raw input: it may be the arguments or their schema.
        Rule::own("tool.parameters", Action::ByOperation(&[("", Action::Read(parameters))])),
        Rule::own("input.mime_type", Action::ByOperation(MIME_TYPE)),
        Rule::own("output.mime_type", Action::ByOperation(MIME_TYPE)),
        Rule::own("prompt.id", Action::Field(Field::PromptName)),
        Rule::field("llm.prompt_template.version", Field::PromptVersion),
        Rule::new("llm.prompt_template.variables", Action::Variables),
        Rule::keep("llm.prompt_template.template", Reason::NoHome),
        Rule::keep("reranker.query", Reason::NoHome),
        Rule::keep("reranker.top_k", Reason::NoHome),
        Rule::keep("embedding.text", Reason::NoHome),
        Rule::keep("embedding.vector", Reason::NoHome),
        Rule::own("prompt.vendor", Action::Keep(Reason::NoHome)),
        Rule::own("prompt.url", Action::Keep(Reason::NoHome)),
        Rule::own("tag.tags", Action::Keep(Reason::NoHome)),
    ],
    families: &[
        Family { prefix: "llm.input_messages.", list: List::Input, pieces: MESSAGE, unindexed: &[] },
        Family { prefix: "llm.output_messages.", list: List::Output, pieces: MESSAGE, unindexed: &[] },
        Family {
            prefix: "llm.prompts.",
            list: List::Input,
            pieces: &[("prompt.text", Piece::UserText)],
            unindexed: &[],
        },
        Family {
            prefix: "llm.choices.",
            list: List::Output,
            pieces: &[("completion.text", Piece::Content)],
            unindexed: &[],
        },
        Family {
            prefix: "llm.tools.",
            list: List::Tools,
            pieces: &[
                ("tool.json_schema", Piece::ToolJson),
                ("tool.name", Piece::ToolName),
                ("tool.description", Piece::ToolDescription),
                ("tool.parameters", Piece::ToolParameters),
            ],
            unindexed: &[],
        },
        Family { prefix: "retrieval.documents.", list: List::Documents, pieces: DOCUMENT, unindexed: &[] },
        Family { prefix: "reranker.output_documents.", list: List::Documents, pieces: DOCUMENT, unindexed: &[] },
        Family {
            prefix: "embedding.embeddings.",
            list: List::Documents,
            pieces: &[("embedding.vector", Piece::Vector), ("embedding.text", Piece::Keep(Reason::NoHome))],
            unindexed: &[],
        },
    ],
    events: &[EventRule::chunk("First Token Stream Event")],
    kept: &[
        ("openinference.", Reason::Unknown),
        ("embedding.", Reason::Unknown),
        ("reranker.", Reason::Unknown),
        ("reranker.input_documents.", Reason::NoHome),
        ("llm.cost.", Reason::NoHome),
        ("graph.node.", Reason::NoHome),
        ("evaluations.", Reason::NoHome),
        ("annotations.", Reason::NoHome),
    ],
    // `ChatCompletion`, `OpenAI Chat Completions`, the class of a LangChain model: each package has its
    // own. An application's tracer gives names of its own, which stay.
    span_names: &[
        SpanName::InScope("openinference.instrumentation"),
        SpanName::InScope("@arizeai/openinference"),
        SpanName::InScope("com.arize"),
    ],
    python: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const MESSAGE: &[(&str, Piece)] = &[
    ("message.role", Piece::Role),
    ("message.name", Piece::Name),
    ("message.content", Piece::Content),
    ("message.tool_call_id", Piece::ToolCallId),
    ("message.finish_reason", Piece::FinishReason),
    ("message.function_call_name", Piece::CallName),
    ("message.function_call_arguments_json", Piece::CallArguments),
    ("message.tool_calls.#.tool_call.id", Piece::CallId),
    ("message.tool_calls.#.tool_call.function.name", Piece::CallName),
    ("message.tool_calls.#.tool_call.function.arguments", Piece::CallArguments),
    // Gemini's, which must come back with the call.
    ("message.tool_calls.#.tool_call.reasoning_signature", Piece::CallMember("reasoning_signature")),
    // AutoGen's results of functions.
    ("function.#", Piece::BlockJson),
    ("message.contents.#.message_content.type", Piece::Block("type")),
    ("message.contents.#.message_content.text", Piece::Block("text")),
    ("message.contents.#.message_content.image.image.url", Piece::Block("url")),
    ("message.contents.#.message_content.audio.audio.url", Piece::Block("url")),
    ("message.contents.#.message_content.audio.audio.mime_type", Piece::Block("mime_type")),
    ("message.contents.#.message_content.audio.audio.transcript", Piece::Block("transcript")),
    ("message.contents.#.message_content.id", Piece::Block("id")),
    ("message.contents.#.message_content.signature", Piece::Block("signature")),
    ("message.contents.#.message_content.data", Piece::Block("data")),
    ("message.contents.#.message_content.encrypted_content", Piece::Block("encrypted_content")),
    // A call among the contents: its members are those of Anthropic's block of the same type.
    ("message.contents.#.tool_call.id", Piece::Block("id")),
    ("message.contents.#.tool_call.function.name", Piece::Block("name")),
    ("message.contents.#.tool_call.function.arguments", Piece::Block("input")),
    ("message.contents.#.message_content.tool_call.id", Piece::Block("id")),
    ("message.contents.#.message_content.tool_call.function.name", Piece::Block("name")),
    ("message.contents.#.message_content.tool_call.function.arguments", Piece::Block("input")),
];

const DOCUMENT: &[(&str, Piece)] = &[
    ("document.id", Piece::DocumentId),
    ("document.score", Piece::DocumentScore),
    ("document.content", Piece::DocumentContent),
    ("document.metadata", Piece::DocumentMetadata),
];

/// `openinference.span.kind`.
static KIND: [(&str, Option<&str>); 11] = [
    ("LLM", Some("chat")),
    ("EMBEDDING", Some("embeddings")),
    ("RETRIEVER", Some("retrieval")),
    ("RERANKER", Some("rerank")),
    ("TOOL", Some("execute_tool")),
    ("AGENT", Some("invoke_agent")),
    ("CHAIN", None),
    ("GUARDRAIL", None),
    ("EVALUATOR", None),
    ("PROMPT", None),
    ("UNKNOWN", None),
];

/// `llm.provider` and `llm.system`, as far as other emitters mean something else by the word.
static PROVIDER: [(&str, Option<&str>); 2] = [("azure", Some("azure.ai.inference")), ("amazon", Some("aws.bedrock"))];

/// The parameters of a request, under the names of several APIs.
pub(super) const PARAMETERS: [Rule; 49] = [
    Rule::field("model", Field::RequestModel),
    Rule::field("model_name", Field::RequestModel),
    Rule::field("model_id", Field::RequestModel),
    Rule::field("modelId", Field::RequestModel),
    Rule::field("temperature", Field::RequestTemperature),
    Rule::field("generationConfig.temperature", Field::RequestTemperature),
    Rule::field("inferenceConfig.temperature", Field::RequestTemperature),
    Rule::field("top_p", Field::RequestTopP),
    Rule::field("generationConfig.topP", Field::RequestTopP),
    Rule::field("inferenceConfig.topP", Field::RequestTopP),
    Rule::field("top_k", Field::RequestTopK),
    Rule::field("generationConfig.topK", Field::RequestTopK),
    Rule::field("max_tokens", Field::RequestMaxTokens),
    Rule::field("max_completion_tokens", Field::RequestMaxTokens),
    Rule::field("max_output_tokens", Field::RequestMaxTokens),
    Rule::field("generationConfig.maxOutputTokens", Field::RequestMaxTokens),
    Rule::field("inferenceConfig.maxTokens", Field::RequestMaxTokens),
    Rule::field("frequency_penalty", Field::RequestFrequencyPenalty),
    Rule::field("generationConfig.frequencyPenalty", Field::RequestFrequencyPenalty),
    Rule::field("presence_penalty", Field::RequestPresencePenalty),
    Rule::field("generationConfig.presencePenalty", Field::RequestPresencePenalty),
    Rule::field("stop", Field::RequestStopSequences),
    Rule::field("stop_sequences", Field::RequestStopSequences),
    Rule::field("generationConfig.stopSequences", Field::RequestStopSequences),
    Rule::field("inferenceConfig.stopSequences", Field::RequestStopSequences),
    Rule::field("seed", Field::RequestSeed),
    // Mistral's.
    Rule::field("random_seed", Field::RequestSeed),
    Rule::field("generationConfig.seed", Field::RequestSeed),
    Rule::field("n", Field::RequestChoiceCount),
    Rule::field("stream", Field::RequestStream),
    Rule::field("reasoning_effort", Field::RequestReasoningLevel),
    Rule::field("reasoning.effort", Field::RequestReasoningLevel),
    Rule::mapped("response_format.type", Field::OutputType, values::OUTPUT_TYPE),
    Rule::mapped("text.format.type", Field::OutputType, values::OUTPUT_TYPE),
    Rule::field("encoding_format", Field::RequestEncodingFormats),
    Rule::field("dimensions", Field::EmbeddingsDimensionCount),
    Rule::new("tools", Action::Tools),
    // Bedrock: the parameters of `Converse` by themselves, and those of the models behind `InvokeModel`.
    Rule::field("topP", Field::RequestTopP),
    Rule::field("maxTokens", Field::RequestMaxTokens),
    Rule::field("stopSequences", Field::RequestStopSequences),
    Rule::field("textGenerationConfig.temperature", Field::RequestTemperature),
    Rule::field("textGenerationConfig.topP", Field::RequestTopP),
    Rule::field("textGenerationConfig.maxTokenCount", Field::RequestMaxTokens),
    Rule::field("textGenerationConfig.stopSequences", Field::RequestStopSequences),
    Rule::field("max_new_tokens", Field::RequestMaxTokens),
    Rule::field("max_gen_len", Field::RequestMaxTokens),
    Rule::field("max_tokens_to_sample", Field::RequestMaxTokens),
    // Cohere's.
    Rule::field("p", Field::RequestTopP),
    Rule::field("k", Field::RequestTopK),
];

/// A raw request: its parameters and the messages. A text is one user's.
static REQUEST: [Rule; 56] = joined(
    PARAMETERS,
    [
        Rule::new("", Action::Input),
        Rule::new("messages", Action::Input),
        // LangChain's record of its message objects, of which the messages are a part.
        Rule::keep("messages.0.0.lc", Reason::Copy),
        Rule::new("contents", Action::Input),
        Rule::new("input", Action::Input),
        Rule::new("prompt", Action::Input),
        Rule::field("service_tier", Field::OpenaiRequestServiceTier),
    ],
);

/// A raw request for embeddings. What is embedded has no home.
static EMBEDDINGS_REQUEST: [Rule; 50] = joined(PARAMETERS, [Rule::keep("", Reason::NoHome)]);

const fn joined<const A: usize, const B: usize, const C: usize>(one: [Rule; A], other: [Rule; B]) -> [Rule; C] {
    let mut all = [Rule::keep("", Reason::NoHome); C];
    let mut place = 0;
    while place < C {
        all[place] = if place < A { one[place] } else { other[place - A] };
        place += 1;
    }
    all
}

/// A raw answer of OpenAI (chat, completions, responses), Anthropic or Gemini, and the records of
/// LangChain and LlamaIndex that hold one. Its counts are taken only where no key says any.
const ANSWER: &[Rule] = &[
    Rule::new("", Action::Output),
    Rule::new("choices", Action::Output),
    Rule::new("output", Action::Output),
    Rule::new("content", Action::Output),
    Rule::new("candidates", Action::Output),
    Rule::new("generations", Action::Output),
    Rule::new("message", Action::Output),
    Rule::new("raw.choices", Action::Output),
    Rule::field("id", Field::ResponseId),
    Rule::field("responseId", Field::ResponseId),
    Rule::field("response_id", Field::ResponseId),
    Rule::field("llm_output.id", Field::ResponseId),
    Rule::field("generations.0.0.message.kwargs.response_metadata.id", Field::ResponseId),
    Rule::field("raw.id", Field::ResponseId),
    Rule::field("model", Field::ResponseModel),
    Rule::field("modelVersion", Field::ResponseModel),
    Rule::field("model_version", Field::ResponseModel),
    Rule::field("raw.model", Field::ResponseModel),
    Rule::field("service_tier", Field::OpenaiResponseServiceTier),
    Rule::field("llm_output.service_tier", Field::OpenaiResponseServiceTier),
    Rule::field("raw.service_tier", Field::OpenaiResponseServiceTier),
    Rule::field("system_fingerprint", Field::OpenaiResponseSystemFingerprint),
    Rule::field("llm_output.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
    Rule::field("raw.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
    Rule::field("stop_reason", Field::ResponseFinishReasons),
    Rule::new("usage", Action::Usage),
    // Of Gemini's streams the thoughts are counted nowhere else.
    Rule::field("usage_metadata.thoughts_token_count", Field::UsageReasoningOutputTokens),
    Rule::new("llm_output.token_usage", Action::Usage),
    Rule::new("generations.0.0.message.kwargs.usage_metadata", Action::Usage),
];

/// What an agent was told. A framework's record of the agent itself is none of it.
const TASK: &[Rule] = &[
    Rule::new("", Action::Input),
    Rule::new("messages", Action::Input),
    Rule::new("input", Action::Input),
    // smolagents.
    Rule::new("task", Action::Input),
];

/// What an agent answered.
const RESULT: &[Rule] = &[
    Rule::new("", Action::Output),
    Rule::new("output", Action::Output),
    // CrewAI's result of a task, which has its messages beside it.
    Rule::new("raw", Action::Output),
];

/// What was looked for, as a text or as LlamaIndex's bundle.
const QUERY: &[Rule] = &[
    Rule::field("", Field::RetrievalQueryText),
    Rule::field("query", Field::RetrievalQueryText),
    Rule::field("query_str", Field::RetrievalQueryText),
    Rule::field("query_bundle.query_str", Field::RetrievalQueryText),
    Rule::field("str_or_query_bundle", Field::RetrievalQueryText),
];

const INPUT: &[(&str, Action)] = &[
    ("chat", Action::Members(&REQUEST)),
    ("text_completion", Action::Members(&REQUEST)),
    ("embeddings", Action::Members(&EMBEDDINGS_REQUEST)),
    ("invoke_agent", Action::Members(TASK)),
    ("execute_tool", Action::Field(Field::ToolCallArguments)),
    ("retrieval", Action::Members(QUERY)),
];

const OUTPUT: &[(&str, Action)] = &[
    ("chat", Action::Members(ANSWER)),
    ("text_completion", Action::Members(ANSWER)),
    ("embeddings", Action::Members(EMBEDDINGS_ANSWER)),
    ("invoke_agent", Action::Members(RESULT)),
    ("execute_tool", Action::Field(Field::ToolCallResult)),
    // LlamaIndex writes Python's representation of its nodes; the documents stand in keys of their own.
    ("retrieval", Action::Keep(Reason::Copy)),
];

const MIME_TYPE: &[(&str, Action)] = &[
    ("chat", Action::Read(mime_type)),
    ("text_completion", Action::Read(mime_type)),
    ("embeddings", Action::Read(mime_type)),
    ("invoke_agent", Action::Read(mime_type)),
    ("execute_tool", Action::Read(mime_type)),
    ("retrieval", Action::Read(mime_type)),
];

const EMBEDDINGS_ANSWER: &[Rule] =
    &[Rule::keep("", Reason::NoHome), Rule::field("model", Field::ResponseModel), Rule::new("usage", Action::Usage)];

/// LangGraph's thread is the conversation.
const METADATA: &[Rule] = &[
    Rule::keep("", Reason::NoHome),
    Rule::new("thread_id", Action::Copy(Field::ConversationId)),
    Rule::new("session_id", Action::Copy(Field::ConversationId)),
];

/// The model that answered, if one did; [`models`] decides.
fn model_name<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Value::Str(name) = value else { return Verdict::Kept(Reason::Uncoercible) };
    if values::is_nothing(name) {
        return Verdict::Discarded(Reason::Empty);
    }
    match operation.offer(Field::ResponseModel, Scalar::Str(name.clone())) {
        Offered::Conflict if operation.text(Field::RequestModel) != Some(name) => Verdict::Kept(Reason::Conflict),
        _ => Verdict::Expressed,
    }
}

/// A provider in the conventions' word.
fn provider_of(word: &str) -> Option<String> {
    match (values::look(&PROVIDER, word), values::look(values::PROVIDER, word)) {
        (Mapped::To(provider), _) | (Mapped::Unknown, Mapped::To(provider)) => Some(provider.to_owned()),
        (Mapped::Unknown, Mapped::Unknown) => Some(word.trim().to_ascii_lowercase()),
        _ => None,
    }
}

/// Who serves the model.
fn provider<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(word) = value.as_str() else { return Verdict::Kept(Reason::Uncoercible) };
    let Some(provider) = provider_of(word) else { return Verdict::Discarded(Reason::Empty) };
    match operation.text(Field::ProviderName) {
        Some(known) if known == provider => Verdict::Expressed,
        // The more exact word, which follows from who made the model.
        Some("azure.ai.openai") if provider == "azure.ai.inference" => Verdict::Expressed,
        Some("gcp.vertex_ai") if provider == "gcp.gen_ai" => Verdict::Expressed,
        Some(_) => Verdict::Kept(Reason::Conflict),
        None => {
            operation.set(Field::ProviderName, Scalar::Str(provider.into()));
            Verdict::Expressed
        }
    }
}

/// Who made the model: serves it too where nothing else is said, or tells which of a cloud's services
/// does.
fn system<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(word) = value.as_str() else { return Verdict::Kept(Reason::Uncoercible) };
    let Some(maker) = provider_of(word) else { return Verdict::Discarded(Reason::Empty) };
    let exact = match (operation.text(Field::ProviderName), &*maker) {
        (None, maker) => maker,
        (Some("azure.ai.inference"), "openai") if !operation.is_current(Field::ProviderName) => "azure.ai.openai",
        (Some("gcp.gen_ai"), "gcp.vertex_ai") if !operation.is_current(Field::ProviderName) => "gcp.vertex_ai",
        (Some(known), maker) if known == maker => return Verdict::Expressed,
        (Some("azure.ai.openai"), "openai") => return Verdict::Expressed,
        _ => return Verdict::Kept(Reason::Conflict),
    };
    let exact = exact.to_owned();
    operation.set(Field::ProviderName, Scalar::Str(exact.into()));
    Verdict::Expressed
}

/// The arguments of a call, or the schema of them, which stays.
fn parameters<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Value::Str(text) = value else { return Verdict::Kept(Reason::NoHome) };
    let object = json::parse(text).filter(|node| node.is_object());
    let is_schema = |node: json::Node<'_>| ["properties", "$schema"].iter().any(|key| node.get(key).is_some());
    if text.is_empty() {
        return Verdict::Discarded(Reason::Empty);
    }
    if object.is_none_or(is_schema) || operation.text(Field::OperationName) != Some("execute_tool") {
        return Verdict::Kept(Reason::NoHome);
    }
    let known = operation.text(Field::ToolCallArguments);
    let same = |known: &str| {
        let [one, other] = [known, text].map(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        one.is_some() && one == other
    };
    match known {
        Some(known) if same(known) => Verdict::Expressed,
        Some(_) => Verdict::Kept(Reason::Conflict),
        None => {
            operation.offer(Field::ToolCallArguments, Scalar::Str(Cow::clone(text)));
            Verdict::Expressed
        }
    }
}

/// Text or JSON, which is plain from what it is said of.
fn mime_type<'a>(_: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    match value.as_str() {
        Some("text/plain" | "application/json") => Verdict::Expressed,
        _ => Verdict::Kept(Reason::NoHome),
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    endpoint(operation, seen);
    models(operation, seen);
    streams(operation, seen);
    counts(operation, seen);
    names(operation, seen);
}

/// A completion has prompts and no messages, and an id of its own kind.
fn endpoint(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let id = operation.text(Field::ResponseId).unwrap_or_default();
    let has = |prefix: &str| seen.attributes.iter().any(|(key, _)| key.starts_with(prefix));
    if !operation.is_current(Field::OperationName)
        && operation.text(Field::OperationName) == Some("chat")
        && (has("llm.prompts.") || has("llm.choices.") || id.starts_with("cmpl-"))
        && !has("llm.input_messages.")
    {
        operation.set(Field::OperationName, Scalar::Str("text_completion".into()));
    }
}

/// `llm.model_name` of a call that nobody answered is the model that was asked for, and where nothing
/// else says which was asked for, it is this one: metrics need it.
fn models<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let Some(Value::Str(name)) = seen.get("llm.model_name") else { return };
    // LangChain's record of a failure is a message with a role and nothing else.
    let mut messages = seen.attributes.iter().filter(|(key, _)| key.starts_with("llm.output_messages.")).peekable();
    let is_said = match messages.peek() {
        Some(_) => messages.any(|(key, _)| !key.ends_with(".message.role")),
        None => !operation.output.is_absent(),
    };
    let is_answered = is_said
        || [Field::UsageInputTokens, Field::UsageOutputTokens, Field::ResponseId, Field::ResponseFinishReasons]
            .iter()
            .any(|field| operation.get(*field).is_some());
    if values::is_nothing(name) {
        return;
    }
    if !is_answered
        && !operation.is_current(Field::ResponseModel)
        && seen.get("llm.response.model_name").is_none()
        && operation.text(Field::ResponseModel) == Some(name)
    {
        operation.clear(Field::ResponseModel);
    }
    operation.offer(Field::RequestModel, Scalar::Str(name.clone()));
}

/// LangChain's models say `stream: false` of how they were made; an answer in chunks was streamed.
fn streams(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let is_chunks = |value: &Value<'_>| value.as_str().is_some_and(|text| text.contains("\"ChatGenerationChunk\""));
    if !operation.is_current(Field::RequestStream) && seen.get("output.value").is_some_and(is_chunks) {
        operation.set(Field::RequestStream, Scalar::Bool(true));
    }
}

/// Anthropic's agent SDK counts as its API does, without the cache: a total that says so.
fn counts(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    if !seen.scope_name.contains("claude_agent_sdk") && !seen.scope_name.contains("claude-agent-sdk") {
        return;
    }
    let fields = [
        Field::UsageInputTokens,
        Field::UsageOutputTokens,
        Field::UsageCacheReadInputTokens,
        Field::UsageCacheWriteInputTokens,
    ];
    let total = fields.iter().filter_map(|field| operation.int(*field)).fold(0, i64::saturating_add);
    operation.set(Field::UsageTotalTokens, Scalar::Int(total));
}

/// The names of tools and agents where only the span or the graph has them, and the id of the call that
/// LangChain's record of the answer has.
fn names<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    match operation.text(Field::OperationName) {
        Some("execute_tool") => {
            if !seen.name.starts_with("execute_tool") {
                operation.offer(Field::ToolName, Scalar::Str(seen.name.to_owned().into()));
            }
            let id = operation.text(Field::ToolCallResult).and_then(json::parse).and_then(|answer| {
                let message = answer.get("data").filter(|data| data.is_object()).unwrap_or(answer);
                Some(message.get("tool_call_id")?.as_str()?.into_owned())
            });
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                operation.offer(Field::ToolCallId, Scalar::Str(id.into()));
            }
        }
        Some("invoke_agent") => {
            for key in ["graph.node.name", "graph.node.id"] {
                if let Some(Value::Str(name)) = seen.get(key) {
                    operation.offer(Field::AgentName, Scalar::Str(name.clone()));
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "openinference.span.kind",
            "llm.model_name",
            "llm.request.model_name",
            "llm.response.model_name",
            "llm.provider",
            "llm.system",
            "llm.invocation_parameters",
            "embedding.invocation_parameters",
            "llm.finish_reason",
            "llm.token_count.prompt",
            "llm.token_count.completion",
            "llm.token_count.total",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_write",
            "llm.token_count.prompt_details.cache_input",
            "llm.token_count.prompt_details.audio",
            "llm.token_count.completion_details.reasoning",
            "llm.token_count.completion_details.audio",
            "llm.cost.prompt",
            "llm.cost.total",
            "llm.cost.prompt_details.cache_read",
            "llm.cost.completion_details.reasoning",
            "llm.tools.0.tool.json_schema",
            "llm.input_messages.0.message.role",
            "llm.input_messages.0.message.content",
            "llm.input_messages.0.message.name",
            "llm.input_messages.0.message.tool_call_id",
            "llm.input_messages.0.message.contents.1.message_content.type",
            "llm.input_messages.0.message.contents.1.message_content.text",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url",
            "llm.input_messages.0.message.contents.1.message_content.audio.audio.url",
            "llm.input_messages.0.message.contents.1.message_content.audio.audio.mime_type",
            "llm.input_messages.0.message.contents.1.message_content.audio.audio.transcript",
            "llm.input_messages.0.message.contents.1.message_content.id",
            "llm.input_messages.0.message.contents.1.message_content.signature",
            "llm.input_messages.0.message.contents.1.message_content.data",
            "llm.input_messages.0.message.contents.1.message_content.encrypted_content",
            "llm.input_messages.0.message.contents.1.tool_call.id",
            "llm.input_messages.0.message.contents.1.tool_call.function.name",
            "llm.input_messages.0.message.contents.1.tool_call.function.arguments",
            "llm.input_messages.0.message.tool_calls.1.tool_call.id",
            "llm.input_messages.0.message.tool_calls.1.tool_call.function.name",
            "llm.input_messages.0.message.tool_calls.1.tool_call.function.arguments",
            "llm.input_messages.0.message.tool_calls.1.tool_call.reasoning_signature",
            "llm.input_messages.0.message.function_call_name",
            "llm.input_messages.0.message.function_call_arguments_json",
            "llm.output_messages.0.message.role",
            "llm.prompts.0.prompt.text",
            "llm.choices.0.completion.text",
            "llm.function_call",
            "llm.prompt_template.template",
            "llm.prompt_template.variables",
            "llm.prompt_template.version",
            "prompt.id",
            "input.value",
            "output.value",
            "input.mime_type",
            "output.mime_type",
            "retrieval.documents.0.document.id",
            "retrieval.documents.0.document.score",
            "retrieval.documents.0.document.content",
            "retrieval.documents.0.document.metadata",
            "reranker.query",
            "reranker.top_k",
            "reranker.model_name",
            "reranker.input_documents.0.document.content",
            "reranker.output_documents.0.document.id",
            "embedding.model_name",
            "embedding.embeddings.0.embedding.text",
            "embedding.embeddings.0.embedding.vector",
            "tool.name",
            "tool.description",
            "tool.parameters",
            "tool.json_schema",
            "tool.id",
            "tool_call.id",
            "agent.name",
            "graph.node.id",
            "graph.node.name",
            "graph.node.parent_id",
            "session.id",
            "user.id",
            "metadata",
            "tag.tags",
            "evaluations.0.evaluation.score",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

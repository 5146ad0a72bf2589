//! Langtrace, Python and TypeScript (the project has been quiet
//! since May 2025).
//!
//! | releases (Python) | what is peculiar |
//! |---|---|
//! | 1.1 to 2.1 | `llm.*`; token counts as one JSON text |
//! | 2.2 | `gen_ai.*` names, content as attributes |
//! | from about 2.2.17 | content in span events |
//!
//! Spans of type `llm` are calls; those of type `framework` and `vectordb` are not, but for LangChain's
//! chat models, whose client's span lost its usage. `url.full` is the client's base URL and `top_k`
//! OpenAI's `n`. The TypeScript SDK swaps input and output of streams.

use super::{Action, Dialect, EventRule, List, Piece, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::content::json::{self, Node};
use crate::genai::field::Field;
use crate::genai::message::Part;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "langtrace";

/// The dialect.
pub static LANGTRACE: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("langtrace_python_sdk.", 100),
        Tell::scope_prefix("@langtrase/", 100),
        Tell::key("langtrace.sdk.name", 50),
        // LiteLLM writes some of these too, under its own scope.
        Tell::key_prefix("langtrace.", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &OPERATION),
        Rule::mapped("llm.api", Field::OperationName, &PATH),
        Rule::own("url.path", Action::Read(path)),
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("llm.vendor", Field::ProviderName, values::PROVIDER),
        // The client library, or a database; a call's provider where nothing better says it.
        Rule {
            values: Some(values::PROVIDER),
            ..Rule::new(
                "langtrace.service.name",
                Action::ByOperation(&[
                    ("chat", PROVIDER),
                    ("text_completion", PROVIDER),
                    ("generate_content", PROVIDER),
                    ("embeddings", PROVIDER),
                    ("rerank", PROVIDER),
                ]),
            )
        },
        // Others mean the model that was asked for.
        Rule::own("llm.model", Action::Field(Field::ResponseModel)),
        Rule::field("llm.request.model", Field::RequestModel),
        Rule::field("gen_ai.response_id", Field::ResponseId),
        Rule::field("llm.response_id", Field::ResponseId),
        Rule::field("llm.generation_id", Field::ResponseId),
        Rule::field("llm.conversation_id", Field::ConversationId),
        Rule::field("llm.temperature", Field::RequestTemperature),
        Rule::field("llm.request.temperature", Field::RequestTemperature),
        Rule::field("llm.top_p", Field::RequestTopP),
        Rule::field("llm.top_k", Field::RequestTopK),
        Rule::field("llm.frequency_penalty", Field::RequestFrequencyPenalty),
        Rule::field("llm.presence_penalty", Field::RequestPresencePenalty),
        Rule::field("llm.max_tokens", Field::RequestMaxTokens),
        Rule::field("llm.request.max_tokens", Field::RequestMaxTokens),
        Rule::field("llm.seed", Field::RequestSeed),
        Rule::field("llm.stream", Field::RequestStream),
        Rule::field("gen_ai.chat.stop_sequences", Field::RequestStopSequences),
        Rule::mapped("llm.response_format", Field::OutputType, &FORMAT),
        Rule::mapped("gen_ai.request.response_format", Field::OutputType, &FORMAT),
        Rule::field("llm.encoding.format", Field::RequestEncodingFormats),
        Rule::field("llm.encoding.formats", Field::RequestEncodingFormats),
        Rule::field("llm.dimensions", Field::EmbeddingsDimensionCount),
        Rule::field("gen_ai.request.dimensions", Field::EmbeddingsDimensionCount),
        Rule::field("llm.system.fingerprint", Field::OpenaiResponseSystemFingerprint),
        Rule::field("gen_ai.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        Rule::field("gen_ai.response.stop_reason", Field::ResponseFinishReasons),
        Rule::field("llm.retrieval.query", Field::RetrievalQueryText),
        Rule::field("gen_ai.cohere.rerank.query", Field::RetrievalQueryText),
        Rule::new("llm.retrieval.results", Action::Documents),
        Rule::new("gen_ai.cohere.rerank.results", Action::Documents),
        Rule::new("llm.token.counts", Action::Members(COUNTS)),
        Rule::field("gen_ai.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        Rule::field("llm.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("llm.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::new("llm.usage.total_tokens", Action::Total),
        Rule::field("gen_ai.usage.cached_tokens", Field::UsageCacheReadInputTokens),
        Rule::new("gen_ai.prompt", Action::Input),
        Rule::new("llm.prompts", Action::Input),
        Rule::new("llm.request.messages", Action::Input),
        Rule::new("gen_ai.completion", Action::Output),
        Rule::new("llm.responses", Action::Output),
        Rule::new("llm.tool_calls", Action::Piece(List::Output, Piece::Calls)),
        Rule::new("gen_ai.response.tool_calls", Action::Piece(List::Output, Piece::Calls)),
        // OpenAI's Responses API.
        Rule::own("instructions", Action::Instructions),
        Rule::new("llm.tools", Action::Tools),
        Rule::new("gen_ai.request.tools", Action::Tools),
        Rule::new("gen_ai.request.functions", Action::Tools),
        Rule::own("url.full", Action::Url),
        // No target has words for these.
        Rule::keep("llm.user", Reason::NoHome),
        Rule::keep("gen_ai.user", Reason::NoHome),
        Rule::keep("llm.citations", Reason::NoHome),
        Rule::keep("llm.documents", Reason::NoHome),
        Rule::keep("llm.search_results", Reason::NoHome),
        Rule::keep("llm.connectors", Reason::NoHome),
        Rule::keep("llm.tool_results", Reason::NoHome),
        Rule::keep("llm.image.size", Reason::NoHome),
        Rule::keep("llm.is_search_required", Reason::NoHome),
        Rule::keep("llm.max_input_tokens", Reason::NoHome),
        Rule::keep("gen_ai.image.size", Reason::NoHome),
        Rule::keep("gen_ai.request.tool_choice", Reason::NoHome),
        Rule::keep("gen_ai.request.tool_results", Reason::NoHome),
        Rule::keep("gen_ai.request.logit_bias", Reason::NoHome),
        Rule::keep("gen_ai.request.logprobs", Reason::NoHome),
        Rule::keep("gen_ai.request.log_props", Reason::NoHome),
        Rule::keep("gen_ai.request.top_logprobs", Reason::NoHome),
        Rule::keep("gen_ai.request.top_props", Reason::NoHome),
        Rule::keep("gen_ai.request.documents", Reason::NoHome),
        Rule::keep("gen_ai.request.connectors", Reason::NoHome),
        Rule::keep("gen_ai.request.is_search_required", Reason::NoHome),
        Rule::keep("gen_ai.request.repetition_penalty", Reason::NoHome),
        Rule::keep("gen_ai.usage.search_units", Reason::NoHome),
        Rule::own("http.max.retries", Action::Keep(Reason::NoHome)),
        Rule::own("http.timeout", Action::Keep(Reason::NoHome)),
    ],
    events: &[
        EventRule::message("gen_ai.content.prompt", List::Input, "user", &["gen_ai.prompt"]),
        EventRule::message("gen_ai.content.completion", List::Output, "assistant", &["gen_ai.completion"]),
        EventRule::chunk("gen_ai.completion.chunk"),
    ],
    kept: &[
        ("langtrace.service.", Reason::NoHome),
        ("langtrace.sdk.", Reason::NoHome),
        ("langtrace.span.", Reason::NoHome),
        ("langtrace.version", Reason::NoHome),
        ("langtrace.testId", Reason::NoHome),
        ("langtrace.", Reason::Unknown),
        ("langchain.", Reason::NoHome),
        ("langgraph.", Reason::NoHome),
        ("llm.embedding_", Reason::NoHome),
        ("gen_ai.request.embedding_", Reason::NoHome),
    ],
    // The method that was called; a user's own name may follow it.
    span_names: &[
        SpanName::Prefix("openai."),
        SpanName::Prefix("anthropic."),
        SpanName::Prefix("azure."),
        SpanName::Prefix("cohere."),
        SpanName::Prefix("groq."),
        SpanName::Prefix("mistral."),
        SpanName::Prefix("ollama."),
        SpanName::Prefix("perplexity."),
        SpanName::Prefix("gemini."),
        SpanName::Prefix("vertexai."),
        SpanName::Prefix("aws_bedrock."),
        SpanName::Prefix("bedrock."),
        SpanName::Prefix("litellm."),
        SpanName::Prefix("BaseChatModel."),
    ],
    counts_as_provider: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const PROVIDER: Action = Action::Field(Field::ProviderName);

/// `{"input_tokens": 29, "output_tokens": 13, "total_tokens": 42}`.
const COUNTS: &[Rule] = &[
    Rule::field("input_tokens", Field::UsageInputTokens),
    Rule::field("output_tokens", Field::UsageOutputTokens),
    Rule::new("total_tokens", Action::Total),
];

/// The words under `gen_ai.operation.name`. Images and `rerank` are operations of its own and pass.
static OPERATION: [(&str, Option<&str>); 9] = [
    ("chat", Some("chat")),
    ("embed", Some("embeddings")),
    ("embeddings", Some("embeddings")),
    ("completion", Some("text_completion")),
    ("text_completion", Some("text_completion")),
    ("openai.responses.create", Some("chat")),
    ("responses", Some("chat")),
    ("unknown", None),
    ("", None),
];

/// Endpoints.
static PATH: [(&str, Option<&str>); 11] = [
    ("/chat/completions", Some("chat")),
    ("/v1/chat/completions", Some("chat")),
    ("/completions", Some("text_completion")),
    ("/embeddings", Some("embeddings")),
    ("/v1/embeddings", Some("embeddings")),
    ("/v1/embed", Some("embeddings")),
    ("/responses", Some("chat")),
    ("/v1/messages", Some("chat")),
    ("/v1/chat", Some("chat")),
    ("/api/chat", Some("chat")),
    ("*", None),
];

/// OpenAI's response formats, by name or as an object; `url` and `b64_json` are of images.
static FORMAT: [(&str, Option<&str>); 5] = [
    ("text", Some("text")),
    ("json", Some("json")),
    ("json_object", Some("json")),
    ("json_schema", Some("json")),
    ("*", None),
];

/// The endpoint says the operation where nothing else does.
fn path<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    if operation.get(Field::OperationName).is_none()
        && operation.named.is_none()
        && let Some(Mapped::To(name)) = value.as_str().map(|path| values::look(&PATH, path))
    {
        operation.offer(Field::OperationName, Scalar::Str(name.into()));
    }
    Verdict::Kept(Reason::NoHome)
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    chat_model(operation, seen);
    model(operation);
    choices(operation, seen);
    swapped(operation, seen);
    called(operation);
    no_output(operation);
}

/// LangChain's chat models, which read the usage from the client's raw answer.
fn chat_model(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let has_usage =
        [Field::UsageInputTokens, Field::UsageOutputTokens].iter().any(|field| operation.get(*field).is_some());
    if operation.get(Field::OperationName).is_none()
        && has_usage
        && seen.get("langchain.task.name").and_then(Value::as_str) == Some("chatmodel")
    {
        operation.set(Field::OperationName, Scalar::Str("chat".into()));
        if let Some(provider) = operation.text(Field::RequestModel).and_then(values::provider_of_model) {
            operation.offer(Field::ProviderName, Scalar::Str(provider.into()));
        }
    }
}

/// `llm.model` is the answer's for a chat and the request's for all else; either is the best that is
/// known of the other.
fn model(operation: &mut Operation<'_>) {
    if operation.get(Field::RequestModel).is_some() {
        return;
    }
    if let Some(model) = operation.get(Field::ResponseModel).cloned() {
        operation.set(Field::RequestModel, model);
    }
}

/// `n` stands under `top_k`; the APIs of these services have no `top_k`.
fn choices(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let has_n =
        matches!(operation.text(Field::ProviderName), Some("openai" | "azure.ai.openai" | "groq" | "perplexity"))
            || seen.get("langtrace.service.name").and_then(Value::as_str) == Some("OpenAI");
    let Some(Scalar::Double(number)) = operation.get(Field::RequestTopK) else { return };
    let is_whole = number.fract() == 0.0 && (1.0..1_000.0).contains(number);
    if has_n && is_whole && operation.text(Field::OperationName) == Some("chat") {
        let number = *number as i64;
        operation.clear(Field::RequestTopK);
        operation.offer(Field::RequestChoiceCount, Scalar::Int(number));
        // One choice is what a request asks for that says nothing.
        let verdict = if number == 1 { Verdict::Discarded(Reason::Redundant) } else { Verdict::Expressed };
        operation.settled.extend(["gen_ai.request.top_k", "llm.top_k"].map(|key| (key, verdict)));
    }
}

/// Streamed calls of the TypeScript SDK have the counts of input and output in each other's place, since
/// July 2024 and up to its last release. The note of what was reported keeps it from being done twice.
fn swapped(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let text = |key: &str| seen.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_swapped = text("langtrace.sdk.name") == "@langtrase/typescript-sdk"
        && operation.get(Field::RequestStream) == Some(&Scalar::Bool(true))
        && matches!(
            operation.text(Field::ProviderName),
            Some("openai" | "aws.bedrock" | "gcp.gemini" | "gcp.gen_ai" | "mistral_ai")
        )
        && seen.get("gen_ai.usage.input_tokens").is_some()
        && operation.get(Field::UsageReportedInputTokens).is_none();
    let counts = (operation.int(Field::UsageInputTokens), operation.int(Field::UsageOutputTokens));
    if let (true, (Some(input), Some(output))) = (is_swapped, counts) {
        operation.set(Field::UsageInputTokens, Scalar::Int(output));
        operation.set(Field::UsageOutputTokens, Scalar::Int(input));
        operation.set(Field::UsageReportedInputTokens, Scalar::Int(input));
        operation.set(Field::UsageReportedOutputTokens, Scalar::Int(output));
    }
}

/// A turn of tool calls stands in a list of messages as the bare list of its calls, or of what was left of
/// them: `[{"id": "", "type": ""}]`. It says no role, and users call no tools.
fn called(operation: &mut Operation<'_>) {
    let is_call = |part: &Part<'_>| matches!(part, Part::ToolCall { .. });
    let Some(messages) = operation.input.read_mut() else { return };
    for message in messages.iter_mut().filter(|message| message.role == "user") {
        let is_left = match message.parts.as_slice() {
            [Part::Text(text)] => is_left_of_calls(text),
            parts => !parts.is_empty() && parts.iter().all(is_call),
        };
        if is_left {
            message.role = "assistant".into();
            message.parts.retain(is_call);
        }
    }
}

/// Whether a text is a list of objects with a blank id and a blank type, and nothing else.
fn is_left_of_calls(text: &str) -> bool {
    let is_blank = |call: Node<'_>| {
        call.get("id").is_some()
            && call
                .members()
                .all(|(name, value)| matches!(&*name, "id" | "type") && value.as_str().as_deref() == Some(""))
    };
    json::parse(text).is_some_and(|list| list.elements().next().is_some() && list.elements().all(is_blank))
}

/// Embeddings have no output; a zero says so.
fn no_output(operation: &mut Operation<'_>) {
    if operation.text(Field::OperationName) == Some("embeddings") && operation.int(Field::UsageOutputTokens) == Some(0)
    {
        operation.clear(Field::UsageOutputTokens);
        operation.settled.push(("gen_ai.usage.output_tokens", Verdict::Discarded(Reason::Empty)));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact tables, a concrete one for each of their rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "llm.model",
            "llm.api",
            "llm.prompts",
            "llm.responses",
            "llm.token.counts",
            "llm.temperature",
            "llm.top_p",
            "llm.frequency_penalty",
            "llm.presence_penalty",
            "llm.top_k",
            "llm.max_tokens",
            "llm.seed",
            "llm.stream",
            "llm.user",
            "llm.system.fingerprint",
            "llm.tools",
            "llm.tool_calls",
            "llm.encoding.format",
            "llm.encoding.formats",
            "llm.dimensions",
            "llm.response_id",
            "llm.generation_id",
            "llm.conversation_id",
            "llm.retrieval.query",
            "llm.retrieval.results",
            "llm.citations",
            "llm.documents",
            "llm.search_results",
            "llm.connectors",
            "llm.embedding_inputs",
            "llm.embedding_dataset_id",
            "llm.embedding_input_type",
            "llm.embedding_job_name",
            "llm.image.size",
            "llm.response_format",
            "llm.is_search_required",
            "llm.max_input_tokens",
            "llm.tool_results",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "gen_ai.prompt",
            "gen_ai.completion",
            "gen_ai.operation.name",
            "gen_ai.system",
            "gen_ai.response_id",
            "gen_ai.system_fingerprint",
            "gen_ai.user",
            "gen_ai.request.tools",
            "gen_ai.request.functions",
            "gen_ai.request.tool_choice",
            "gen_ai.request.logit_bias",
            "gen_ai.request.log_props",
            "gen_ai.request.top_props",
            "gen_ai.response.tool_calls",
            "gen_ai.request.max_tokens",
            "gen_ai.request.top_k",
            "gen_ai.request.dimensions",
            "gen_ai.request.seed",
            "gen_ai.chat.stop_sequences",
            "gen_ai.request.response_format",
            "gen_ai.usage.total_tokens",
            "gen_ai.usage.cached_tokens",
            "gen_ai.usage.search_units",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "langtrace.service.name",
            "langtrace.service.type",
            "langtrace.sdk.name",
            "langtrace.version",
            "langtrace.service.version",
            "langtrace.span.name",
            "langtrace.testId",
            "url.full",
            "url.path",
            "http.max.retries",
            "http.timeout",
            "gen_ai.cohere.rerank.query",
            "gen_ai.cohere.rerank.results",
            "llm.vendor",
            "llm.request.model",
            "llm.request.messages",
            "llm.usage.prompt_tokens",
            "llm.usage.completion_tokens",
            "llm.usage.total_tokens",
            "llm.request.temperature",
            "llm.request.max_tokens",
            "langchain.outputs",
            "gen_ai.request.embedding_inputs",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

//! MLflow's tracing over OTLP, autologged or by hand.
//!
//! Every value is JSON text, a plain word too (`"\"LLM\""`). The span's type says which operation it is,
//! and with that what its inputs and outputs are: bodies of the provider's API, a tool's arguments and
//! result, a query and its documents. Autologging repeats each parameter of a request under its own
//! bare name. In its GenAI mode (`MLFLOW_ENABLE_OTEL_GENAI_SEMCONV`) MLflow writes current names and
//! takes its own away; the bare parameters stay, and the model of the answer stands as the one that
//! was asked for.

use super::named::named;
use super::{Action, Dialect, EventRule, Reason, Rule, SpanName, Tell, Verdict, body};
use crate::genai::content::json;
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar, Seen};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "mlflow";

/// The dialect.
pub static MLFLOW: Dialect = Dialect {
    tells: &[Tell::scope_prefix("mlflow.", 100), Tell::key_prefix("mlflow.", 20)],
    keys: &[
        Rule::mapped("mlflow.spanType", Field::OperationName, &SPAN_TYPE),
        Rule::new("mlflow.chat.tokenUsage", Action::Members(TOKEN_USAGE)),
        Rule::new("mlflow.chat.tools", Action::Tools),
        Rule::mapped("mlflow.llm.provider", Field::ProviderName, values::PROVIDER),
        Rule::new("mlflow.linkedPrompts", Action::Members(LINKED_PROMPTS)),
        // Parameters of the request, by their names in the provider's API.
        Rule::own("model", Action::Field(Field::RequestModel)),
        Rule::own("temperature", Action::Field(Field::RequestTemperature)),
        Rule::own("top_p", Action::Field(Field::RequestTopP)),
        Rule::own("top_k", Action::Field(Field::RequestTopK)),
        Rule::own("max_tokens", Action::Field(Field::RequestMaxTokens)),
        Rule::own("max_completion_tokens", Action::Field(Field::RequestMaxTokens)),
        Rule::own("max_output_tokens", Action::Field(Field::RequestMaxTokens)),
        Rule::own("frequency_penalty", Action::Field(Field::RequestFrequencyPenalty)),
        Rule::own("presence_penalty", Action::Field(Field::RequestPresencePenalty)),
        Rule::own("stop", Action::Field(Field::RequestStopSequences)),
        Rule::own("stop_sequences", Action::Field(Field::RequestStopSequences)),
        Rule::own("seed", Action::Field(Field::RequestSeed)),
        Rule::own("n", Action::Field(Field::RequestChoiceCount)),
        Rule::own("stream", Action::Field(Field::RequestStream)),
        Rule::own("dimensions", Action::Field(Field::EmbeddingsDimensionCount)),
        Rule::own("encoding_format", Action::Field(Field::RequestEncodingFormats)),
        Rule::own("previous_response_id", Action::Field(Field::RequestPreviousResponseId)),
        Rule::own("reasoning_effort", Action::Field(Field::RequestReasoningLevel)),
        Rule::own("messages", Action::Input),
        Rule::own("prompt", Action::Input),
        Rule::own("instructions", Action::Instructions),
        Rule::own("system", Action::Instructions),
        Rule::own("tools", Action::Tools),
        // Metadata of the trace, which stands on its root.
        Rule { own: true, ..Rule::new("session.id", Action::Copy(Field::ConversationId)) },
        Rule::new("mlflow.spanInputs", Action::ByOperation(INPUTS)),
        Rule::new("mlflow.spanOutputs", Action::ByOperation(OUTPUTS)),
        // After the bodies, for autologging puts the answer's model there.
        Rule::new("mlflow.llm.model", Action::ByOperation(&[("", Action::Read(model))])),
        Rule::keep("mlflow.message.format", Reason::NoHome),
        Rule::keep("mlflow.llm.cost", Reason::NoHome),
        Rule::keep("mlflow.traceRequestId", Reason::NoHome),
        Rule::keep("mlflow.spanFunctionName", Reason::NoHome),
        Rule::keep("mlflow.spanLogLevel", Reason::NoHome),
        Rule::keep("mlflow.spanDescription", Reason::NoHome),
        Rule::keep("mlflow.experimentId", Reason::NoHome),
        Rule::keep("mlflow.trace.intermediate_outputs", Reason::NoHome),
    ],
    events: &[EventRule::chunk("mlflow.chunk.item.*")],
    kept: &[("mlflow.traceTag.", Reason::NoHome), ("mlflow.", Reason::Unknown)],
    // Classes and methods of the client libraries that autologging wraps.
    span_names: &[
        SpanName::Exact("Completions"),
        SpanName::Exact("AsyncCompletions"),
        SpanName::Exact("Responses"),
        SpanName::Exact("AsyncResponses"),
        SpanName::Exact("Embeddings"),
        SpanName::Exact("AsyncEmbeddings"),
        SpanName::Prefix("Messages."),
        SpanName::Prefix("AsyncMessages."),
        SpanName::Prefix("Models."),
        SpanName::Prefix("AsyncModels."),
        SpanName::Prefix("BedrockRuntime."),
        SpanName::Prefix("litellm-"),
        // What the GenAI mode makes of completions.
        SpanName::Prefix("generate_content "),
        SpanName::Prefix("chat "),
        SpanName::Prefix("embeddings "),
    ],
    json: true,
    counts: super::Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

static SPAN_TYPE: [(&str, Option<&str>); 24] = [
    ("CHAT_MODEL", Some("chat")),
    ("LLM", Some("chat")),
    ("EMBEDDING", Some("embeddings")),
    ("RETRIEVER", Some("retrieval")),
    ("TOOL", Some("execute_tool")),
    ("AGENT", Some("invoke_agent")),
    ("WORKFLOW", Some("invoke_workflow")),
    ("CHAIN", None),
    ("PARSER", None),
    ("RERANKER", None),
    ("MEMORY", None),
    ("GUARDRAIL", None),
    ("EVALUATOR", None),
    ("TASK", None),
    ("UNKNOWN", None),
    ("", None),
    ("chat", Some("chat")),
    ("text_completion", Some("text_completion")),
    ("embeddings", Some("embeddings")),
    ("retrieval", Some("retrieval")),
    ("execute_tool", Some("execute_tool")),
    ("invoke_agent", Some("invoke_agent")),
    ("invoke_workflow", Some("invoke_workflow")),
    ("generate_content", Some("generate_content")),
];

const TOKEN_USAGE: &[Rule] = &[
    Rule::field("input_tokens", Field::UsageInputTokens),
    Rule::field("output_tokens", Field::UsageOutputTokens),
    Rule::new("total_tokens", Action::Total),
    Rule::field("cache_read_input_tokens", Field::UsageCacheReadInputTokens),
    Rule::field("cache_creation_input_tokens", Field::UsageCacheWriteInputTokens),
];

const LINKED_PROMPTS: &[Rule] =
    &[Rule::field("0.name", Field::PromptName), Rule::field("0.version", Field::PromptVersion)];

const INPUTS: &[(&str, Action)] = &[
    ("chat", Action::Members(body::REQUEST)),
    ("text_completion", Action::Members(body::REQUEST)),
    ("generate_content", Action::Members(body::REQUEST)),
    ("embeddings", Action::Members(body::REQUEST)),
    ("invoke_agent", Action::Input),
    ("invoke_workflow", Action::Input),
    ("execute_tool", Action::Field(Field::ToolCallArguments)),
    ("retrieval", Action::Members(QUERY)),
];

const OUTPUTS: &[(&str, Action)] = &[
    ("chat", Action::Members(body::RESPONSE)),
    ("text_completion", Action::Members(body::RESPONSE)),
    ("generate_content", Action::Members(body::RESPONSE)),
    ("embeddings", Action::Members(EMBEDDINGS)),
    ("invoke_agent", Action::Output),
    ("invoke_workflow", Action::Output),
    ("execute_tool", Action::Field(Field::ToolCallResult)),
    ("retrieval", Action::Documents),
];

const QUERY: &[Rule] = &[
    Rule::field("", Field::RetrievalQueryText),
    Rule::field("*", Field::RetrievalQueryText),
    Rule::field("query", Field::RetrievalQueryText),
    Rule::field("question", Field::RetrievalQueryText),
    Rule::field("input", Field::RetrievalQueryText),
    Rule::field("text", Field::RetrievalQueryText),
];

/// An answer with vectors, which no target has a place for.
const EMBEDDINGS: &[Rule] =
    &[Rule::field("model", Field::ResponseModel), Rule::new("usage", Action::Read(body::usage))];

/// The model that answered where another one is known to have been asked for, the one that was asked
/// for otherwise.
fn model<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Value::Str(model) = value else { return Verdict::Kept(Reason::Uncoercible) };
    if model.is_empty() {
        return Verdict::Discarded(Reason::Empty);
    }
    let field = match operation.text(Field::RequestModel) {
        Some(asked) if asked != model => Field::ResponseModel,
        _ => Field::RequestModel,
    };
    match operation.offer(field, Scalar::Str(model.clone())) {
        Offered::Conflict => Verdict::Kept(Reason::Conflict),
        Offered::Taken | Offered::Equal => Verdict::Expressed,
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let bare = |key: &str| {
        let text = seen.get(key).and_then(Value::as_str)?;
        json::parse(text).and_then(json::Node::as_str).map(std::borrow::Cow::into_owned)
    };
    // The GenAI mode has no words for a completion, and one name for two models.
    let is_completion = bare("prompt").is_some() && seen.get("messages").is_none();
    let may_be = matches!(operation.text(Field::OperationName), None | Some("chat" | "generate_content"));
    if is_completion && may_be && operation.named.is_none() {
        operation.set(Field::OperationName, Scalar::Str("text_completion".into()));
    }
    if let Some(asked) = bare("model")
        && let Some(Scalar::Str(said)) = operation.get(Field::RequestModel).cloned()
        && said != asked
    {
        operation.offer(Field::ResponseModel, Scalar::Str(said));
        operation.set(Field::RequestModel, Scalar::Str(asked.into()));
    }
    // The client library that was called, where neither the host nor the model tells.
    if operation.get(Field::ProviderName).is_none()
        && let Some(format) = bare("mlflow.message.format")
        && let Mapped::To(provider) = values::look(values::PROVIDER, &format)
    {
        operation.offer(Field::ProviderName, Scalar::Str(provider.into()));
    }
    // Tools and agents give their names to their spans; the GenAI mode replaces them.
    named(operation, seen);
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows. The event of a streamed chunk has
    /// none: it stays.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "mlflow.spanType",
            "mlflow.spanInputs",
            "mlflow.spanOutputs",
            "mlflow.chat.tokenUsage",
            "mlflow.chat.tools",
            "mlflow.llm.model",
            "mlflow.llm.provider",
            "mlflow.llm.cost",
            "mlflow.message.format",
            "mlflow.traceRequestId",
            "mlflow.spanFunctionName",
            "session.id",
            "user.id",
            "mlflow.traceTag.x",
            "mlflow.linkedPrompts",
            "mlflow.spanLogLevel",
            "mlflow.spanDescription",
            "mlflow.experimentId",
            "mlflow.trace.intermediate_outputs",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

//! LangSmith's OpenTelemetry export, of LangChain runs and of functions and clients that were wrapped
//! with it.
//!
//! A run's kind says what it is; the operation that the exporter writes beside it is wrong for
//! retrievers, prompts and chains. Inputs and outputs of a run stand whole under `gen_ai.prompt` and
//! `gen_ai.completion`: bodies of APIs, LangChain's serialised messages, whatever a function took. A
//! chain's stay, for no target has words for chains. A LangSmith session is a project and no
//! conversation.

use super::{Action, Counts, Dialect, List, Reason, Rule, SpanName, Tell, Verdict, body, openinference};
use crate::genai::content::json::{self, Node};
use crate::genai::field::Field;
use crate::genai::operation::{Content, Operation, Scalar, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "langsmith";

/// The dialect.
pub static LANGSMITH: Dialect = Dialect {
    tells: &[Tell::scope("langsmith", 100), Tell::key("langsmith.span.kind", 50), Tell::key_prefix("langsmith.", 20)],
    keys: &[
        // The exporter calls the run of a prompt a chat.
        Rule { corrects: true, ..Rule::mapped("langsmith.span.kind", Field::OperationName, &KIND) },
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &KIND),
        // Told by the integration; `gen_ai.system` is a guess from the model's name.
        Rule::mapped("langsmith.metadata.ls_provider", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::field("langsmith.metadata.ls_model_name", Field::RequestModel),
        Rule::field("langsmith.metadata.ls_temperature", Field::RequestTemperature),
        Rule::field("langsmith.metadata.ls_max_tokens", Field::RequestMaxTokens),
        Rule::field("langsmith.metadata.ls_stop", Field::RequestStopSequences),
        Rule::field("langsmith.request.streaming", Field::RequestStream),
        Rule::field("langsmith.metadata.thread_id", Field::ConversationId),
        Rule::field("langsmith.metadata.session_id", Field::ConversationId),
        Rule::field("langsmith.metadata.conversation_id", Field::ConversationId),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        Rule::new("gen_ai.usage.input_token_details", Action::Members(INPUT_DETAILS)),
        Rule::new("gen_ai.usage.output_token_details", Action::Members(OUTPUT_DETAILS)),
        Rule::new("langsmith.usage_metadata", Action::Read(body::usage)),
        Rule::new("langsmith.metadata.usage_metadata", Action::Read(body::usage)),
        Rule::field("gen_ai.response.service_tier", Field::OpenaiResponseServiceTier),
        Rule::field("gen_ai.response.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        Rule::new(
            "gen_ai.prompt",
            Action::ByOperation(&[
                ("chat", Action::Body(List::Input, &openinference::PARAMETERS)),
                ("text_completion", Action::Body(List::Input, &openinference::PARAMETERS)),
                ("embeddings", Action::Body(List::Input, &openinference::PARAMETERS)),
                ("execute_tool", Action::Members(ARGUMENTS)),
                ("retrieval", Action::Members(QUERY)),
            ]),
        ),
        Rule::new(
            "gen_ai.completion",
            Action::ByOperation(&[
                ("chat", Action::Body(List::Output, body::ANSWER)),
                ("text_completion", Action::Body(List::Output, body::ANSWER)),
                ("execute_tool", Action::Members(RESULT)),
                ("retrieval", Action::Members(DOCUMENTS)),
            ]),
        ),
        // Versions before 0.14 say the tool's name nowhere else.
        Rule::new("langsmith.trace.name", Action::ByOperation(&[("execute_tool", Action::Copy(Field::ToolName))])),
        Rule::keep("gen_ai.request.extra_query", Reason::NoHome),
        Rule::keep("gen_ai.request.extra_body", Reason::NoHome),
        Rule::keep("langsmith.traceable", Reason::NoHome),
        Rule::keep("langsmith.is_root", Reason::NoHome),
    ],
    kept: &[
        ("langsmith.metadata.", Reason::NoHome),
        ("langsmith.trace.", Reason::NoHome),
        ("langsmith.span.", Reason::NoHome),
        ("langsmith.request.", Reason::NoHome),
        ("gen_ai.serialized.", Reason::NoHome),
        ("langsmith.", Reason::Unknown),
    ],
    // The run's name, which `langsmith.trace.name` says as well.
    span_names: &[SpanName::InScope("langsmith")],
    // The token details are Python's text of a dictionary.
    python: true,
    // LangChain's `usage_metadata` is inclusive for every provider.
    counts: Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// Kinds of runs. A prompt, a parser and a chain are none of the conventions' operations.
static KIND: [(&str, Option<&str>); 14] = [
    ("llm", Some("chat")),
    ("chat", Some("chat")),
    ("embedding", Some("embeddings")),
    ("embeddings", Some("embeddings")),
    ("tool", Some("execute_tool")),
    ("execute_tool", Some("execute_tool")),
    ("retriever", Some("retrieval")),
    ("retrieval", Some("retrieval")),
    ("text_completion", Some("text_completion")),
    ("chain", None),
    ("prompt", None),
    ("parser", None),
    ("unknown", None),
    ("", None),
];

const INPUT_DETAILS: &[Rule] = &[
    Rule::field("cache_read", Field::UsageCacheReadInputTokens),
    Rule::field("cache_creation", Field::UsageCacheWriteInputTokens),
    Rule::field("audio", Field::UsageAudioInputTokens),
];

const OUTPUT_DETAILS: &[Rule] =
    &[Rule::field("reasoning", Field::UsageReasoningOutputTokens), Rule::field("audio", Field::UsageAudioOutputTokens)];

/// What a tool was given: `{"input": "..."}` around a text, else the arguments themselves.
const ARGUMENTS: &[Rule] = &[
    Rule::field("input", Field::ToolCallArguments),
    Rule::field("*", Field::ToolCallArguments),
    Rule::field("", Field::ToolCallArguments),
];

const RESULT: &[Rule] = &[
    Rule::field("output", Field::ToolCallResult),
    Rule::field("*", Field::ToolCallResult),
    Rule::field("", Field::ToolCallResult),
];

const QUERY: &[Rule] = &[
    Rule::field("query", Field::RetrievalQueryText),
    Rule::field("input", Field::RetrievalQueryText),
    Rule::field("", Field::RetrievalQueryText),
];

const DOCUMENTS: &[Rule] = &[Rule::new("documents", Action::Documents), Rule::new("output", Action::Documents)];

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    kind(operation, seen);
    finish_reasons(operation);
    answer(operation, seen);
}

/// The exporter calls the run of a prompt a chat.
fn kind(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let kind = seen.get("langsmith.span.kind").and_then(Value::as_str).unwrap_or_default();
    if matches!(kind, "chain" | "prompt" | "parser") && operation.text(Field::OperationName) == Some("chat") {
        operation.clear(Field::OperationName);
        operation.named = Some(kind.to_owned());
        operation.input = Content::Absent;
        operation.output = Content::Absent;
        operation.settled.push(("gen_ai.operation.name", Verdict::Discarded(Reason::Conflict)));
    }
    let is_completion = seen.get("langsmith.metadata.ls_model_type").and_then(Value::as_str) == Some("llm");
    if is_completion && operation.text(Field::OperationName) == Some("chat") {
        operation.set(Field::OperationName, Scalar::Str("text_completion".into()));
    }
}

/// Several reasons, joined by commas.
fn finish_reasons(operation: &mut Operation<'_>) {
    let Some(Scalar::Strings(reasons)) = operation.get(Field::ResponseFinishReasons) else { return };
    if let [joined] = reasons.as_slice()
        && joined.contains(',')
    {
        let reasons = joined.split(',').map(|reason| reason.trim().to_owned().into()).collect();
        operation.set(Field::ResponseFinishReasons, Scalar::Strings(reasons));
    }
}

/// What LangChain notes of the answer beside its message; nothing else says the answer's id.
fn answer(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    if !matches!(operation.text(Field::OperationName), Some("chat" | "text_completion")) {
        return;
    }
    let Some(node) = seen.get("gen_ai.completion").and_then(Value::as_str).and_then(json::parse) else { return };
    // A list of answers for each prompt.
    let message = node
        .get("generations")
        .and_then(|prompts| prompts.elements().next())
        .and_then(|answers| answers.elements().next())
        .and_then(|answer| answer.get("message"));
    let Some(message) = message else { return };
    let message = message.get("kwargs").unwrap_or(message);
    let Some(metadata) = message.get("response_metadata") else { return };
    let is_openai = operation.text(Field::ProviderName) == Some("openai");
    for (name, field, of_openai) in [
        ("id", Field::ResponseId, false),
        ("model_name", Field::ResponseModel, false),
        ("model", Field::ResponseModel, false),
        ("system_fingerprint", Field::OpenaiResponseSystemFingerprint, true),
        ("service_tier", Field::OpenaiResponseServiceTier, true),
    ] {
        let said = metadata.get(name).and_then(Node::as_str).filter(|text| !text.is_empty());
        if let Some(said) = said.filter(|_| is_openai || !of_openai) {
            operation.offer(field, Scalar::Str(said.into_owned().into()));
        }
    }
    let reason = ["finish_reason", "stop_reason"].into_iter().find_map(|name| metadata.get(name)?.as_str());
    if let (Some(reason), None) = (reason, operation.get(Field::ResponseFinishReasons)) {
        operation.offer(Field::ResponseFinishReasons, Scalar::Strings(vec![reason.into_owned().into()]));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "langsmith.span.kind",
            "gen_ai.operation.name",
            "gen_ai.system",
            "gen_ai.prompt",
            "gen_ai.completion",
            "gen_ai.response.finish_reasons",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.total_tokens",
            "gen_ai.usage.input_token_details",
            "gen_ai.usage.output_token_details",
            "langsmith.usage_metadata",
            "langsmith.metadata.ls_model_name",
            "langsmith.metadata.ls_provider",
            "langsmith.metadata.ls_temperature",
            "langsmith.metadata.ls_max_tokens",
            "langsmith.metadata.ls_stop",
            "langsmith.metadata.thread_id",
            "langsmith.metadata.session_id",
            "langsmith.metadata.conversation_id",
            "langsmith.metadata.langgraph_node",
            "langsmith.metadata.x",
            "langsmith.trace.name",
            "langsmith.trace.session_id",
            "langsmith.trace.session_name",
            "langsmith.trace.id",
            "langsmith.span.tags",
            "langsmith.span.id",
            "langsmith.span.parent_id",
            "langsmith.span.dotted_order",
            "langsmith.is_root",
            "langsmith.traceable",
            "langsmith.request.streaming",
            "langsmith.request.headers",
            "gen_ai.serialized.name",
            "gen_ai.serialized.signature",
            "gen_ai.serialized.doc",
            "gen_ai.request.extra_query",
            "gen_ai.request.extra_body",
            "gen_ai.response.service_tier",
            "gen_ai.response.system_fingerprint",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
        assert_eq!(unknown(&["langsmith.drift"]), ["langsmith.drift"]);
    }
}

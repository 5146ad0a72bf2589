//! Llama Stack, and OGX as it is called since 0.8.
//!
//! Three eras. Up to 0.3 a tracer of its own wrote every method call as a span `{Class}.{method}` with
//! the same keys (`__autotraced__`, `__args__`, `output`, in Python's words), so that only the span's
//! name says what it is. Routers and the adapters behind them write one span each of the same call:
//! the router's is read, for it alone has the usage. From 0.4 on the calls come from automatic
//! instrumentation, and Llama Stack adds spans of shields and of MCP tools; OGX wrote the same under
//! another prefix. The scopes of these moved in every second release, so their names and keys decide.
//!
//! A shield is a guardrail, for which no target has words: its keys stay. Its messages are not what a
//! model was asked, and are no input messages.

use super::{Action, Dialect, EventRule, Reason, Rule, Sign, SpanName, Tell, Verdict};
use crate::genai::content::json;
use crate::genai::field::Field;
use crate::genai::operation::{Content, Operation, Scalar, Seen};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "llama-stack";

/// The dialect.
pub static LLAMA_STACK: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("llama_stack.", 100),
        Tell::scope_prefix("ogx.", 100),
        Tell::key("__autotraced__", 50),
        Tell::key_prefix("llama_stack.", 20),
        Tell::key_prefix("ogx.", 20),
        Tell::key("mcp_list_tools_id", 20),
        Tell { sign: Sign::SpanName("invoke_mcp_tool"), weight: 20 },
        Tell { sign: Sign::SpanName("list_mcp_tools"), weight: 20 },
    ],
    keys: &[
        // 0.1.7 to 0.3.
        Rule { values: Some(&METHOD), ..Rule::new("__method__", Action::BySpanName(OPERATION)) },
        Rule::new("__args__", Action::BySpanName(ARGUMENTS)),
        Rule::own("output", Action::BySpanName(RESULT)),
        Rule::keep("__autotraced__", Reason::NoHome),
        Rule::keep("__class__", Reason::NoHome),
        Rule::keep("__type__", Reason::NoHome),
        Rule::keep("__root__", Reason::NoHome),
        Rule::keep("__root_span__", Reason::NoHome),
        Rule::keep("__local_root_span__", Reason::NoHome),
        Rule::keep("__location__", Reason::NoHome),
        Rule::keep("__ttl__", Reason::NoHome),
        Rule::own("error", Action::Keep(Reason::NoHome)),
        Rule::own("chunk_count", Action::Keep(Reason::NoHome)),
        Rule::own("raw_path", Action::Keep(Reason::NoHome)),
        // 0.4 on.
        Rule::own("tool_name", Action::Field(Field::ToolName)),
        Rule::own("server_url", Action::Url),
        Rule::own("server_label", Action::Marks),
        Rule::own("mcp_list_tools_id", Action::Marks),
        Rule::new("llama_stack.safety.request.shield_id", Action::Marks),
        Rule::new("ogx.safety.request.shield_id", Action::Marks),
    ],
    events: &[
        EventRule::rules("metric.prompt_tokens", &[INPUT, UNIT, MODEL, PROVIDER]),
        EventRule::rules("metric.completion_tokens", &[OUTPUT, UNIT, MODEL, PROVIDER]),
        EventRule::rules("metric.total_tokens", &[TOTAL, UNIT, MODEL, PROVIDER]),
    ],
    kept: &[
        ("__root", Reason::NoHome),
        ("llama_stack.safety.", Reason::NoHome),
        ("ogx.safety.", Reason::NoHome),
        ("llama_stack.", Reason::Unknown),
        ("ogx.", Reason::Unknown),
    ],
    span_names: &[
        SpanName::Exact("invoke_mcp_tool"),
        SpanName::Exact("list_mcp_tools"),
        SpanName::Exact("invoke_tool"),
    ],
    python: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const INPUT: Rule = Rule::field("value", Field::UsageInputTokens);
const OUTPUT: Rule = Rule::field("value", Field::UsageOutputTokens);
const TOTAL: Rule = Rule::new("value", Action::Total);
const UNIT: Rule = Rule::new("unit", Action::Sentinel("tokens"));
const MODEL: Rule = Rule::field("model_id", Field::RequestModel);
// The name that the deployment gave the provider, most often the vendor's.
const PROVIDER: Rule = Rule::mapped("provider_id", Field::ProviderName, values::PROVIDER);

/// The routers' methods that are operations.
static METHOD: [(&str, Option<&str>); 8] = [
    ("openai_chat_completion", Some("chat")),
    ("chat_completion", Some("chat")),
    ("openai_completion", Some("text_completion")),
    ("completion", Some("text_completion")),
    ("openai_embeddings", Some("embeddings")),
    ("embeddings", Some("embeddings")),
    ("rerank", Some("rerank")),
    ("invoke_tool", Some("execute_tool")),
];

const ROUTER: &str = "InferenceRouter.";
/// The counts of calls in Llama Stack's own API are made by the tokenizer of Llama 3, whatever the model:
/// 217 and 14 tokens where the provider counted 237 and 3. Those of the OpenAI API are the provider's.
const COUNTS: &str = "InferenceRouter.count_tokens_and_compute_metrics";
const STREAM: &str = "InferenceRouter.stream_tokens_and_compute_metrics";
const OPENAI_STREAM: &str = "InferenceRouter.stream_tokens_and_compute_metrics_openai_chat";
const TOOL: &str = "ToolRuntimeRouter.invoke_tool";
const SHIELD: &str = "SafetyRouter.run_shield";

const OPERATION: &[(&str, Action)] = &[
    (ROUTER, Action::Copy(Field::OperationName)),
    (TOOL, Action::Copy(Field::OperationName)),
    (SHIELD, Action::Marks),
];

const ARGUMENTS: &[(&str, Action)] = &[
    ("InferenceRouter.openai_", Action::Members(REQUEST)),
    ("InferenceRouter.chat_completion", Action::Members(REQUEST)),
    ("InferenceRouter.completion", Action::Members(REQUEST)),
    ("InferenceRouter.embeddings", Action::Members(REQUEST)),
    ("InferenceRouter.rerank", Action::Members(REQUEST)),
    (STREAM, Action::Members(&[Rule::new("messages", Action::Input)])),
    (
        TOOL,
        Action::Members(&[Rule::field("tool_name", Field::ToolName), Rule::field("kwargs", Field::ToolCallArguments)]),
    ),
];

/// The arguments of an inference, by keyword; what was not given is the empty text.
const REQUEST: &[Rule] = &[
    Rule::field("model", Field::RequestModel),
    Rule::field("model_id", Field::RequestModel),
    Rule::new("messages", Action::Input),
    Rule::new("prompt", Action::Input),
    Rule::new("content", Action::Input),
    Rule::new("tools", Action::Tools),
    Rule::field("max_completion_tokens", Field::RequestMaxTokens),
    Rule::field("max_tokens", Field::RequestMaxTokens),
    Rule::field("temperature", Field::RequestTemperature),
    Rule::field("top_p", Field::RequestTopP),
    Rule::field("frequency_penalty", Field::RequestFrequencyPenalty),
    Rule::field("presence_penalty", Field::RequestPresencePenalty),
    Rule::field("seed", Field::RequestSeed),
    Rule::field("n", Field::RequestChoiceCount),
    Rule::field("stop", Field::RequestStopSequences),
    Rule::field("stream", Field::RequestStream),
    Rule::field("dimensions", Field::EmbeddingsDimensionCount),
    Rule::field("output_dimension", Field::EmbeddingsDimensionCount),
    Rule::field("encoding_format", Field::RequestEncodingFormats),
];

const RESULT: &[(&str, Action)] = &[
    ("InferenceRouter.openai_", Action::Members(ANSWER)),
    ("InferenceRouter.chat_completion", Action::Members(OWN_ANSWER)),
    ("InferenceRouter.completion", Action::Members(OWN_ANSWER)),
    (TOOL, Action::Copy(Field::ToolCallResult)),
];

/// An answer in OpenAI's shape.
const ANSWER: &[Rule] = &[
    Rule::field("id", Field::ResponseId),
    Rule::field("model", Field::ResponseModel),
    Rule::new("choices", Action::Output),
    Rule::field("service_tier", Field::OpenaiResponseServiceTier),
    Rule::field("system_fingerprint", Field::OpenaiResponseSystemFingerprint),
    Rule::field("usage.prompt_tokens", Field::UsageInputTokens),
    Rule::field("usage.completion_tokens", Field::UsageOutputTokens),
    Rule::new("usage.total_tokens", Action::Total),
    Rule::field("usage.prompt_tokens_details.cached_tokens", Field::UsageCacheReadInputTokens),
    Rule::field("usage.completion_tokens_details.reasoning_tokens", Field::UsageReasoningOutputTokens),
];

/// An answer in Llama Stack's own shape.
const OWN_ANSWER: &[Rule] = &[
    Rule::new("completion_message", Action::Output),
    Rule::new("content", Action::Output),
    Rule::field("stop_reason", Field::ResponseFinishReasons),
    Rule::new("metrics", Action::Read(metrics)),
];

/// `[{"metric": "prompt_tokens", "value": 217}, ...]`
fn metrics<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(list) = value.as_str().and_then(json::parse).filter(|node| node.is_array()) else {
        return Verdict::Kept(Reason::Shape);
    };
    for metric in list.elements() {
        let name = metric.get("metric").and_then(json::Node::as_str);
        let field = match name.as_deref() {
            Some("prompt_tokens") => Field::UsageInputTokens,
            Some("completion_tokens") => Field::UsageOutputTokens,
            _ => continue,
        };
        let count = metric.get("value").and_then(|value| value.text().parse::<i64>().ok());
        if let Some(count) = count.filter(|count| *count >= 0) {
            operation.offer(field, Scalar::Int(count));
        }
    }
    Verdict::Kept(Reason::SaysMore)
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    match seen.name {
        // What it counts is on the call's own span, the one above.
        COUNTS => {
            for field in [
                Field::UsageInputTokens,
                Field::UsageOutputTokens,
                Field::UsageTotalTokens,
                Field::RequestModel,
                Field::ProviderName,
            ] {
                operation.clear(field);
            }
        }
        // The span above ended before the first chunk; this one is the call if it knows the counts.
        STREAM | OPENAI_STREAM => {
            let is_counted =
                [Field::UsageInputTokens, Field::UsageOutputTokens].iter().any(|field| operation.int(*field).is_some());
            match is_counted {
                true => {
                    operation.offer(Field::OperationName, Scalar::Str("chat".into()));
                }
                // What was asked stands on the span above as well.
                false => {
                    operation.input = Content::Absent;
                    operation.clear(Field::OperationName);
                }
            }
        }
        _ => {}
    }
    let is_estimated = seen.name == STREAM
        || seen.name == "InferenceRouter.chat_completion"
        || seen.name == "InferenceRouter.completion";
    if is_estimated && operation.int(Field::UsageOutputTokens).is_some() {
        operation.offer(Field::UsageEstimated, Scalar::Bool(true));
    }
    if seen.name.starts_with(ROUTER) && operation.get(Field::OperationName).is_some() {
        provider(operation);
    }
    // The exception's message; the span's status is OK all the same.
    if seen.get("__method__").is_some() && seen.get("error").is_some() && operation.get(Field::OperationName).is_some()
    {
        operation.offer(Field::ErrorType, Scalar::Str("_OTHER".into()));
    }
    if seen.name == SHIELD
        || seen.get("llama_stack.safety.request.shield_id").is_some()
        || seen.get("ogx.safety.request.shield_id").is_some()
    {
        operation.named = Some("guardrail".to_owned());
    }
    tools(operation, seen);
}

/// Models are called `{provider}/{model}`; events that say the provider come with counts only.
fn provider(operation: &mut Operation<'_>) {
    let prefix = operation.text(Field::RequestModel).and_then(|model| model.split_once('/'));
    if let Some((prefix, _)) = prefix
        && let Mapped::To(provider) = values::look(values::PROVIDER, prefix)
    {
        operation.offer(Field::ProviderName, Scalar::Str(provider.into()));
    }
}

/// Spans of tools and of MCP servers, up to and after the names that the conventions give them.
fn tools<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let method = match seen.name {
        "invoke_mcp_tool" => Some("tools/call"),
        "list_mcp_tools" => Some("tools/list"),
        _ if seen.get("mcp_list_tools_id").is_some() => Some("tools/list"),
        _ if seen.get("server_label").is_some() && operation.text(Field::ToolName).is_some() => Some("tools/call"),
        _ => None,
    };
    if let Some(method) = method {
        operation.offer(Field::McpMethodName, Scalar::Str(method.into()));
    }
    let is_call = operation.text(Field::McpMethodName) == Some("tools/call") || seen.name == "invoke_tool";
    if is_call && operation.text(Field::ToolName).is_some() {
        operation.offer(Field::OperationName, Scalar::Str("execute_tool".into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "__autotraced__",
            "__class__",
            "__method__",
            "__type__",
            "__args__",
            "output",
            "chunk_count",
            "__root__",
            "__root_span__",
            "__ttl__",
            "__location__",
            "llama_stack.safety.request.shield_id",
            "llama_stack.safety.request.messages",
            "llama_stack.safety.response.metadata",
            "llama_stack.safety.response.violation.level",
            "llama_stack.safety.response.violation.user_message",
            "ogx.safety.request.shield_id",
            "ogx.safety.request.messages",
            "ogx.safety.response.metadata",
            "ogx.safety.response.violation.level",
            "ogx.safety.response.violation.user_message",
            "tool_name",
            "server_url",
            "server_label",
            "mcp_list_tools_id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

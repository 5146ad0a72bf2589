//! LangWatch's SDKs.
//!
//! Values stand in typed envelopes, `{"type": "chat_messages", "value": [...]}`, or bare. Token counts may
//! be estimates, which `tokensEstimated` says.

use super::named::named;
use super::{Action, Dialect, List, Reason, Rule, SpanName, Tell, Verdict, instant, openinference};
use crate::genai::content::json::{self, Node};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "langwatch";

/// The dialect.
pub static LANGWATCH: Dialect = Dialect {
    tells: &[Tell::scope_prefix("langwatch", 100), Tell::key_prefix("langwatch.", 20)],
    keys: &[
        Rule::mapped("langwatch.span.type", Field::OperationName, &TYPE),
        Rule::mapped("langwatch.type", Field::OperationName, &TYPE),
        Rule::new(
            "langwatch.input",
            Action::ByOperation(&[
                ("chat", Action::Members(INPUT)),
                ("embeddings", Action::Members(INPUT)),
                ("execute_tool", Action::Members(ARGUMENTS)),
                ("retrieval", Action::Members(QUERY)),
                ("invoke_agent", Action::Members(INPUT_MESSAGES)),
                ("invoke_workflow", Action::Members(INPUT_MESSAGES)),
            ]),
        ),
        Rule::new(
            "langwatch.output",
            Action::ByOperation(&[
                ("chat", Action::Members(OUTPUT)),
                ("execute_tool", Action::Members(RESULT)),
                ("invoke_agent", Action::Members(OUTPUT_MESSAGES)),
                ("invoke_workflow", Action::Members(OUTPUT_MESSAGES)),
            ]),
        ),
        Rule::new("langwatch.metrics", Action::Members(METRICS)),
        Rule::new("langwatch.params", Action::Members(PARAMS)),
        Rule::new("langwatch.rag.contexts", Action::Members(CONTEXTS)),
        Rule::new("langwatch.rag_contexts", Action::Members(CONTEXTS)),
        Rule::keep("langwatch.timestamps", Reason::SaysMore),
        Rule::field("langwatch.thread.id", Field::ConversationId),
        Rule::field("langwatch.thread_id", Field::ConversationId),
        Rule::field("langwatch.session.id", Field::ConversationId),
        Rule::field("langwatch.user.id", Field::UserId),
        Rule::field("langwatch.user_id", Field::UserId),
        Rule::keep("langwatch.customer.id", Reason::NoHome),
        Rule::keep("langwatch.customer_id", Reason::NoHome),
        Rule::keep("langwatch.labels", Reason::NoHome),
        Rule::keep("langwatch.tags", Reason::NoHome),
        Rule::keep("langwatch.metadata", Reason::NoHome),
        Rule::keep("langwatch.span.cost", Reason::NoHome),
    ],
    kept: &[
        ("langwatch.sdk.", Reason::NoHome),
        ("langwatch.metadata.", Reason::NoHome),
        ("langwatch.prompt.", Reason::NoHome),
        ("langwatch.evaluation.", Reason::NoHome),
        ("langwatch.reserved.", Reason::NoHome),
        ("langwatch.", Reason::Unknown),
    ],
    // The name that the integrations give calls of models.
    span_names: &[SpanName::Exact("llm")],
    // LangChain hands tools their input as Python's text of a dictionary.
    python: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// Types of spans; those that are no operations of the conventions are named as what they are.
static TYPE: [(&str, Option<&str>); 20] = [
    ("llm", Some("chat")),
    ("embedding", Some("embeddings")),
    ("rag", Some("retrieval")),
    ("tool", Some("execute_tool")),
    ("agent", Some("invoke_agent")),
    ("workflow", Some("invoke_workflow")),
    ("chain", None),
    ("guardrail", None),
    ("evaluation", None),
    ("prompt", None),
    ("task", None),
    ("component", None),
    ("module", None),
    ("server", None),
    ("client", None),
    ("producer", None),
    ("consumer", None),
    ("span", None),
    ("unknown", None),
    ("", None),
];

/// The type of an envelope, which what is in it says as well.
const ENVELOPE: Rule = Rule::new("type", Action::Read(said));

const INPUT: &[Rule] = &[ENVELOPE, Rule::new("value", Action::Input), Rule::new("", Action::Input), ANY_INPUT];
const ANY_INPUT: Rule = Rule::new("*", Action::Input);
const OUTPUT: &[Rule] = &[ENVELOPE, Rule::new("value", Action::Output), Rule::new("", Action::Output), ANY_OUTPUT];
const ANY_OUTPUT: Rule = Rule::new("*", Action::Output);
const INPUT_MESSAGES: &[Rule] = &[
    ENVELOPE,
    Rule::new("value", Action::Messages(List::Input)),
    Rule::new("", Action::Messages(List::Input)),
    Rule::new("*", Action::Messages(List::Input)),
];
const OUTPUT_MESSAGES: &[Rule] = &[
    ENVELOPE,
    Rule::new("value", Action::Messages(List::Output)),
    Rule::new("", Action::Messages(List::Output)),
    Rule::new("*", Action::Messages(List::Output)),
];
const ARGUMENTS: &[Rule] = &[
    ENVELOPE,
    Rule::field("value", Field::ToolCallArguments),
    Rule::field("", Field::ToolCallArguments),
    Rule::field("*", Field::ToolCallArguments),
];
const RESULT: &[Rule] = &[
    ENVELOPE,
    Rule::field("value", Field::ToolCallResult),
    Rule::field("", Field::ToolCallResult),
    Rule::field("*", Field::ToolCallResult),
];
const QUERY: &[Rule] =
    &[ENVELOPE, Rule::field("value", Field::RetrievalQueryText), Rule::field("", Field::RetrievalQueryText)];
const CONTEXTS: &[Rule] = &[ENVELOPE, Rule::new("value", Action::Documents), Rule::new("", Action::Documents)];
const PARAMS: &[Rule] = &[
    ENVELOPE,
    Rule::new("value", Action::Members(&openinference::PARAMETERS)),
    Rule::new("*", Action::Members(&openinference::PARAMETERS)),
];
const METRICS: &[Rule] =
    &[ENVELOPE, Rule::new("value", Action::Members(COUNTS)), Rule::new("*", Action::Members(COUNTS))];
const COUNTS: &[Rule] = &[
    Rule::field("promptTokens", Field::UsageInputTokens),
    Rule::field("prompt_tokens", Field::UsageInputTokens),
    Rule::field("completionTokens", Field::UsageOutputTokens),
    Rule::field("completion_tokens", Field::UsageOutputTokens),
    Rule::field("reasoningTokens", Field::UsageReasoningOutputTokens),
    Rule::field("reasoning_tokens", Field::UsageReasoningOutputTokens),
    Rule::field("cacheReadInputTokens", Field::UsageCacheReadInputTokens),
    Rule::field("cacheCreationInputTokens", Field::UsageCacheWriteInputTokens),
    Rule::new("tokensEstimated", Action::Read(estimated)),
    Rule::new("tokens_estimated", Action::Read(estimated)),
];

fn said<'a>(_: &mut Operation<'a>, _: &Value<'a>) -> Verdict {
    Verdict::Expressed
}

/// Estimates are marked; what is no estimate needs no mark.
fn estimated<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    match value {
        Value::Bool(true) => {
            operation.offer(Field::UsageEstimated, Scalar::Bool(true));
            Verdict::Expressed
        }
        Value::Bool(false) => Verdict::Expressed,
        _ => Verdict::Kept(Reason::Uncoercible),
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if matches!(operation.named.as_deref(), Some("span" | "unknown" | "")) {
        operation.named = None;
    }
    named(operation, seen);
    provider(operation);
    // `{"started_at": ..., "first_token_at": ..., "finished_at": ...}`, in milliseconds.
    let timestamps = seen.get("langwatch.timestamps").and_then(Value::as_str).and_then(json::parse);
    let first = timestamps
        .and_then(|object| {
            object.get("value").filter(|inner| inner.is_object()).unwrap_or(object).get("first_token_at")
        })
        .and_then(milliseconds)
        .and_then(|milliseconds| milliseconds.checked_mul(1_000_000))
        .and_then(|time| instant::seconds_since(seen.start_time_unix_nano, time));
    if let Some(seconds) = first {
        operation.offer(Field::ResponseTimeToFirstChunk, Scalar::Double(seconds));
    }
}

/// Models are named `vendor/model`.
fn provider(operation: &mut Operation<'_>) {
    let vendor = operation.text(Field::RequestModel).and_then(|model| model.split_once('/')).map(|(vendor, _)| vendor);
    if let Some(Mapped::To(provider)) = vendor.map(|vendor| values::look(values::PROVIDER, vendor)) {
        operation.offer(Field::ProviderName, Scalar::Str(provider.into()));
    }
}

fn milliseconds(node: Node<'_>) -> Option<u64> {
    node.text().split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "langwatch.span.type",
            "langwatch.type",
            "langwatch.input",
            "langwatch.output",
            "langwatch.metrics",
            "langwatch.timestamps",
            "langwatch.params",
            "langwatch.rag.contexts",
            "langwatch.rag_contexts",
            "langwatch.thread.id",
            "langwatch.thread_id",
            "langwatch.user.id",
            "langwatch.user_id",
            "langwatch.customer.id",
            "langwatch.labels",
            "langwatch.tags",
            "langwatch.span.cost",
            "langwatch.reserved.x",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
        assert_eq!(unknown(&["langwatch.drift"]), ["langwatch.drift"]);
    }
}

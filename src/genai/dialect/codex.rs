//! OpenAI's Codex.
//!
//! It exports its whole tracing tree under one scope, so that only the spans of a turn, of a call and of a
//! tool are operations. A turn has the sum of its calls, under names of its own, which stay.
//!
//! `handle_responses` is a span for each event of a call's stream: the one that has usage, the last, stands
//! for the call. `thread.id` is the conversation's on few spans; on all, the tracing library writes the number of
//! an operating system's thread under it, and where both stand the first is read, as everywhere.

use super::{Action, Counts, Dialect, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::coerce::{Coerced, coerce};
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar, Seen};
use crate::genai::values::Table;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "codex";

/// The dialect.
pub static CODEX: Dialect = Dialect {
    tells: &[Tell::scope_prefix("codex_", 100), Tell::key_prefix("codex.", 20)],
    keys: &[
        Rule::own("model", Action::BySpanName(&[(TURN, MODEL), (CALL, MODEL)])),
        Rule::own("conversation.id", Action::ByOperation(CONVERSATION)),
        Rule::own("thread.id", Action::Read(thread)),
        Rule::own("turn.id", Action::Keep(Reason::NoHome)),
        Rule::mapped("codex.tool.phase", Field::OperationName, PHASE),
        Rule::own("tool_name", Action::ByOperation(&[("execute_tool", Action::Field(Field::ToolName))])),
        Rule::own("call_id", Action::ByOperation(&[("execute_tool", Action::Field(Field::ToolCallId))])),
        Rule::new("codex.usage.reasoning_output_tokens", Action::Read(reasoning)),
        Rule::new("codex.usage.total_tokens", Action::Total),
        Rule::new("codex.request.reasoning_effort", Action::ByOperation(&[("chat", EFFORT)])),
        Rule::field("codex.turn.reasoning_effort", Field::RequestReasoningLevel),
    ],
    kept: &[("codex.turn.token_usage.", Reason::NoHome), ("codex.", Reason::Unknown)],
    // A tool's span has the tool's name.
    span_names: &[SpanName::Exact(TURN), SpanName::Exact(CALL), SpanName::With("", "codex.tool.phase")],
    counts: Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const TURN: &str = "session_task.turn";
const CALL: &str = "handle_responses";
/// On what is no operation it stays.
const CONVERSATION: &[(&str, Action)] = &[
    ("chat", Action::Field(Field::ConversationId)),
    ("invoke_agent", Action::Field(Field::ConversationId)),
    ("execute_tool", Action::Field(Field::ConversationId)),
];
const EFFORT: Action = Action::Field(Field::RequestReasoningLevel);
const MODEL: Action = Action::Field(Field::RequestModel);

/// What a tool's span is about.
static PHASE: &Table = &[("dispatch", Some("execute_tool"))];

/// A conversation is told by text, a thread of the operating system by a number.
fn thread<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Value::Str(id) = value else { return Verdict::Kept(Reason::NoHome) };
    operation.offer(Field::ConversationId, Scalar::Str(id.clone()));
    Verdict::Kept(Reason::SaysMore)
}

/// A zero stands where nothing was reported.
fn reasoning<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    match coerce(Field::UsageReasoningOutputTokens, value) {
        Coerced::Value(Scalar::Int(0)) => Verdict::Discarded(Reason::ZeroUsage),
        Coerced::Value(count) => match operation.offer(Field::UsageReasoningOutputTokens, count) {
            Offered::Conflict => Verdict::Kept(Reason::Conflict),
            Offered::Taken | Offered::Equal => Verdict::Expressed,
        },
        Coerced::Absent => Verdict::Discarded(Reason::Empty),
        Coerced::Refused => Verdict::Kept(Reason::Uncoercible),
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    match seen.name {
        TURN => {
            operation.offer(Field::OperationName, Scalar::Str("invoke_agent".into()));
            operation.offer(Field::AgentName, Scalar::Str("codex".into()));
        }
        CALL if seen.get("gen_ai.usage.output_tokens").is_some() => {
            operation.offer(Field::OperationName, Scalar::Str("chat".into()));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows. Rows of logs are not spans'.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "codex.turn.token_usage.input_tokens",
            "codex.turn.token_usage.cached_input_tokens",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
            "codex.usage.reasoning_output_tokens",
            "codex.usage.total_tokens",
            "codex.turn.reasoning_effort",
            "codex.request.reasoning_effort",
            "turn.id",
            "conversation.id",
            "thread.id",
            "model",
            "codex.tool.phase",
            "tool_name",
            "call_id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

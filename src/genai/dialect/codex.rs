//! OpenAI's Codex.
//!
//! It exports its whole tracing tree under one scope, so that only the spans of a turn and of a call are
//! operations. A turn has the sum of its calls, under names of its own, which stay.

use super::{Action, Counts, Dialect, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::coerce::{Coerced, coerce};
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar, Seen};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "codex";

/// The dialect.
pub static CODEX: Dialect = Dialect {
    tells: &[Tell::scope_prefix("codex_", 100), Tell::key_prefix("codex.", 20)],
    keys: &[
        Rule::own("model", Action::BySpanName(&[(TURN, MODEL), (CALL, MODEL)])),
        Rule::own("conversation.id", Action::Field(Field::ConversationId)),
        Rule::own("thread.id", Action::Copy(Field::ConversationId)),
        Rule::own("turn.id", Action::Keep(Reason::NoHome)),
        Rule::new("codex.usage.reasoning_output_tokens", Action::Read(reasoning)),
        Rule::new("codex.usage.total_tokens", Action::Total),
        Rule::field("codex.request.reasoning_effort", Field::RequestReasoningLevel),
        Rule::field("codex.turn.reasoning_effort", Field::RequestReasoningLevel),
    ],
    kept: &[("codex.turn.token_usage.", Reason::NoHome), ("codex.", Reason::Unknown)],
    span_names: &[SpanName::Exact(TURN), SpanName::Exact(CALL)],
    counts: Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const TURN: &str = "session_task.turn";
const CALL: &str = "handle_responses";
const MODEL: Action = Action::Field(Field::RequestModel);

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
        CALL => {
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
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

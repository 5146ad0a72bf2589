//! Sentry's attributes of calls of models: `ai.` until 2025, then
//! names of its own under `gen_ai.`. They are deprecated one by one in favour of the current names.
//!
//! Sentry's JavaScript SDK writes the oldest beside the AI SDK's keys on one span, so nothing here may
//! depend on who else speaks. `sentry.op` stands on every span of Sentry's, and says an operation only of
//! those that something else makes one.

use super::{Action, Dialect, List, Piece, Reason, Rule, Tell, Verdict};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "sentry";

/// The dialect.
pub static SENTRY: Dialect = Dialect {
    tells: &[
        Tell::key("ai.model_id", 20),
        Tell::key("ai.prompt_tokens.used", 20),
        Tell::key("ai.completion_tokens.used", 20),
        Tell::key("ai.input_messages", 20),
        Tell::key("ai.responses", 20),
        Tell::key("sentry.op", 3),
    ],
    keys: &[
        Rule::new("sentry.op", Action::Read(operation)),
        Rule::field("ai.model_id", Field::RequestModel),
        Rule::field("ai.prompt_tokens.used", Field::UsageInputTokens),
        Rule::field("ai.completion_tokens.used", Field::UsageOutputTokens),
        Rule::new("ai.total_tokens.used", Action::Total),
        Rule::new("ai.input_messages", Action::Input),
        Rule::new("ai.responses", Action::Output),
        Rule::new("ai.tool_calls", Action::Piece(List::Output, Piece::Calls)),
        Rule::field("ai.streaming", Field::RequestStream),
        Rule::keep("ai.total_cost", Reason::NoHome),
        Rule::new("gen_ai.request.messages", Action::Input),
        Rule::new("gen_ai.response.text", Action::Output),
        Rule::new("gen_ai.response.tool_calls", Action::Piece(List::Output, Piece::Calls)),
    ],
    kept: &[("ai.pipeline.", Reason::NoHome)],
    ..Dialect::new(NAME)
};

/// `sentry.op`.
static OP: [(&str, Option<&str>); 6] = [
    ("gen_ai.chat", Some("chat")),
    ("gen_ai.invoke_agent", Some("invoke_agent")),
    ("gen_ai.execute_tool", Some("execute_tool")),
    ("gen_ai.embeddings", Some("embeddings")),
    ("gen_ai.create_agent", Some("create_agent")),
    // No target has words for handing a conversation over.
    ("gen_ai.handoff", None),
];

fn operation<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(op) = value.as_str() else { return Verdict::Kept(Reason::Uncoercible) };
    match values::look(&OP, op) {
        Mapped::To(name) => {
            operation.offer(Field::OperationName, Scalar::Str(name.into()));
            Verdict::Kept(Reason::SaysMore)
        }
        Mapped::Nothing => {
            if operation.get(Field::OperationName).is_none() && operation.named.is_none() {
                operation.named = op.strip_prefix("gen_ai.").map(str::to_owned);
            }
            Verdict::Kept(Reason::NoHome)
        }
        Mapped::Unknown => Verdict::Kept(Reason::NoHome),
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "ai.model_id",
            "ai.prompt_tokens.used",
            "ai.completion_tokens.used",
            "ai.total_tokens.used",
            "ai.input_messages",
            "ai.responses",
            "ai.tool_calls",
            "gen_ai.request.messages",
            "gen_ai.response.text",
            "gen_ai.response.tool_calls",
            "sentry.op",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

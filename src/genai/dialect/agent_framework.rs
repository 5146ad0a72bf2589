//! Microsoft Agent Framework, Python and .NET, and `Microsoft.Extensions.AI` below it.
//!
//! Nearly current. The usage and the model of a run stand on its `invoke_agent` span again, finish
//! reasons are the text of a JSON list, and a tool call without an id has the id `unknown`. Its names of
//! providers (`microsoft.agent_framework`) are custom values, which the conventions allow.

use super::{Action, Dialect, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Content, Operation, Scalar, Seen};
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "ms-agent-framework";

/// The dialect.
pub static AGENT_FRAMEWORK: Dialect = Dialect {
    tells: &[
        Tell::scope("agent_framework", 100),
        Tell::scope_prefix("agent_framework.", 100),
        Tell::scope_prefix("Experimental.Microsoft.Agents.AI", 100),
        Tell::scope_prefix("Experimental.Microsoft.Extensions.AI", 100),
        Tell::scope_prefix("Microsoft.Agents.AI", 100),
        Tell::scope_prefix("Microsoft.Extensions.AI", 100),
        Tell::key_prefix("agent_framework.", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.tool.call.id", Field::ToolCallId, &CALL_ID),
        Rule::own("workflow.name", Action::BySpanName(&[("workflow.run", Action::Field(Field::WorkflowName))])),
        Rule::own("workflow.id", Action::BySpanName(&[("workflow.run", Action::Marks)])),
        Rule::keep("agent_framework.function.invocation.duration", Reason::NoHome),
    ],
    kept: &[("agent_framework.", Reason::Unknown)],
    span_names: &[SpanName::Prefix("chat "), SpanName::Prefix("embeddings "), SpanName::Exact("workflow.run")],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// What stands there for want of an id.
static CALL_ID: [(&str, Option<&str>); 1] = [("unknown", None)];

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if seen.name == "workflow.run" {
        operation.offer(Field::OperationName, Scalar::Str("invoke_workflow".into()));
    }
    // All that a run said is its output: the reason that the span gives is the last message's.
    let last = match operation.get(Field::ResponseFinishReasons) {
        Some(Scalar::Strings(reasons)) if reasons.len() == 1 => reasons.first().cloned(),
        _ => None,
    };
    if let Content::Read(messages) = &mut operation.output
        && messages.len() > 1
        && let Some(message) = messages.last_mut()
        && message.finish_reason.as_ref().is_none_or(|reason| reason.is_empty())
    {
        message.finish_reason = last;
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.response.finish_reasons",
            "gen_ai.tool.call.id",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.input_tokens",
            "gen_ai.system",
            "gen_ai.provider.name",
            "workflow.name",
            "agent_framework.function.invocation.duration",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

//! VoltAgent.
//!
//! `span.type` says what a span is: an agent, a call of a model, which may go on for several steps, or a tool.
//! The call has the usage of its last step, the agent that of all. What a call was answered stands on its agent.

use super::{Action, Counts, Dialect, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::values::Table;

/// The dialect's name.
pub const NAME: &str = "voltagent";

/// The dialect.
pub static VOLTAGENT: Dialect = Dialect {
    tells: &[Tell::scope("@voltagent/core", 100), Tell::key_prefix("voltagent.", 20)],
    keys: &[
        Rule { values: Some(TYPE), ..Rule::own("span.type", Action::Field(Field::OperationName)) },
        // The function that was called.
        Rule::own("llm.operation", Action::Keep(Reason::NoHome)),
        Rule::own("entity.name", Action::ByOperation(&[("invoke_agent", Action::Copy(Field::AgentName))])),
        Rule::own("entity.id", Action::ByOperation(&[("invoke_agent", Action::Copy(Field::AgentId))])),
        Rule::own("agent.instructions", Action::Instructions),
        Rule::own("agent.messages", Action::Input),
        Rule::own("input", Action::ByOperation(INPUT)),
        Rule::own("output", Action::ByOperation(OUTPUT)),
        Rule::own("ai.model.name", Action::Field(Field::RequestModel)),
        Rule::own("ai.response.finish_reason", Action::Field(Field::ResponseFinishReasons)),
        Rule::own("llm.model", Action::Field(Field::RequestModel)),
        Rule::own("llm.messages", Action::Input),
        Rule::own("llm.stream", Action::Field(Field::RequestStream)),
        Rule::own("llm.temperature", Action::Field(Field::RequestTemperature)),
        Rule::own("llm.top_p", Action::Field(Field::RequestTopP)),
        Rule::own("llm.max_output_tokens", Action::Field(Field::RequestMaxTokens)),
        Rule::own("llm.finish_reason", Action::Field(Field::ResponseFinishReasons)),
        Rule::own("llm.usage.prompt_tokens", Action::Field(Field::UsageInputTokens)),
        Rule::own("llm.usage.completion_tokens", Action::Field(Field::UsageOutputTokens)),
        Rule::own("llm.usage.cached_tokens", Action::Field(Field::UsageCacheReadInputTokens)),
        Rule::own("llm.usage.reasoning_tokens", Action::Field(Field::UsageReasoningOutputTokens)),
        // Names alone.
        Rule::own("llm.tools", Action::Keep(Reason::NoHome)),
        Rule::own("tool.name", Action::Field(Field::ToolName)),
        Rule::own("tool.call.id", Action::Field(Field::ToolCallId)),
        Rule::own("tool.description", Action::Field(Field::ToolDescription)),
    ],
    kept: &[("voltagent.", Reason::NoHome)],
    span_names: &[SpanName::InScope("@voltagent/core")],
    counts: Counts::INCLUSIVE,
    ..Dialect::new(NAME)
};

/// `span.type`.
static TYPE: &Table = &[
    ("agent", Some("invoke_agent")),
    ("llm", Some("chat")),
    ("tool", Some("execute_tool")),
    ("workflow", Some("invoke_workflow")),
    ("chat", Some("chat")),
    ("invoke_agent", Some("invoke_agent")),
    ("execute_tool", Some("execute_tool")),
    ("*", None),
];

const INPUT: &[(&str, Action)] =
    &[("execute_tool", Action::Field(Field::ToolCallArguments)), ("invoke_agent", Action::Input)];
const OUTPUT: &[(&str, Action)] =
    &[("execute_tool", Action::Field(Field::ToolCallResult)), ("invoke_agent", Action::Output)];

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    #[test]
    fn every_key_of_a_recording_is_known() {
        let keys = [
            "span.type",
            "entity.name",
            "agent.instructions",
            "agent.messages",
            "input",
            "output",
            "llm.model",
            "llm.messages",
            "llm.usage.prompt_tokens",
            "tool.name",
            "tool.call.id",
            "voltagent.operation_id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

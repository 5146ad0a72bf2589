//! Gemini CLI: current names with words of its own for operations,
//! and messages in Gemini's shape.

use super::{Action, Counts, Dialect, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values::{self, Table};

/// The dialect's name.
pub const NAME: &str = "gemini-cli";

/// The dialect.
pub static GEMINI_CLI: Dialect = Dialect {
    tells: &[Tell::scope("gemini-cli", 100), Tell::resource("service.name", "gemini-cli", 20)],
    keys: &[
        Rule::mapped("gen_ai.operation.name", Field::OperationName, OPERATION),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::field("gen_ai.tool.call_id", Field::ToolCallId),
        // Of development builds.
        Rule::own("input-json", Action::Keep(Reason::NoHome)),
        Rule::own("output-json", Action::Keep(Reason::NoHome)),
    ],
    span_names: &[SpanName::Exact("llm_call"), SpanName::Exact("tool_call"), SpanName::Exact("agent_call")],
    counts: Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

static OPERATION: &Table = &[
    ("llm_call", Some("generate_content")),
    ("tool_call", Some("execute_tool")),
    ("agent_call", Some("invoke_agent")),
    // What the program does around its calls.
    ("user_prompt", None),
    ("system_prompt", None),
    ("schedule_tool_calls", None),
    ("generate_content", Some("generate_content")),
    ("execute_tool", Some("execute_tool")),
    ("invoke_agent", Some("invoke_agent")),
];

/// The program calls Gemini; which of its services is not said.
fn quirk<'a>(operation: &mut Operation<'a>, _: &Seen<'_, 'a>) {
    if operation.text(Field::OperationName) == Some("generate_content") {
        operation.offer(Field::ProviderName, Scalar::Str("gcp.gemini".into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows. The row of metrics is not spans'.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.operation.name",
            "gen_ai.tool.call_id",
            "gen_ai.input.messages",
            "gen_ai.output.messages",
            "gen_ai.provider.name",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

//! Gemini CLI: current names with words of its own for operations,
//! and messages in Gemini's shape, of which a stream has one for each of its chunks.
//!
//! What a tool was asked and what it answered stand where a model's messages are meant to stand, each as an
//! object of the program's own that says more.

use super::{Action, Counts, Dialect, List, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::message::{Message, Part};
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
        Rule::new(
            "gen_ai.input.messages",
            Action::BySpanName(&[(TOOL, Action::Members(ASKED)), ("", Action::Messages(List::Input))]),
        ),
        Rule::new(
            "gen_ai.output.messages",
            Action::BySpanName(&[(TOOL, Action::Members(ANSWERED)), ("", Action::Messages(List::Output))]),
        ),
        // Of development builds.
        Rule::own("input-json", Action::Keep(Reason::NoHome)),
        Rule::own("output-json", Action::Keep(Reason::NoHome)),
    ],
    span_names: &[SpanName::Exact("llm_call"), SpanName::Exact(TOOL), SpanName::Exact("agent_call")],
    counts: Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const TOOL: &str = "tool_call";

/// A call as the program's scheduler has it.
const ASKED: &[Rule] = &[Rule::field("args", Field::ToolCallArguments)];

/// The same with what came of it: what the model is told.
const ANSWERED: &[Rule] = &[Rule::field("response.responseParts.0.functionResponse.response", Field::ToolCallResult)];

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
        if let Some(chunks) = operation.output.read_mut() {
            join(chunks);
        }
    }
}

/// The program asks for one answer: messages that do not say how they ended are chunks of it.
fn join(messages: &mut Vec<Message<'_>>) {
    let is_chunk = |message: &Message<'_>| message.finish_reason.is_none() && message.more.is_empty();
    if messages.len() < 2 || !messages.iter().all(|message| is_chunk(message) && message.role == "assistant") {
        return;
    }
    let rest: Vec<Message<'_>> = messages.drain(1..).collect();
    let Some(whole) = messages.first_mut() else { return };
    for part in rest.into_iter().flat_map(|message| message.parts) {
        match (whole.parts.last_mut(), part) {
            (Some(Part::Text(said)), Part::Text(more)) | (Some(Part::Reasoning(said)), Part::Reasoning(more)) => {
                said.to_mut().push_str(&more);
            }
            (_, part) => whole.parts.push(part),
        }
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

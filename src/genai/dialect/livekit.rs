//! LiveKit Agents: voice agents whose spans have `lk.` keys beside
//! a part of the current names and the events of older conventions.
//!
//! A turn of the conversation, the node around a call and speech itself say messages and call no model: a
//! call is what says a model, usage or its operation.

use super::{Action, Dialect, List, Piece, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};

/// The dialect's name.
pub const NAME: &str = "livekit";

/// The dialect.
pub static LIVEKIT: Dialect = Dialect {
    tells: &[Tell::scope("livekit-agents", 100), Tell::key_prefix("lk.", 20)],
    keys: &[
        Rule::new("lk.chat_ctx", Action::Members(CONTEXT)),
        Rule::new("lk.user_input", Action::Input),
        // What is to be spoken.
        Rule::new("lk.input_text", Action::Input),
        Rule::new("lk.instructions", Action::Instructions),
        Rule::new("lk.response.text", Action::Piece(List::Output, Piece::Content)),
        Rule::new("lk.response.function_calls", Action::Piece(List::Output, Piece::Calls)),
        Rule::field("lk.response.ttft", Field::ResponseTimeToFirstChunk),
        Rule::field("lk.function_tool.name", Field::ToolName),
        Rule::field("lk.function_tool.id", Field::ToolCallId),
        Rule::field("lk.function_tool.arguments", Field::ToolCallArguments),
        Rule::field("lk.function_tool.output", Field::ToolCallResult),
        Rule::keep("lk.user_transcript", Reason::NoHome),
    ],
    // Delays, confidences, rooms and participants: dozens.
    kept: &[("lk.", Reason::NoHome)],
    span_names: &[SpanName::Exact("llm_request"), SpanName::Exact("function_tool")],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// The conversation so far.
const CONTEXT: &[Rule] = &[Rule::new("", Action::Input), Rule::new("items", Action::Input)];

/// Spans that are no calls of a model, as LiveKit calls them.
const STAGES: &[&str] = &[
    "agent_session",
    "agent_turn",
    "user_turn",
    "llm_node",
    "tts_node",
    "tts_request",
    "tts_request_run",
    "agent_speaking",
    "user_speaking",
    "eou_detection",
];

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    // What follows from messages alone is no more than a guess here.
    let is_said = operation.is_current(Field::OperationName) || seen.get("gen_ai.operation.name").is_some();
    if is_said {
        return;
    }
    if operation.get(Field::ToolName).is_some() {
        operation.set(Field::OperationName, Scalar::Str("execute_tool".into()));
        return;
    }
    let of_a_call = [Field::RequestModel, Field::UsageInputTokens, Field::UsageOutputTokens];
    if of_a_call.iter().all(|field| operation.get(*field).is_none()) {
        operation.clear(Field::OperationName);
        let known = STAGES.iter().find(|stage| **stage == seen.name);
        operation.named.get_or_insert_with(|| (*known.unwrap_or(&"stage")).to_owned());
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "lk.chat_ctx",
            "lk.input_text",
            "lk.user_input",
            "lk.response.text",
            "lk.response.function_calls",
            "lk.function_tool.name",
            "lk.function_tool.arguments",
            "lk.function_tool.output",
            "lk.user_transcript",
            "lk.e2e_latency",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

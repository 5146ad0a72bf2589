//! Mastra's OpenTelemetry exporters.
//!
//! Nearly the current names, beside `mastra.span.type`, which says what a span is: the raw type stands under
//! `gen_ai.operation.name` too where no current word was found. One `model_generation` covers all steps
//! of an answer and has their usage; the steps, chunks and processors below it repeat it, and are nothing that
//! a target has words for.

use super::{Action, Counts, Dialect, List, Piece, Reason, Rule, SpanName, Tell, instant};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Seen};
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "mastra";

/// The dialect.
pub static MASTRA: Dialect = Dialect {
    tells: &[Tell::scope_prefix("@mastra/", 100), Tell::key("mastra.span.type", 60), Tell::key_prefix("mastra.", 20)],
    keys: &[
        Rule::mapped("mastra.span.type", Field::OperationName, &TYPE),
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &TYPE),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::field("gen_ai.usage.reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::field("gen_ai.usage.audio_input_tokens", Field::UsageAudioInputTokens),
        Rule::field("gen_ai.usage.audio_output_tokens", Field::UsageAudioOutputTokens),
        Rule::field("mastra.metadata.threadId", Field::ConversationId),
        Rule::new("mastra.model_generation.input", Action::Members(ASKED)),
        Rule::new("mastra.model_generation.output", Action::Members(ANSWERED)),
        Rule::new("mastra.agent_run.input", Action::Members(ASKED)),
        Rule::new("mastra.agent_run.output", Action::Members(ANSWERED)),
        Rule::field("mastra.tool_call.input", Field::ToolCallArguments),
        Rule::field("mastra.tool_call.output", Field::ToolCallResult),
        Rule::field("mastra.mcp_tool_call.input", Field::ToolCallArguments),
        Rule::field("mastra.mcp_tool_call.output", Field::ToolCallResult),
        Rule::field("mastra.provider_tool_call.input", Field::ToolCallArguments),
        Rule::field("mastra.provider_tool_call.output", Field::ToolCallResult),
        Rule::keep("mastra.tags", Reason::NoHome),
        // See the quirk.
        Rule::keep("mastra.completion_start_time", Reason::SaysMore),
    ],
    kept: &[
        ("mastra.", Reason::Unknown),
        ("mastra.metadata.", Reason::NoHome),
        ("mastra.rag_embedding.", Reason::NoHome),
        ("mastra.workflow_", Reason::NoHome),
        ("mastra.model_step.", Reason::NoHome),
        ("mastra.model_inference.", Reason::NoHome),
        ("mastra.model_chunk.", Reason::NoHome),
        ("mastra.processor_run.", Reason::NoHome),
        ("mastra.generic.", Reason::NoHome),
    ],
    span_names: &[SpanName::InScope("@mastra/")],
    counts: Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// `mastra.span.type`, and what stands as an operation where the exporter knew no current word.
static TYPE: [(&str, Option<&str>); 14] = [
    ("model_generation", Some("chat")),
    ("rag_embedding", Some("embeddings")),
    ("tool_call", Some("execute_tool")),
    ("mcp_tool_call", Some("execute_tool")),
    ("provider_tool_call", Some("execute_tool")),
    ("agent_run", Some("invoke_agent")),
    ("workflow_run", Some("invoke_workflow")),
    ("workflow_*", None),
    ("model_step", None),
    ("model_inference", None),
    ("model_chunk", None),
    ("processor_run", None),
    ("rag_*", None),
    ("generic", None),
];

const ASKED: &[Rule] = &[Rule::new("", Action::Input), Rule::new("messages", Action::Input)];

/// What the AI SDK gave back.
const ANSWERED: &[Rule] = &[
    Rule::new("", Action::Output),
    Rule::new("reasoningText", Action::Piece(List::Output, Piece::Reasoning)),
    Rule::new("reasoning", Action::Piece(List::Output, Piece::Reasoning)),
    Rule::new("text", Action::Piece(List::Output, Piece::Content)),
    Rule::new("object", Action::Piece(List::Output, Piece::Block("text"))),
    Rule::new("files", Action::Piece(List::Output, Piece::Blocks)),
    Rule::new("toolCalls", Action::Piece(List::Output, Piece::Calls)),
];

/// When the first chunk came is said as a time of day.
fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    instant::first_chunk(operation, seen, "mastra.completion_start_time");
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "mastra.span.type",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.audio_input_tokens",
            "gen_ai.usage.audio_output_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.response.finish_reasons",
            "gen_ai.request.stop_sequences",
            "mastra.completion_start_time",
            "mastra.model_generation.input",
            "mastra.model_generation.output",
            "mastra.model_step.input",
            "mastra.workflow_run.output",
            "mastra.tool_call.input",
            "mastra.mcp_tool_call.output",
            "gen_ai.agent.name",
            "gen_ai.system_instructions",
            "mastra.metadata.threadId",
            "mastra.metadata.runId",
            "mastra.tags",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

//! Mastra's OpenTelemetry exporters.
//!
//! Nearly the current names, beside `mastra.span.type`, which says what a span is: the raw type stands under
//! `gen_ai.operation.name` too where no current word was found. One `model_generation` covers all steps
//! of an answer and has their usage; the steps, chunks and processors below it repeat it, and are nothing that
//! a target has words for. From core 1 on, each step has a `model_inference`, which is the call and has its
//! usage; a generation has the content, and its raw type for an operation.

use super::{Action, Counts, Dialect, List, Piece, Reason, Rule, SpanName, Tell, Verdict, instant};
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "mastra";

/// The dialect.
pub static MASTRA: Dialect = Dialect {
    tells: &[Tell::scope_prefix("@mastra/", 100), Tell::key("mastra.span.type", 60), Tell::key_prefix("mastra.", 20)],
    keys: &[
        Rule::mapped("mastra.span.type", Field::OperationName, &WORD_OF_TYPE),
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &NAME_OF_TYPE),
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
const TYPE: [(&str, Option<&str>); 14] = [
    (GENERATION, Some("chat")),
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

static WORD_OF_TYPE: [(&str, Option<&str>); 14] = TYPE;

/// The raw type, where the exporter has no current word: a generation without a call of its own, too.
static NAME_OF_TYPE: [(&str, Option<&str>); 14] = {
    let mut names = TYPE;
    names[0] = (GENERATION, None);
    names
};

const GENERATION: &str = "model_generation";

const ASKED: &[Rule] = &[Rule::new("", Action::Input), Rule::new("messages", Action::Input)];

/// What the AI SDK gave back.
const ANSWERED: &[Rule] = &[
    Rule::new("", Action::Output),
    Rule::new("reasoning", Action::Members(REASONING)),
    Rule::new("reasoningText", Action::Piece(List::Output, Piece::Reasoning)),
    Rule::new("text", Action::Piece(List::Output, Piece::Content)),
    Rule::new("object", Action::Piece(List::Output, Piece::Block("text"))),
    Rule::new("files", Action::Piece(List::Output, Piece::Blocks)),
    Rule::new("toolCalls", Action::Piece(List::Output, Piece::Calls)),
];

/// A text, or the blocks that the text beside was made of, with the provider's names for them.
const REASONING: &[Rule] =
    &[Rule::new("", Action::Piece(List::Output, Piece::Reasoning)), Rule::keep("0", Reason::SaysMore)];

/// When the first chunk came is said as a time of day.
fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if seen.get("gen_ai.operation.name").and_then(Value::as_str) == Some(GENERATION) {
        operation.clear(Field::OperationName);
        operation.settled.push(("mastra.span.type", Verdict::Kept(Reason::NoHome)));
    }
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

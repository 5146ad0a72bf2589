//! Haystack 2 and 3, by its own tracer.
//!
//! The application names the scope, so the keys decide. Every component of a pipeline has the same span;
//! the name of its class says which operation it is, if any, and whose service it calls. Messages and
//! usage stand in the component's inputs and outputs, and are there only if content is traced. What
//! pipelines and agents repeat of them is no usage of theirs.

use super::pydantic_ai::split;
use super::{Action, Dialect, Reason, Rule, SpanName, Tell, Verdict, body};
use crate::genai::content::json;
use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "haystack";

/// The dialect.
pub static HAYSTACK: Dialect = Dialect {
    tells: &[Tell::key_prefix("haystack.", 20), Tell::span_name_prefix("haystack.", 20)],
    keys: &[
        Rule::new("haystack.component.type", Action::Read(component)),
        Rule::new("haystack.component.name", Action::Marks),
        Rule::new("haystack.component.input", Action::ByOperation(INPUTS)),
        Rule::new("haystack.component.output", Action::ByOperation(OUTPUTS)),
        // A step of an agent; a chat generator without a pipeline.
        Rule::new("haystack.agent.step.llm.input", Action::Members(CHAT_INPUT)),
        Rule::new("haystack.agent.step.llm.output", Action::Members(CHAT_OUTPUT)),
        Rule::new("haystack.chat_generator.input", Action::Members(CHAT_INPUT)),
        Rule::new("haystack.chat_generator.output", Action::Members(CHAT_OUTPUT)),
        Rule::field("haystack.tool.name", Field::ToolName),
        Rule::field("haystack.tool.description", Field::ToolDescription),
        Rule::field("haystack.tool.call.id", Field::ToolCallId),
        Rule::field("haystack.agent.step.tool.input", Field::ToolCallArguments),
        Rule::field("haystack.agent.step.tool.output", Field::ToolCallResult),
        Rule::new("haystack.agent.tools", Action::Tools),
        // The whole history, with what was given at first in it; the quirk tells the answer.
        Rule::new("haystack.agent.output", Action::Members(HISTORY)),
        Rule::new("haystack.agent.input", Action::Members(HISTORY)),
        Rule::new("haystack.pipeline.metadata", Action::Members(&[Rule::field("name", Field::WorkflowName)])),
        Rule::new("haystack.pipeline.max_runs_per_component", Action::Marks),
        Rule::new("haystack.agent.max_steps", Action::Marks),
        Rule::keep("haystack.agent.step", Reason::NoHome),
        Rule::keep("haystack.agent.steps_taken", Reason::NoHome),
        Rule::keep("haystack.agent.exit_conditions", Reason::NoHome),
        Rule::keep("haystack.agent.state_schema", Reason::NoHome),
        Rule::keep("haystack.component.input_types", Reason::NoHome),
        Rule::keep("haystack.component.input_spec", Reason::NoHome),
        Rule::keep("haystack.component.output_spec", Reason::NoHome),
        Rule::keep("haystack.component.visits", Reason::NoHome),
        Rule::keep("haystack.component.fully_qualified_type", Reason::NoHome),
        Rule::keep("haystack.pipeline.input_data", Reason::NoHome),
        Rule::keep("haystack.pipeline.output_data", Reason::NoHome),
        Rule::keep("haystack.pipeline.execution_mode", Reason::NoHome),
    ],
    kept: &[("haystack.", Reason::Unknown)],
    span_names: &[SpanName::Prefix("haystack.")],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const INPUTS: &[(&str, Action)] = &[
    ("chat", Action::Members(CHAT_INPUT)),
    ("text_completion", Action::Members(CHAT_INPUT)),
    ("retrieval", Action::Members(QUERY)),
];

const OUTPUTS: &[(&str, Action)] = &[
    ("chat", Action::Members(CHAT_OUTPUT)),
    ("text_completion", Action::Members(COMPLETION)),
    ("embeddings", Action::Members(EMBEDDINGS)),
    ("retrieval", Action::Members(&[Rule::new("documents", Action::Documents)])),
];

const CHAT_INPUT: &[Rule] = &[
    Rule::new("messages", Action::Input),
    Rule::new("prompt", Action::Input),
    Rule::new("system_prompt", Action::Instructions),
    Rule::new("tools", Action::Tools),
    Rule::new("streaming_callback", Action::Read(streams)),
    Rule::field("generation_kwargs.model", Field::RequestModel),
    Rule::field("generation_kwargs.temperature", Field::RequestTemperature),
    Rule::field("generation_kwargs.top_p", Field::RequestTopP),
    Rule::field("generation_kwargs.top_k", Field::RequestTopK),
    Rule::field("generation_kwargs.max_tokens", Field::RequestMaxTokens),
    Rule::field("generation_kwargs.max_completion_tokens", Field::RequestMaxTokens),
    Rule::field("generation_kwargs.stop", Field::RequestStopSequences),
    Rule::field("generation_kwargs.stop_sequences", Field::RequestStopSequences),
    Rule::field("generation_kwargs.seed", Field::RequestSeed),
    Rule::field("generation_kwargs.n", Field::RequestChoiceCount),
    Rule::field("generation_kwargs.frequency_penalty", Field::RequestFrequencyPenalty),
    Rule::field("generation_kwargs.presence_penalty", Field::RequestPresencePenalty),
    Rule::field("generation_kwargs.reasoning_effort", Field::RequestReasoningLevel),
    Rule::mapped("generation_kwargs.response_format.type", Field::OutputType, values::OUTPUT_TYPE),
];

/// Every reply has the model and the usage of the whole answer.
const CHAT_OUTPUT: &[Rule] = &[
    Rule::new("replies", Action::Output),
    Rule::field("replies.0.meta.model", Field::ResponseModel),
    Rule::new("replies.0.meta.usage", Action::Read(body::usage)),
    // Before replies were messages, and where they are older than 2.9.
    Rule::field("replies.0._meta.model", Field::ResponseModel),
    Rule::new("replies.0._meta.usage", Action::Read(body::usage)),
];

/// Replies of generators that do not chat are texts, with their metadata apart.
const COMPLETION: &[Rule] = &[
    Rule::new("replies.0", Action::Output),
    Rule::field("meta.0.model", Field::ResponseModel),
    Rule::field("meta.0.finish_reason", Field::ResponseFinishReasons),
    Rule::new("meta.0.usage", Action::Read(body::usage)),
];

const EMBEDDINGS: &[Rule] = &[
    Rule::new("embedding", Action::Read(vector)),
    Rule::field("meta.model", Field::ResponseModel),
    Rule::new("meta.usage", Action::Read(body::usage)),
];

const QUERY: &[Rule] = &[Rule::field("query", Field::RetrievalQueryText), Rule::field("top_k", Field::RequestTopK)];

const HISTORY: &[Rule] = &[Rule::new("messages", Action::Input), Rule::new("last_message", Action::Output)];

/// What components do, by the end of their class' name.
const OPERATIONS: &[(&str, &str)] = &[
    ("ChatGenerator", "chat"),
    ("Generator", "text_completion"),
    ("Embedder", "embeddings"),
    ("Retriever", "retrieval"),
];

/// Whose service components call, by the beginning of their class' name; longer ones first.
const PROVIDERS: &[(&str, &str)] = &[
    ("AzureOpenAI", "azure.ai.openai"),
    ("OpenAI", "openai"),
    ("AnthropicVertex", "gcp.vertex_ai"),
    ("Anthropic", "anthropic"),
    ("AmazonBedrock", "aws.bedrock"),
    ("VertexAI", "gcp.vertex_ai"),
    ("GoogleAI", "gcp.gemini"),
    ("GoogleGenAI", "gcp.gen_ai"),
    ("Cohere", "cohere"),
    ("Mistral", "mistral_ai"),
    ("Ollama", "ollama"),
    ("HuggingFace", "hugging_face"),
    ("OpenRouter", "openrouter"),
    ("TogetherAI", "together_ai"),
    ("Watsonx", "ibm.watsonx.ai"),
];

/// The class of a component.
fn component<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let class = value.as_str().unwrap_or_default();
    let Some((_, name)) = OPERATIONS.iter().find(|(end, _)| class.ends_with(end)) else {
        return Verdict::Kept(Reason::NoHome);
    };
    operation.offer(Field::OperationName, Scalar::Str((*name).into()));
    // Retrievers read a store, which is no provider of models.
    if *name != "retrieval"
        && let Some((_, provider)) = PROVIDERS.iter().find(|(start, _)| class.starts_with(start))
    {
        operation.offer(Field::ProviderName, Scalar::Str((*provider).into()));
    }
    Verdict::Kept(Reason::SaysMore)
}

/// A callback for chunks was given.
fn streams<'a>(operation: &mut Operation<'a>, _: &Value<'a>) -> Verdict {
    operation.offer(Field::RequestStream, Scalar::Bool(true));
    Verdict::Kept(Reason::SaysMore)
}

fn vector<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let dimensions = value.as_str().and_then(json::parse).map_or(0, |list| list.elements().count());
    if let Ok(dimensions @ 1..) = i64::try_from(dimensions) {
        operation.offer(Field::EmbeddingsDimensionCount, Scalar::Int(dimensions));
    }
    Verdict::Kept(Reason::NoHome)
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let name = match seen.name {
        "haystack.pipeline.run" | "haystack.async_pipeline.run" => Some("invoke_workflow"),
        "haystack.agent.run" => Some("invoke_agent"),
        "haystack.agent.step.llm" | "haystack.chat_generator.run" => Some("chat"),
        "haystack.agent.step.tool" => Some("execute_tool"),
        _ => None,
    };
    if let Some(name) = name {
        operation.offer(Field::OperationName, Scalar::Str(name.into()));
    }
    // The span's name is the convention's after a first pass.
    if operation.text(Field::OperationName) == Some("invoke_agent") {
        split(operation, seen);
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "haystack.component.name",
            "haystack.component.type",
            "haystack.component.input",
            "haystack.component.output",
            "haystack.component.input_types",
            "haystack.component.input_spec",
            "haystack.component.output_spec",
            "haystack.component.visits",
            "haystack.component.fully_qualified_type",
            "haystack.agent.step",
            "haystack.agent.step.llm.input",
            "haystack.agent.step.llm.output",
            "haystack.agent.step.tool.input",
            "haystack.agent.step.tool.output",
            "haystack.tool.name",
            "haystack.tool.description",
            "haystack.tool.call.id",
            "haystack.agent.input",
            "haystack.agent.output",
            "haystack.agent.tools",
            "haystack.agent.max_steps",
            "haystack.agent.steps_taken",
            "haystack.agent.exit_conditions",
            "haystack.agent.state_schema",
            "haystack.pipeline.metadata",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

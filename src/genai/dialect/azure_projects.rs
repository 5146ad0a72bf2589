//! Azure AI Projects (Foundry) and its agents.
//!
//! Temperature and the like are texts, some parameters have names of their own. Threads, messages and
//! run steps are the objects of a REST interface: their spans keep their words, for no target has any;
//! only the run itself is an agent's. Steps repeat parts of the run's usage. Its neighbour for plain
//! inference is [`super::azure_inference`].

use super::{Action, Dialect, EventRule, List, Reason, Rule, SpanName, Tell};
use crate::genai::field::Field;
use crate::genai::values;

/// The dialect's name.
pub const NAME: &str = "azure-ai-projects";

/// The dialect.
pub static AZURE_PROJECTS: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("azure.ai.projects", 100),
        Tell::scope_prefix("azure.ai.agents", 100),
        Tell::scope_prefix("Azure.AI.Projects", 100),
        Tell::scope_prefix("Azure.AI.Agents", 100),
        Tell::key_prefix("gen_ai.thread.", 25),
        Tell::key_prefix("gen_ai.run_step.", 25),
        Tell::key_prefix("gen_ai.agent.hosted.", 25),
        Tell::key("gen_ai.request.max_input_tokens", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &OPERATION),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, &PROVIDER),
        Rule::mapped("gen_ai.system", Field::ProviderName, &PROVIDER),
        Rule::field("gen_ai.request.max_output_tokens", Field::RequestMaxTokens),
        Rule::keep("gen_ai.request.max_input_tokens", Reason::NoHome),
        Rule::mapped("gen_ai.request.response_format", Field::OutputType, values::OUTPUT_TYPE),
        Rule::field("gen_ai.request.reasoning.effort", Field::RequestReasoningLevel),
        Rule::new("gen_ai.request.tools", Action::Tools),
        Rule::field("gen_ai.thread.id", Field::ConversationId),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        Rule::keep("gen_ai.message.id", Reason::NoHome),
        Rule::keep("gen_ai.message.status", Reason::NoHome),
        Rule::keep("gen_ai.agent.type", Reason::NoHome),
    ],
    events: &[
        EventRule::message("gen_ai.input.messages", List::Input, "user", EVENT),
        EventRule::message("gen_ai.output.messages", List::Output, "assistant", EVENT),
        EventRule::rules(
            "gen_ai.system.instructions",
            &[
                Rule::new("gen_ai.event.content", Action::Instructions),
                Rule::mapped("gen_ai.system", Field::ProviderName, &PROVIDER),
                Rule::mapped("gen_ai.provider.name", Field::ProviderName, &PROVIDER),
            ],
        ),
    ],
    kept: &[
        ("gen_ai.thread.", Reason::NoHome),
        ("gen_ai.run_step.", Reason::NoHome),
        ("gen_ai.agent.hosted.", Reason::NoHome),
    ],
    span_names: &[SpanName::Exact("responses"), SpanName::Prefix("responses "), SpanName::Exact("process_thread_run")],
    ..Dialect::new(NAME)
};

const EVENT: &[&str] = &["gen_ai.event.content"];

static OPERATION: [(&str, Option<&str>); 11] = [
    ("responses", Some("chat")),
    ("process_thread_run", Some("invoke_agent")),
    ("create_thread", None),
    ("create_message", None),
    ("list_messages", None),
    ("list_run_steps", None),
    ("get_thread_run", None),
    ("start_thread_run", None),
    ("submit_tool_outputs", None),
    ("create_conversation", None),
    ("list_conversation_items", None),
];

/// Only what [`values::PROVIDER`] lacks.
static PROVIDER: [(&str, Option<&str>); 4] = [
    ("azure.openai", Some("azure.ai.openai")),
    ("az.ai.openai", Some("azure.ai.openai")),
    ("az.ai.inference", Some("azure.ai.inference")),
    ("az.ai.agents", Some("azure.ai.agents")),
];

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.provider.name",
            "gen_ai.system",
            "gen_ai.request.temperature",
            "gen_ai.request.top_p",
            "gen_ai.request.max_output_tokens",
            "gen_ai.request.max_input_tokens",
            "gen_ai.request.response_format",
            "gen_ai.request.reasoning.effort",
            "gen_ai.request.tools",
            "gen_ai.thread.id",
            "gen_ai.thread.run.id",
            "gen_ai.thread.run.status",
            "gen_ai.message.id",
            "gen_ai.message.status",
            "gen_ai.run_step.status",
            "gen_ai.operation.name",
            "gen_ai.usage.total_tokens",
            "gen_ai.agent.hosted.x",
            "gen_ai.agent.type",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

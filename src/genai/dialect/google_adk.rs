//! Google's Agent Development Kit, Python and Java.
//!
//! The framework stood where the provider should, and stands there no more. Early releases hold whole
//! requests and answers of Gemini as JSON; cached tokens and thoughts are said there only, and their output
//! is without the thoughts, which the total proves. Words in place of what was not there (`{}`, `N/A`,
//! `<not specified>`) say nothing. The span `execute_tool (merged)` repeats answers of parallel calls.

use super::{Action, Dialect, Reason, Rule, SpanName, Tell, Verdict, body};
use crate::genai::field::Field;
use crate::genai::operation::{Offered, Operation, Scalar, Seen};
use crate::genai::values::{self, Mapped};
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "google-adk";

/// Gemini's thoughts, from 1.20 to the end of 1.
const THOUGHTS: &str = "gen_ai.usage.experimental.reasoning_tokens";

/// The dialect.
pub static GOOGLE_ADK: Dialect = Dialect {
    tells: &[Tell::scope("gcp.vertex.agent", 100), Tell::key_prefix("gcp.vertex.agent.", 20)],
    keys: &[
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        // A class' name under the current name.
        Rule { values: Some(TOOL_TYPE), ..Rule::new("gen_ai.tool.type", Action::Copy(Field::ToolType)) },
        Rule::field(THOUGHTS, Field::UsageReasoningOutputTokens),
        Rule::field("gen_ai.tool_call.id", Field::ToolCallId),
        Rule::field("gcp.vertex.agent.session_id", Field::ConversationId),
        Rule::new("gcp.vertex.agent.tool_call_args", Action::Read(arguments)),
        Rule::new("gcp.vertex.agent.tool_response", Action::Read(result)),
        Rule::new("gcp.vertex.agent.llm_request", Action::Members(REQUEST)),
        Rule::new("gcp.vertex.agent.llm_response", Action::Members(RESPONSE)),
        Rule::keep("gcp.vertex.agent.invocation_id", Reason::NoHome),
        Rule::keep("gcp.vertex.agent.event_id", Reason::NoHome),
        Rule::keep("gcp.vertex.agent.data", Reason::NoHome),
        Rule::keep("gen_ai.usage.experimental.reasoning_tokens_limit", Reason::NoHome),
        Rule::keep("gen_ai.usage.experimental.system_instruction_tokens", Reason::NoHome),
    ],
    kept: &[("gcp.vertex.agent.", Reason::Unknown)],
    span_names: &[
        SpanName::Exact("call_llm"),
        SpanName::Exact("invocation"),
        SpanName::Exact("tool_call"),
        SpanName::Exact("tool_response"),
        SpanName::Prefix("generate_content"),
        SpanName::Prefix("agent_run ["),
        SpanName::Prefix("invoke_agent"),
        SpanName::Prefix("execute_tool"),
    ],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// The names of classes.
static TOOL_TYPE: &values::Table = &[
    ("FunctionTool", Some("function")),
    ("LongRunningFunctionTool", Some("function")),
    ("AuthenticatedFunctionTool", Some("function")),
    ("BaseTool", Some("function")),
    ("AgentTool", Some("function")),
    ("MCPTool", Some("function")),
    ("RestApiTool", Some("function")),
    ("LangchainTool", Some("function")),
    ("CrewaiTool", Some("function")),
    ("TransferToAgentTool", Some("function")),
    ("LoadMemoryTool", Some("function")),
    ("LoadArtifactsTool", Some("function")),
    ("GoogleSearchTool", Some("extension")),
    ("UrlContextTool", Some("extension")),
    ("VertexAiSearchTool", Some("datastore")),
    ("function", Some("function")),
    ("extension", Some("extension")),
    ("datastore", Some("datastore")),
];

static MIME_TYPE: &values::Table =
    &[("application/json", Some("json")), ("text/plain", Some("text")), ("json", Some("json")), ("text", Some("text"))];

const REQUEST: &[Rule] = &[
    Rule::field("model", Field::RequestModel),
    Rule::new("contents", Action::Input),
    Rule::new("config.system_instruction", Action::Instructions),
    Rule::new("config.tools", Action::Tools),
    Rule::field("config.temperature", Field::RequestTemperature),
    Rule::field("config.top_p", Field::RequestTopP),
    Rule::field("config.top_k", Field::RequestTopK),
    Rule::field("config.max_output_tokens", Field::RequestMaxTokens),
    Rule::field("config.stop_sequences", Field::RequestStopSequences),
    Rule::field("config.seed", Field::RequestSeed),
    Rule::field("config.candidate_count", Field::RequestChoiceCount),
    Rule::field("config.frequency_penalty", Field::RequestFrequencyPenalty),
    Rule::field("config.presence_penalty", Field::RequestPresencePenalty),
    Rule::mapped("config.response_mime_type", Field::OutputType, MIME_TYPE),
];

const RESPONSE: &[Rule] = &[
    Rule::field("model_version", Field::ResponseModel),
    Rule::new("content", Action::Output),
    Rule::new("finish_reason", Action::Read(finish_reason)),
    Rule::new("usage_metadata", Action::Read(body::usage)),
];

/// In capitals here, beside its attribute in small letters.
fn finish_reason<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Value::Str(reason) = value else { return Verdict::Kept(Reason::Uncoercible) };
    match operation.get(Field::ResponseFinishReasons) {
        Some(Scalar::Strings(known)) if known.iter().any(|known| known.eq_ignore_ascii_case(reason)) => {
            Verdict::Expressed
        }
        Some(_) => Verdict::Kept(Reason::Conflict),
        None => {
            let reason = reason.to_ascii_lowercase();
            operation.offer(Field::ResponseFinishReasons, Scalar::Strings(vec![reason.into()]));
            Verdict::Expressed
        }
    }
}

fn arguments<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    said(operation, Field::ToolCallArguments, value)
}

fn result<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    said(operation, Field::ToolCallResult, value)
}

fn said<'a>(operation: &mut Operation<'a>, field: Field, value: &Value<'a>) -> Verdict {
    const NOTHING: &[&str] = &["", "{}", "N/A", "<not specified>"];
    let Value::Str(text) = value else { return Verdict::Kept(Reason::Uncoercible) };
    if NOTHING.contains(&text.trim_matches('"')) {
        return Verdict::Discarded(Reason::Empty);
    }
    match operation.offer(field, Scalar::Str(text.clone())) {
        Offered::Conflict => Verdict::Kept(Reason::Conflict),
        Offered::Taken | Offered::Equal => Verdict::Expressed,
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let named = |start: &str| seen.name.strip_prefix(start);
    if operation.get(Field::OperationName).is_none() {
        let name = match seen.name {
            "call_llm" => "generate_content",
            "invocation" => "invoke_workflow",
            "tool_call" | "tool_response" => "execute_tool",
            _ if named("agent_run [").or(named("invoke_agent ")).is_some() => "invoke_agent",
            _ if named("execute_tool ").is_some() => "execute_tool",
            _ => "",
        };
        if !name.is_empty() {
            operation.set(Field::OperationName, Scalar::Str(name.into()));
        }
    }
    if let Some(agent) = named("agent_run [").and_then(|rest| rest.strip_suffix(']')) {
        operation.offer(Field::AgentName, Scalar::Str(agent.to_owned().into()));
    }
    // Which of Google's services it was is said by the model at most.
    let is_framework = seen.get("gen_ai.system").and_then(Value::as_str) == Some("gcp.vertex.agent");
    if is_framework && operation.get(Field::ProviderName).is_none() {
        let provider = match operation.text(Field::RequestModel) {
            None => return,
            Some(model) if model.starts_with("projects/") => "gcp.vertex_ai",
            Some(model) => match model.split_once('/').map(|(prefix, _)| values::look(values::PROVIDER, prefix)) {
                Some(Mapped::To(provider)) => provider,
                Some(_) => return,
                None => values::provider_of_model(model).unwrap_or("gcp.gen_ai"),
            },
        };
        operation.set(Field::ProviderName, Scalar::Str(provider.into()));
    }
    candidates(operation, seen);
}

/// Gemini counts thoughts beside the candidates, which are what the output says where the thoughts have this
/// key: a total that says so. Other providers' output comes through LiteLLM, and holds them.
fn candidates(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let is_google = operation.text(Field::ProviderName).is_some_and(|provider| provider.starts_with("gcp."));
    if !is_google || seen.get(THOUGHTS).is_none() {
        return;
    }
    let fields = [Field::UsageInputTokens, Field::UsageOutputTokens, Field::UsageReasoningOutputTokens];
    let total = fields.iter().filter_map(|field| operation.int(*field)).fold(0, i64::saturating_add);
    operation.offer(Field::UsageTotalTokens, Scalar::Int(total));
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.system",
            "gcp.vertex.agent.llm_request",
            "gcp.vertex.agent.llm_response",
            "gcp.vertex.agent.tool_call_args",
            "gcp.vertex.agent.tool_response",
            "gcp.vertex.agent.session_id",
            "gcp.vertex.agent.invocation_id",
            "gcp.vertex.agent.event_id",
            "gcp.vertex.agent.data",
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.experimental.reasoning_tokens",
            "gen_ai.usage.experimental.reasoning_tokens_limit",
            "gen_ai.usage.experimental.system_instruction_tokens",
            "gen_ai.tool.type",
            "gen_ai.tool_call.id",
            "gen_ai.response.finish_reasons",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

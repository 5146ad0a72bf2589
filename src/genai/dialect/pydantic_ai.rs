//! Pydantic AI in all formats of its instrumentation, 1 to 6.
//!
//! One scope, `pydantic-ai`, for all of them, so the keys decide. Format 1 writes lists of message
//! events, later ones parts; agents hold the whole history in one list and the answer apart. Agents
//! repeat the usage of their calls, until 2.x under the calls' own keys, since then under
//! `gen_ai.aggregated_usage.*`, which stays.

use super::{Action, Dialect, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::candidate::answers;
use crate::genai::content::{self, json};
use crate::genai::convention::OUTPUT_MESSAGES;
use crate::genai::field::Field;
use crate::genai::message::{Message, Part};
use crate::genai::operation::{Content, Operation, Scalar, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "pydantic-ai";

/// The dialect.
pub static PYDANTIC_AI: Dialect = Dialect {
    tells: &[
        Tell::scope("pydantic-ai", 100),
        Tell::key("pydantic_ai.all_messages", 20),
        Tell::key("all_messages_events", 20),
        Tell::key("model_request_parameters", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::own("agent_name", Action::Field(Field::AgentName)),
        Rule::own("model_name", Action::Field(Field::RequestModel)),
        Rule::own("tool_arguments", Action::Field(Field::ToolCallArguments)),
        Rule::own("tool_response", Action::Field(Field::ToolCallResult)),
        // The conversation, of which the quirk tells what was said from what was answered.
        Rule::own("events", Action::Input),
        Rule::new("all_messages_events", Action::Input),
        Rule::new("pydantic_ai.all_messages", Action::Input),
        Rule::own("final_result", Action::Output),
        Rule::new("model_request_parameters", Action::Read(parameters)),
        Rule::field("gen_ai.usage.details.cache_read_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.details.cache_write_tokens", Field::UsageCacheWriteInputTokens),
        Rule::field("gen_ai.usage.details.reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::field("gen_ai.usage.details.cached_content_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.details.thoughts_tokens", Field::UsageReasoningOutputTokens),
        Rule::field("gen_ai.usage.details.input_audio_tokens", Field::UsageAudioInputTokens),
        Rule::field("gen_ai.usage.details.output_audio_tokens", Field::UsageAudioOutputTokens),
        Rule::field("gen_ai.usage.details.cache_audio_read_tokens", Field::UsageAudioCacheReadInputTokens),
        Rule::field("gen_ai.client.operation.time_to_first_chunk", Field::ResponseTimeToFirstChunk),
        Rule::keep("gen_ai.agent.call.id", Reason::NoHome),
        Rule::keep("operation.cost", Reason::NoHome),
        // Of embeddings, whose texts no target has a place for.
        Rule::own("inputs", Action::Keep(Reason::NoHome)),
        Rule::own("inputs_count", Action::Keep(Reason::NoHome)),
        Rule::own("input_type", Action::Keep(Reason::NoHome)),
        Rule::own("embedding_settings", Action::Keep(Reason::NoHome)),
        Rule::own("embeddings", Action::Keep(Reason::NoHome)),
        Rule::own("tools", Action::Keep(Reason::NoHome)),
    ],
    kept: &[
        // Words of the provider, of which the above are the ones that all share.
        ("gen_ai.usage.details.", Reason::NoHome),
        ("gen_ai.aggregated_usage.", Reason::NoHome),
        ("pydantic_ai.cache.", Reason::NoHome),
        ("pydantic_ai.", Reason::Unknown),
        ("logfire.", Reason::NoHome),
    ],
    // `agent run`, `running tool`; since format 3 the conventions' own.
    span_names: &[SpanName::Any],
    counts: super::Counts::INCLUSIVE,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

/// What was asked of the model beside messages: tools, those for its final answer included, and how
/// that is to be given.
fn parameters<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let Some(object) = value.as_str().and_then(json::parse).filter(|node| node.is_object()) else {
        return Verdict::Kept(Reason::Shape);
    };
    let lists = ["function_tools", "output_tools"].map(|name| object.get(name));
    let tools: Vec<&str> = lists.iter().flatten().flat_map(|list| list.elements()).map(json::Node::text).collect();
    if operation.tools.is_absent()
        && !tools.is_empty()
        && let Some(tools) = content::tool_definitions_from_json(&format!("[{}]", tools.join(",")), false)
    {
        // A list of its own, which a current one displaces.
        operation.tools = Content::Read(tools.into_iter().map(|tool| tool.into_owned()).collect());
    }
    let mode = object.get("output_mode").and_then(json::Node::as_str);
    if matches!(mode.as_deref(), Some("native" | "prompted")) {
        operation.offer(Field::OutputType, Scalar::Str("json".into()));
    }
    Verdict::Kept(Reason::SaysMore)
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if operation.get(Field::OperationName).is_none()
        && let Some(name) = operation_of(seen.name)
    {
        operation.set(Field::OperationName, Scalar::Str(name.into()));
    }
    if ["events", "all_messages_events", "pydantic_ai.all_messages"].iter().any(|key| seen.get(key).is_some()) {
        split(operation, seen);
    }
}

/// Up to format 2 the span's name is all that says it.
fn operation_of(name: &str) -> Option<&'static str> {
    match name {
        "agent run" => Some("invoke_agent"),
        "running tool" => Some("execute_tool"),
        _ if name.starts_with("invoke_agent") => Some("invoke_agent"),
        _ if ["running tool: ", "running output function", "execute_tool"]
            .iter()
            .any(|start| name.starts_with(start)) =>
        {
            Some("execute_tool")
        }
        _ => None,
    }
}

/// A conversation ends with what the model said last; before that it was said to the model.
pub(super) fn split(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    let reason = match operation.get(Field::ResponseFinishReasons) {
        Some(Scalar::Strings(reasons)) if reasons.len() == 1 => reasons.first().cloned(),
        _ => None,
    };
    let Some(messages) = operation.input.read_mut() else { return };
    let Some(mut last) = messages.pop_if(|last| last.role == "assistant") else { return };
    last.finish_reason = last.finish_reason.or(reason);
    match &mut operation.output {
        Content::Absent => operation.output = Content::Read(vec![last]),
        // The answer's text stands apart as well: the message says more of it.
        Content::Read(output) if output.iter().all(|said| is_within(said, &last)) => *output = vec![last],
        // A pass before this one put it there, and left the original.
        Content::Current if seen.get(OUTPUT_MESSAGES).is_some_and(|said| answers(said, last.clone())) => {}
        Content::Read(_) | Content::Current | Content::InFields => messages.push(last),
    }
    if messages.is_empty() {
        operation.input = Content::InFields;
    }
}

fn is_within(said: &Message<'_>, whole: &Message<'_>) -> bool {
    let text = |message: &Message<'_>| -> String {
        message.parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(&**text) } else { None }).collect()
    };
    said.parts.iter().all(|part| matches!(part, Part::Text(_))) && text(said) == text(whole)
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "events",
            "all_messages_events",
            "pydantic_ai.all_messages",
            "final_result",
            "agent_name",
            "model_name",
            "tool_arguments",
            "tool_response",
            "gen_ai.agent.call.id",
            "gen_ai.system",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.usage.details.input_audio_tokens",
            "gen_ai.usage.details.accepted_prediction_tokens",
            "gen_ai.aggregated_usage.input_tokens",
            "operation.cost",
            "model_request_parameters",
            "gen_ai.client.operation.time_to_first_chunk",
            "logfire.msg",
            "logfire.json_schema",
            "logfire.span_type",
            "logfire.level_num",
            "logfire.tags",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

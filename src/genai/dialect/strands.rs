//! Strands Agents.
//!
//! The framework stands where the provider should; both spellings of usage stand beside each other, with
//! a total; what was said stands on events, in Bedrock's blocks, and what a tool was asked and answered as
//! though they were messages. Bedrock's and Anthropic's input leaves the cache out. An agent's span has the
//! usage of the agent's whole life. Times are milliseconds under the names of metrics.
//!
//! The TypeScript SDK names its tracer, and the provider, after the service.

use super::{Action, Dialect, EventRule, Reason, Rule, SpanName, Tell, Verdict, instant};
use crate::genai::content::{json, parts_from_json, write_parts};
use crate::genai::field::Field;
use crate::genai::message::{Json, Message, Part};
use crate::genai::operation::{Content, Operation, Scalar, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "strands";

/// The dialect.
pub static STRANDS: Dialect = Dialect {
    tells: &[
        Tell::scope("strands.telemetry.tracer", 100),
        Tell::resource("service.namespace", "strands", 40),
        Tell::key("gen_ai.event.start_time", 40),
        Tell::key_prefix("event_loop.", 20),
        Tell::key_prefix("agent_loop.", 20),
    ],
    keys: &[
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::field("gen_ai.usage.cache_read_input_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.cache_write_input_tokens", Field::UsageCacheWriteInputTokens),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        Rule::new("gen_ai.server.time_to_first_token", Action::Read(instant::first_chunk_millis)),
        Rule::new("gen_ai.agent.tools", Action::Tools),
        Rule::own("session.id", Action::Copy(Field::ConversationId)),
        Rule::keep("gen_ai.server.request.duration", Reason::NoHome),
        Rule::keep("gen_ai.event.start_time", Reason::NoHome),
        Rule::keep("gen_ai.event.end_time", Reason::NoHome),
        Rule::keep("gen_ai.tool.status", Reason::NoHome),
        Rule::keep("gen_ai.tool.json_schema", Reason::NoHome),
    ],
    // The opt-in to the latest conventions, on an event of the span.
    events: &[EventRule::attributes("gen_ai.client.inference.operation.details")],
    kept: &[("event_loop.", Reason::NoHome), ("agent_loop.", Reason::NoHome)],
    span_names: &[SpanName::Exact("chat"), SpanName::Prefix("invoke_agent"), SpanName::Prefix("execute_tool")],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    for key in ["gen_ai.system", "gen_ai.provider.name"] {
        if seen.get(key).and_then(Value::as_str).is_some_and(|name| name == seen.scope_name) {
            operation.clear(Field::ProviderName);
            operation.settled.push((key, Verdict::Discarded(Reason::Copy)));
        }
    }
    // One turn of the loop: it has the messages of the call below it.
    if seen.get("agent_loop.cycle_id").is_some() && operation.named.is_none() {
        operation.named = Some("cycle".to_owned());
    }
    if operation.get(Field::ProviderName).is_none()
        && let Some(model) = operation.text(Field::RequestModel)
        && let Some(provider) = is_of_bedrock(model).then_some("aws.bedrock").or(values::provider_of_model(model))
    {
        operation.set(Field::ProviderName, Scalar::Str(provider.into()));
    }
    prove_exclusive(operation);
    if operation.text(Field::OperationName) == Some("execute_tool") {
        tool_call(operation);
    }
}

/// Whether a model is called as Bedrock calls it: by its ARN, or with its vendor before a dot, and often
/// with a region before that.
fn is_of_bedrock(model: &str) -> bool {
    const REGIONS: &[&str] = &["us.", "us-gov.", "eu.", "apac.", "global.", "jp.", "au."];
    const VENDORS: &[&str] = &[
        "amazon.",
        "anthropic.",
        "meta.",
        "mistral.",
        "cohere.",
        "ai21.",
        "deepseek.",
        "openai.",
        "qwen.",
        "stability.",
        "writer.",
    ];
    let without_region = REGIONS.iter().find_map(|region| model.strip_prefix(region)).unwrap_or(model);
    model.starts_with("arn:aws") || VENDORS.iter().any(|vendor| without_region.starts_with(vendor))
}

/// Bedrock's and Anthropic's input is without the cache. Strands makes Anthropic's total of the two counts
/// alone, so that it proves nothing.
fn prove_exclusive(operation: &mut Operation<'_>) {
    if !matches!(operation.text(Field::ProviderName), Some("aws.bedrock" | "anthropic")) {
        return;
    }
    let counts = [
        Field::UsageInputTokens,
        Field::UsageOutputTokens,
        Field::UsageCacheReadInputTokens,
        Field::UsageCacheWriteInputTokens,
    ];
    let total = counts.iter().filter_map(|field| operation.int(*field)).fold(0, i64::saturating_add);
    operation.set(Field::UsageTotalTokens, Scalar::Int(total));
}

/// What a tool was asked stands there as a message of the tool, what it answered as the model's.
fn tool_call(operation: &mut Operation<'_>) {
    let asked = operation.input.read().and_then(|messages| messages.iter().find_map(arguments));
    if let Some((id, arguments)) = asked {
        if let Some(id) = id {
            operation.offer(Field::ToolCallId, Scalar::Str(id.into()));
        }
        operation.offer(Field::ToolCallArguments, Scalar::Str(arguments.into()));
        operation.input = Content::InFields;
    }
    let answered = operation.output.read().and_then(|messages| messages.iter().find_map(result));
    if let Some(result) = answered {
        operation.offer(Field::ToolCallResult, Scalar::Str(result.into()));
        operation.output = Content::InFields;
    }
}

fn arguments(message: &Message<'_>) -> Option<(Option<String>, String)> {
    let owned = |id: &Option<std::borrow::Cow<'_, str>>| id.as_deref().map(str::to_owned);
    message.parts.iter().find_map(|part| match part {
        Part::ToolCall { id, arguments: Some(arguments), .. } => Some((owned(id), text_of(arguments))),
        // A call under the role of a tool is read as that tool's answer.
        Part::ToolCallResponse { id, response } => match parts_from_json(&response.0, false).as_deref() {
            Some([Part::ToolCall { id, arguments: Some(arguments), .. }]) => Some((owned(id), text_of(arguments))),
            _ => Some((owned(id), text_of(response))),
        },
        _ => None,
    })
}

fn result(message: &Message<'_>) -> Option<String> {
    match message.parts.as_slice() {
        [] => None,
        [Part::Text(text)] => Some(text.clone().into_owned()),
        [Part::ToolCallResponse { response, .. }] => match parts_from_json(&response.0, false).as_deref() {
            Some([Part::Text(text)]) => Some(text.clone().into_owned()),
            _ => Some(text_of(response)),
        },
        parts => {
            let mut text = String::new();
            write_parts(parts, &mut text);
            Some(text)
        }
    }
}

/// A text that is a JSON string without its quotes, any other JSON as it is.
fn text_of(Json(text): &Json<'_>) -> String {
    json::parse(text)
        .and_then(json::Node::as_str)
        .map_or_else(|| text.clone().into_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::is_of_bedrock;
    use crate::genai::dialect::coverage::unknown;

    #[test]
    fn a_models_name_tells_bedrock() {
        for model in
            ["us.anthropic.claude-sonnet-4-20250514-v1:0", "amazon.nova-pro-v1:0", "arn:aws:bedrock:us-east-1:1:x"]
        {
            assert!(is_of_bedrock(model), "{model}");
        }
        for model in ["gpt-4o-mini", "claude-sonnet-4", "usual.model", "openai/gpt-4o"] {
            assert!(!is_of_bedrock(model), "{model}");
        }
    }

    /// The keys of the fact table, a concrete one for each of its rows.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.system",
            "gen_ai.provider.name",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.total_tokens",
            "gen_ai.server.time_to_first_token",
            "gen_ai.server.request.duration",
            "gen_ai.event.start_time",
            "gen_ai.event.end_time",
            "gen_ai.agent.tools",
            "gen_ai.tool.status",
            "event_loop.cycle_id",
            "event_loop.parent_cycle_id",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

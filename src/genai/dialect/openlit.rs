//! OpenLIT, Python and TypeScript.
//!
//! | releases (Python) | what is peculiar |
//! |---|---|
//! | to 1.11 | `gen_ai.type`; content in attributes with an event's name |
//! | 1.12 to 1.16.0 | `gen_ai.prompt`, `gen_ai.completion`, one bare `gen_ai.completion.N` a choice |
//! | 1.16.1 to 1.33.8 | content in span events |
//! | 1.33.9 to 1.36.8 | attribute and event say it both; metrics' names as attributes of spans |
//! | 1.36.9 and later | current names and messages |
//!
//! The prompt is one flat text with a line `role: ` for each message. What a caller did not set is
//! written as an empty text, -1 or an invented default; of those only the first two can be told.
//! Token counts are the provider's own: Anthropic's input leaves out what the cache said.

use std::borrow::Cow;

use super::{Action, Dialect, EventRule, Family, List, Piece, Reason, Rule, SpanName, Tell, Verdict};
use crate::genai::content;
use crate::genai::field::Field;
use crate::genai::message::{Message, Part};
use crate::genai::operation::{Content, Offered, Operation, Scalar, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "openlit";

/// The dialect.
pub static OPENLIT: Dialect = Dialect {
    tells: &[
        Tell::scope_prefix("openlit.", 100),
        Tell::scope_prefix("@openlit/", 100),
        Tell::scope("openlit", 100),
        // It takes the place of the real SDK's name, on all spans of the process: also on those of
        // another instrumentation, whose scope speaks louder.
        Tell::resource("telemetry.sdk.name", "openlit", 20),
        Tell::key_prefix("openlit.", 20),
        Tell::key("gen_ai.application_name", 5),
        Tell::key("gen_ai.request.is_stream", 5),
    ],
    keys: &[
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &OPERATION),
        Rule::mapped("gen_ai.type", Field::OperationName, &OPERATION),
        Rule::new("gen_ai.endpoint", Action::Read(endpoint)),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::field("gen_ai.request.is_stream", Field::RequestStream),
        Rule::field("gen_ai.request.embedding_format", Field::RequestEncodingFormats),
        Rule::field("gen_ai.request.embedding_dimension", Field::EmbeddingsDimensionCount),
        Rule::field("gen_ai.request.reasoning_effort", Field::RequestReasoningLevel),
        Rule::field("gen_ai.request.service_tier", Field::OpenaiRequestServiceTier),
        Rule::field("gen_ai.response.service_tier", Field::OpenaiResponseServiceTier),
        Rule::field("gen_ai.response.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        Rule::field("gen_ai.response.finish_reason", Field::ResponseFinishReasons),
        Rule::field("gen_ai.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        // The name of a metric, on a span.
        Rule::new("gen_ai.client.token.usage", Action::Total),
        Rule::field("gen_ai.usage.reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::field("gen_ai.usage.completion_tokens_details.reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::field("gen_ai.usage.completion_tokens_details.reasoning", Field::UsageReasoningOutputTokens),
        Rule::field("gen_ai.usage.completion_tokens_details.audio", Field::UsageAudioOutputTokens),
        Rule::field("gen_ai.usage.prompt_tokens_details.cached_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.prompt_tokens_details.cache_read", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.prompt_tokens_details.cache_creation_tokens", Field::UsageCacheWriteInputTokens),
        Rule::field("gen_ai.usage.prompt_tokens_details.cache_write", Field::UsageCacheWriteInputTokens),
        Rule::new("gen_ai.server.time_to_first_token", Action::Read(time_to_first_token)),
        Rule::new("gen_ai.client.operation.time_to_first_chunk", Action::Read(time_to_first_token)),
        Rule::keep("gen_ai.client.operation.time_per_output_chunk", Reason::NoHome),
        // Content as attributes.
        Rule::new("gen_ai.prompt", Action::Input),
        Rule::new("gen_ai.content.prompt", Action::Input),
        Rule::new("gen_ai.completion", Action::Piece(List::Output, Piece::Content)),
        Rule::new("gen_ai.content.completion", Action::Piece(List::Output, Piece::Content)),
        Rule::new("gen_ai.content.reasoning", Action::Piece(List::Output, Piece::Reasoning)),
        Rule::new("gen_ai.response.tool_calls", Action::Piece(List::Output, Piece::Calls)),
        // Python's text of a dictionary, where LangChain called the tool.
        Rule::field("gen_ai.tool.call.arguments", Field::ToolCallArguments),
        Rule::field("gen_ai.tool.call.result", Field::ToolCallResult),
        // Tools. On the span of a call these repeat the calls, joined by commas.
        Rule::field("gen_ai.tool.input", Field::ToolCallArguments),
        Rule::field("gen_ai.tool.output", Field::ToolCallResult),
        Rule::new(
            "gen_ai.tool.args",
            Action::ByOperation(&[
                ("execute_tool", Action::Field(Field::ToolCallArguments)),
                ("", Action::Keep(Reason::Copy)),
            ]),
        ),
        Rule::field("gen_ai.tool.call.type", Field::ToolType),
        Rule::field("gen_ai.retrieval.query", Field::RetrievalQueryText),
        // MCP.
        Rule::field("mcp.method", Field::McpMethodName),
        Rule::field("mcp.message_id", Field::JsonrpcRequestId),
        Rule::field("mcp.error.code", Field::RpcResponseStatusCode),
        Rule::field("mcp.tool.name", Field::ToolName),
        Rule::field("mcp.tool.description", Field::ToolDescription),
        Rule::field("mcp.tool.arguments", Field::ToolCallArguments),
        Rule::field("mcp.tool.result", Field::ToolCallResult),
        Rule::field("mcp.prompt.name", Field::PromptName),
        Rule::mapped("mcp.transport.type", Field::NetworkTransport, &TRANSPORT),
        // No target has words for these.
        Rule::new("gen_ai.request.user", Action::Sentinel("")),
        Rule::keep("gen_ai.request.tool_choice", Reason::NoHome),
        Rule::keep("gen_ai.request.safe_prompt", Reason::NoHome),
        Rule::keep("gen_ai.request.provider", Reason::NoHome),
        Rule::keep("gen_ai.usage.cost", Reason::NoHome),
        Rule::keep("gen_ai.server.time_per_output_token", Reason::NoHome),
        Rule::keep("gen_ai.client.operation.duration", Reason::NoHome),
        Rule::keep("gen_ai.duration", Reason::NoHome),
        Rule::keep("gen_ai.environment", Reason::NoHome),
        Rule::keep("gen_ai.application_name", Reason::NoHome),
        Rule::keep("gen_ai.sdk.version", Reason::NoHome),
        Rule::keep("gen_ai.content.revised_prompt", Reason::NoHome),
        Rule::keep("gen_ai.response.image", Reason::NoHome),
        Rule::keep("gen_ai.retrieval.source", Reason::NoHome),
        Rule::keep("gen_ai.retrieval.document_count", Reason::NoHome),
        Rule::keep("gen_ai.data_source_count", Reason::NoHome),
        Rule::keep("gen_ai.user.id", Reason::NoHome),
        Rule::keep("gen_ai.run.id", Reason::NoHome),
        // What a graph was given and gave: representations of Python objects, no messages.
        Rule::keep("gen_ai.workflow.input", Reason::NoHome),
        Rule::keep("gen_ai.workflow.output", Reason::NoHome),
        Rule::keep("gen_ai.workflow.type", Reason::NoHome),
        Rule::keep("gen_ai.execution.mode", Reason::NoHome),
        Rule::keep("gen_ai.checkpoint.id", Reason::NoHome),
        // The names of a graph's nodes, where there is a graph.
        Rule::keep("gen_ai.agent.tools", Reason::NoHome),
        Rule::keep("gen_ai.agent.type", Reason::NoHome),
        Rule::keep("gen_ai.agent.role", Reason::NoHome),
        Rule::keep("gen_ai.agent.goal", Reason::NoHome),
        Rule::keep("gen_ai.agent.context", Reason::NoHome),
        Rule::keep("gen_ai.agent.task", Reason::NoHome),
        Rule::keep("gen_ai.agent.instructions", Reason::NoHome),
        Rule::keep("gen_ai.agent.params", Reason::NoHome),
        Rule::keep("gen_ai.agent.expected_output", Reason::NoHome),
        Rule::keep("gen_ai.agent.actual_output", Reason::NoHome),
        Rule::keep("gen_ai.agent.max_retry_limit", Reason::NoHome),
        Rule::keep("gen_ai.agent.step_count", Reason::NoHome),
        Rule::keep("gen_ai.agent.source", Reason::NoHome),
    ],
    families: &[Family {
        // The text itself, without a member: OpenLLMetry has `.content` there.
        prefix: "gen_ai.completion.",
        list: List::Output,
        pieces: &[("", Piece::Content)],
        unindexed: &[],
    }],
    events: &[
        EventRule::message("gen_ai.content.prompt", List::Input, "user", &["gen_ai.prompt"]),
        EventRule::message("gen_ai.content.completion", List::Output, "assistant", COMPLETION),
        // One a choice, where several were asked for.
        EventRule::message("gen_ai.content.completion.*", List::Output, "assistant", COMPLETION),
        // Their spelling of `gen_ai.tool.message`.
        EventRule::message("gen_ai.tools.message", List::Input, "tool", &["content", "gen_ai.event.content"]),
    ],
    kept: &[
        ("gen_ai.graph.", Reason::NoHome),
        ("gen_ai.rag.", Reason::NoHome),
        ("gen_ai.hub.", Reason::NoHome),
        ("gen_ai.eval.", Reason::NoHome),
        ("gen_ai.action.", Reason::NoHome),
        ("gen_ai.framework.", Reason::NoHome),
        ("gen_ai.serialized.", Reason::NoHome),
        ("gen_ai.request.audio_", Reason::NoHome),
        ("gen_ai.request.image_", Reason::NoHome),
        ("gen_ai.request.fine_tune_", Reason::NoHome),
        ("gen_ai.agent.task", Reason::NoHome),
        ("gen_ai.agent.enable_", Reason::NoHome),
        ("gen_ai.agent.allow_", Reason::NoHome),
        ("gen_ai.agent.action.", Reason::NoHome),
        ("gen_ai.agent.finish.", Reason::NoHome),
        ("openlit.agent.", Reason::NoHome),
        ("openlit.score.", Reason::NoHome),
        ("openlit.", Reason::Unknown),
    ],
    // `{vendor}.{endpoint}` until 1.33.8, `{operation} {model}` since.
    span_names: &[
        SpanName::Prefix("openai."),
        SpanName::Prefix("anthropic."),
        SpanName::Prefix("cohere."),
        SpanName::Prefix("mistral."),
        SpanName::Prefix("bedrock."),
        SpanName::Prefix("vertexai."),
        SpanName::Prefix("google."),
        SpanName::Prefix("google_ai_studio."),
        SpanName::Prefix("gemini."),
        SpanName::Prefix("groq."),
        SpanName::Prefix("ollama."),
        SpanName::Prefix("azure_openai."),
        SpanName::Prefix("azure.ai.inference."),
        SpanName::Prefix("litellm."),
        SpanName::Prefix("together."),
        SpanName::Prefix("ai21."),
        SpanName::Prefix("vllm."),
        SpanName::Prefix("reka."),
        SpanName::Prefix("premai."),
        SpanName::Prefix("gpt4all."),
        SpanName::Prefix("chat "),
        SpanName::Prefix("text_completion "),
        SpanName::Prefix("embeddings "),
        SpanName::Prefix("execute_tool "),
        SpanName::Prefix("invoke_agent "),
        SpanName::Prefix("invoke_workflow "),
        SpanName::Prefix("create_agent "),
        SpanName::Prefix("retrieval "),
        SpanName::Prefix("mcp "),
    ],
    python: true,
    counts_as_provider: true,
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const COMPLETION: &[&str] = &["gen_ai.completion"];

/// Written where tools were passed, whatever the model answered, even if content is not to be shown.
const PLACEHOLDER: &str = "Function called with tools";

/// `gen_ai.type`, and the words under `gen_ai.operation.name`. Images and audio are operations of
/// its own and pass; a framework or a database is none.
static OPERATION: [(&str, Option<&str>); 17] = [
    ("chat", Some("chat")),
    ("completion", Some("text_completion")),
    ("text_completion", Some("text_completion")),
    ("embedding", Some("embeddings")),
    ("embeddings", Some("embeddings")),
    ("agent", Some("invoke_agent")),
    ("tool", Some("execute_tool")),
    ("mcp_tool_call", Some("execute_tool")),
    ("mcp_*", None),
    ("framework", None),
    ("vectordb", None),
    ("memory", None),
    ("guard", None),
    ("execute_task", None),
    ("unknown", None),
    ("none", None),
    ("", None),
];

/// How MCP's messages travel, in the words of `network.transport`.
static TRANSPORT: [(&str, Option<&str>); 6] = [
    ("stdio", Some("pipe")),
    ("sse", Some("tcp")),
    ("websocket", Some("tcp")),
    ("streamable_http", Some("tcp")),
    ("pipe", Some("pipe")),
    ("tcp", Some("tcp")),
];

/// `openai.chat.completions`: what was called, which is the operation where nothing says it.
fn endpoint<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let endpoint = value.as_str().unwrap_or_default();
    let name = match endpoint.split_once('.').map_or("", |(_, method)| method) {
        method if method.starts_with("chat") || method.starts_with("messages") || method == "converse" => "chat",
        method if method.starts_with("embed") => "embeddings",
        method if method.starts_with("completion") || method == "generate" => "text_completion",
        _ => return Verdict::Kept(Reason::NoHome),
    };
    if operation.get(Field::OperationName).is_none() && operation.named.is_none() {
        operation.offer(Field::OperationName, Scalar::Str(name.into()));
    }
    Verdict::Kept(Reason::NoHome)
}

/// A call that is not streamed has no first chunk: there it is how long the call took, or zero.
fn time_to_first_token<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let seconds = match value {
        Value::Double(seconds) => *seconds,
        Value::Int(seconds) => *seconds as f64,
        _ => return Verdict::Kept(Reason::Uncoercible),
    };
    let is_streamed = operation.get(Field::RequestStream) == Some(&Scalar::Bool(true));
    match (seconds > 0.0, is_streamed) {
        (false, _) => Verdict::Discarded(Reason::Empty),
        (true, false) => Verdict::Kept(Reason::NoHome),
        (true, true) => match operation.offer(Field::ResponseTimeToFirstChunk, Scalar::Double(seconds)) {
            Offered::Conflict => Verdict::Kept(Reason::Conflict),
            _ => Verdict::Expressed,
        },
    }
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if seen.get("gen_ai.input.messages").is_none() {
        flat_prompt(operation);
    }
    placeholder(operation);
    called_tools(operation, seen);
}

/// `system: Be terse.\nuser: Hello`, as it stands in the only message so far.
fn flat_prompt(operation: &mut Operation<'_>) {
    let is_embedding = operation.text(Field::OperationName) == Some("embeddings");
    let Some(messages) = operation.input.read_mut() else { return };
    let [Message { role, parts, .. }] = messages.as_slice() else { return };
    let (true, [Part::Text(text)]) = (role == "user", parts.as_slice()) else { return };
    let split = match is_embedding {
        true => inputs(text),
        false => turns(text),
    };
    if !split.is_empty() {
        *messages = split;
    }
}

/// Each of several texts to embed.
fn inputs(text: &str) -> Vec<Message<'static>> {
    let Some(list) = content::json::parse(text).filter(|node| node.is_array()) else { return Vec::new() };
    let texts: Option<Vec<_>> = list.elements().map(|node| node.as_str()).collect();
    let message = |text: Cow<'_, str>| Message {
        role: "user".into(),
        parts: vec![Part::Text(text.into_owned().into())],
        ..Message::default()
    };
    texts.into_iter().flatten().map(message).collect()
}

/// The turns of a flat prompt; none if it does not begin with a role.
fn turns(text: &str) -> Vec<Message<'static>> {
    const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool", "function", "human", "ai", "model"];
    let mut turns: Vec<(&str, String)> = Vec::new();
    for line in text.split('\n') {
        let begins = line.split_once(": ").or(line.strip_suffix(':').map(|role| (role, "")));
        match begins.filter(|(role, _)| ROLES.contains(role)) {
            Some((role, rest)) => turns.push((role, rest.to_owned())),
            None => match turns.last_mut() {
                Some((_, content)) => {
                    content.push('\n');
                    content.push_str(line);
                }
                None => return Vec::new(),
            },
        }
    }
    turns.into_iter().map(|(role, content)| turn(role, content)).collect()
}

fn turn(role: &str, said: String) -> Message<'static> {
    let role = content::role(role.to_owned().into()).into_owned();
    let parts = match said.as_str() {
        // A turn of nothing but tool calls, which are not written.
        "" | "None" if role == "assistant" => Vec::new(),
        text if role == "tool" => vec![Part::ToolCallResponse { id: None, response: content::json_string(text) }],
        _ => vec![Part::Text(said.into())],
    };
    Message { role: role.into(), parts, ..Message::default() }
}

/// The placeholder is no answer.
fn placeholder(operation: &mut Operation<'_>) {
    let Some(messages) = operation.output.read_mut() else { return };
    let is_placeholder = |part: &Part<'_>| matches!(part, Part::Text(text) if text == PLACEHOLDER);
    if !messages.iter().any(|message| message.parts.iter().any(is_placeholder)) {
        return;
    }
    for message in messages.iter_mut() {
        message.parts.retain(|part| !is_placeholder(part));
    }
    if messages.iter().all(|message| message.parts.is_empty()) {
        operation.output = Content::Absent;
    }
}

/// The calls of an answer, which stand in the tool's keys too, joined by commas: what the messages say
/// goes there, and a single call that they do not say is added to them.
fn called_tools<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if operation.text(Field::OperationName) != Some("chat") {
        return;
    }
    if let Some(name) = operation.text(Field::ToolName).filter(|name| !name.contains(", ")) {
        let text = |field| operation.text(field).map(str::to_owned);
        let arguments = text(Field::ToolCallArguments).or(seen.get("gen_ai.tool.args").and_then(as_text));
        let call = Part::ToolCall {
            id: text(Field::ToolCallId).map(Cow::Owned),
            name: Cow::Owned(name.to_owned()),
            arguments: arguments.and_then(|text| content::arguments_from_text(as_json(&text).into_owned().into())),
        };
        if let Some([message]) = operation.output.read_mut().map(Vec::as_mut_slice)
            && !message.parts.iter().any(|part| matches!(part, Part::ToolCall { .. }))
        {
            message.parts.push(call);
        }
    }
    let said = match &operation.output {
        Content::Read(messages) => calls(messages),
        Content::Current => seen
            .get("gen_ai.output.messages")
            .and_then(Value::as_str)
            .and_then(|text| content::messages_from_json(text, "assistant", false))
            .map(|messages| calls(&messages))
            .unwrap_or_default(),
        Content::Absent | Content::InFields => return,
    };
    let calls = said.len();
    for (key, field, which) in CALLED {
        let value = seen.get(key).and_then(Value::as_str).filter(|value| !value.is_empty());
        let said = said.iter().filter_map(|call| call.get(*which)).map(|text| plain(text));
        let said = said.collect::<Vec<_>>().join(",");
        if value.is_some_and(|value| plain(value) == said || plain(&as_json(value)) == said) {
            // Of several joined ones the text itself stands nowhere.
            let verdict = if calls == 1 { Verdict::Expressed } else { Verdict::Discarded(Reason::Copy) };
            operation.settled.push((key, verdict));
            operation.clear(*field);
        }
    }
}

/// A call's id, name and arguments.
type Call = [String; 3];

/// The keys of tools, and which of a call's texts stands there.
const CALLED: &[(&str, Field, usize)] = &[
    ("gen_ai.tool.call.id", Field::ToolCallId, 0),
    ("gen_ai.tool.name", Field::ToolName, 1),
    ("gen_ai.tool.args", Field::ToolCallArguments, 2),
    ("gen_ai.tool.call.arguments", Field::ToolCallArguments, 2),
];

fn calls(messages: &[Message<'_>]) -> Vec<Call> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    let call = |part: &Part<'_>| match part {
        Part::ToolCall { id, name, arguments } => {
            let arguments = arguments.as_ref().map(|json| {
                content::json::parse(&json.0).and_then(|node| node.as_str()).map_or(json.0.to_string(), Cow::into_owned)
            });
            Some([id.as_deref().unwrap_or_default().to_owned(), name.to_string(), arguments.unwrap_or_default()])
        }
        _ => None,
    };
    parts.filter_map(call).take(MAX_CALLS).collect()
}

/// Calls of one answer that are compared at most.
const MAX_CALLS: usize = 64;

/// Without blanks, for JSON is written with more or less of them.
fn plain(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Arguments as JSON, where Python's text of a dictionary stands.
fn as_json(text: &str) -> Cow<'_, str> {
    match content::json::parse(text) {
        Some(_) => text.into(),
        None => content::python::to_json(text).map_or(text.into(), Cow::Owned),
    }
}

fn as_text(value: &Value<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::turns;
    use crate::genai::dialect::coverage::unknown;
    use crate::genai::message::Part;

    /// The keys of the fact table, a concrete one for each of its rows. What it copies from the resource
    /// (`service.name`) is nobody's.
    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "gen_ai.type",
            "gen_ai.operation.name",
            "gen_ai.content.prompt",
            "gen_ai.content.completion",
            "gen_ai.prompt",
            "gen_ai.completion",
            "gen_ai.completion.0",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "gen_ai.usage.total_tokens",
            "gen_ai.client.token.usage",
            "gen_ai.response.finish_reason",
            "gen_ai.system",
            "gen_ai.request.is_stream",
            "gen_ai.request.max_tokens",
            "gen_ai.request.seed",
            "gen_ai.request.temperature",
            "gen_ai.request.top_p",
            "gen_ai.request.presence_penalty",
            "gen_ai.request.frequency_penalty",
            "gen_ai.request.stop_sequences",
            "gen_ai.request.user",
            "gen_ai.request.embedding_format",
            "gen_ai.request.embedding_dimension",
            "gen_ai.request.service_tier",
            "gen_ai.response.service_tier",
            "gen_ai.response.system_fingerprint",
            "gen_ai.usage.cost",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.completion_tokens_details.reasoning_tokens",
            "gen_ai.usage.prompt_tokens_details.cached_tokens",
            "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
            "gen_ai.tool.name",
            "gen_ai.tool.call.id",
            "gen_ai.tool.args",
            "gen_ai.tool.input",
            "gen_ai.tool.output",
            "gen_ai.retrieval.query",
            "gen_ai.content.reasoning",
            "gen_ai.server.time_to_first_token",
            "gen_ai.server.time_per_output_token",
            "gen_ai.endpoint",
            "gen_ai.environment",
            "gen_ai.application_name",
            "gen_ai.sdk.version",
            "gen_ai.input.messages",
            "gen_ai.output.messages",
            // The newest releases, and the TypeScript SDK.
            "openlit.agent.version_hash",
            "gen_ai.graph.node.0.name",
            "gen_ai.graph.status",
            "gen_ai.execution.mode",
            "gen_ai.workflow.input",
            "gen_ai.workflow.output",
            "gen_ai.agent.tools",
            "gen_ai.client.operation.duration",
            "gen_ai.usage.prompt_tokens_details.cache_read",
            "gen_ai.usage.completion_tokens_details.audio",
            "mcp.method",
            "mcp.tool.name",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }

    #[test]
    fn a_line_that_begins_with_a_role_begins_a_turn() {
        let said = |text: &str| {
            let turns = turns(text).into_iter().map(|message| match message.parts.as_slice() {
                [Part::Text(text)] => format!("{}|{text}", message.role),
                parts => format!("{}|{}", message.role, parts.len()),
            });
            turns.collect::<Vec<_>>()
        };
        assert_eq!(said("system: a\nuser: b: c\nnote: d\n"), ["system|a", "user|b: c\nnote: d\n"]);
        assert_eq!(said("assistant: None\nuser:"), ["assistant|0", "user|"]);
        assert_eq!(said("Is this it?\nuser: no"), [""; 0]);
        assert_eq!(said(""), [""; 0]);
    }
}

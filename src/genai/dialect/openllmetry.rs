//! OpenLLMetry by Traceloop, Python and JavaScript, from 0.16 (`llm.*`) over 0.17 to 0.53
//! (`gen_ai.prompt.N.*`) to the packages that speak the current names.
//!
//! The scope's name is no proof: the official packages share some of them. OpenLLMetry's scopes have
//! a version 0.x and no schema URL. The wrappers of workflows, tasks, agents and tools
//! (`traceloop.*`) say what an operation is and keep their own keys, which say more.

use std::borrow::Cow;

use super::{Action, Dialect, EventRule, Family, List, Piece, Reason, Rule, Sign, SpanName, Tell, Verdict};
use crate::genai::content::{self, json};
use crate::genai::field::Field;
use crate::genai::message::{Document, Json, Message, Part};
use crate::genai::operation::{Content, Operation, Scalar, Seen};
use crate::genai::values;
use crate::otlp::value::Value;

/// The dialect's name.
pub const NAME: &str = "openllmetry";

/// The dialect.
pub static OPENLLMETRY: Dialect = Dialect {
    tells: &[
        Tell::scope("traceloop.tracer", 100),
        Tell::scope_prefix("@traceloop/", 100),
        Tell { sign: Sign::UnversionedScopePrefix("opentelemetry.instrumentation."), weight: 50 },
        Tell::key_prefix("traceloop.", 20),
        // Louder than all current names together, which a translation adds.
        Tell::key("llm.request.type", 5),
    ],
    keys: &[
        // 0.48 and later, package by package: current names with words of its own.
        Rule::mapped("gen_ai.operation.name", Field::OperationName, &OPERATION),
        Rule::mapped("gen_ai.provider.name", Field::ProviderName, values::PROVIDER),
        // All eras.
        Rule::mapped("llm.request.type", Field::OperationName, &OPERATION),
        Rule {
            values: Some(values::TRACELOOP_KIND),
            ..Rule::new("traceloop.span.kind", Action::Copy(Field::OperationName))
        },
        Rule::mapped("gen_ai.system", Field::ProviderName, values::PROVIDER),
        Rule::mapped("llm.vendor", Field::ProviderName, values::PROVIDER),
        Rule::field("llm.request.model", Field::RequestModel),
        Rule::field("llm.response.model", Field::ResponseModel),
        Rule::field("gen_ai.response.0.id", Field::ResponseId),
        Rule::field("llm.request.max_tokens", Field::RequestMaxTokens),
        Rule::field("gen_ai.request.max_completion_tokens", Field::RequestMaxTokens),
        Rule::field("llm.watsonx.max_new_tokens", Field::RequestMaxTokens),
        Rule::field("llm.temperature", Field::RequestTemperature),
        Rule::field("llm.top_p", Field::RequestTopP),
        Rule::field("llm.top_k", Field::RequestTopK),
        Rule::field("llm.frequency_penalty", Field::RequestFrequencyPenalty),
        Rule::field("llm.presence_penalty", Field::RequestPresencePenalty),
        Rule::field("llm.chat.stop_sequences", Field::RequestStopSequences),
        Rule::field("llm.watsonx.random_seed", Field::RequestSeed),
        // How many neighbours a vector database was asked for; not how many tokens were sampled from.
        Rule::keep("db.vector.query.top_k", Reason::NoHome),
        Rule::field("gen_ai.request.n", Field::RequestChoiceCount),
        Rule::field("llm.is_streaming", Field::RequestStream),
        Rule::field("gen_ai.is_streaming", Field::RequestStream),
        Rule::field("gen_ai.request.reasoning_effort", Field::RequestReasoningLevel),
        Rule::field("llm.request.reasoning_effort", Field::RequestReasoningLevel),
        Rule::new("gen_ai.request.structured_output_schema", Action::Read(structured_output)),
        Rule::field("llm.response.finish_reason", Field::ResponseFinishReasons),
        Rule::field("llm.response.stop_reason", Field::ResponseFinishReasons),
        Rule::field("gen_ai.response.finish_reason", Field::ResponseFinishReasons),
        Rule::field("gen_ai.response.stop_reason", Field::ResponseFinishReasons),
        Rule::field("gen_ai.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("llm.usage.prompt_tokens", Field::UsageInputTokens),
        Rule::field("gen_ai.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::field("llm.usage.completion_tokens", Field::UsageOutputTokens),
        Rule::new("llm.usage.total_tokens", Action::Total),
        Rule::new("gen_ai.usage.total_tokens", Action::Total),
        Rule::field("gen_ai.usage.cache_read_input_tokens", Field::UsageCacheReadInputTokens),
        Rule::field("gen_ai.usage.cache_creation_input_tokens", Field::UsageCacheWriteInputTokens),
        Rule::field("gen_ai.usage.reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::field("llm.usage.reasoning_tokens", Field::UsageReasoningOutputTokens),
        Rule::new("gen_ai.openai.api_base", Action::Url),
        Rule::new("openai.api_base", Action::Url),
        Rule::field("gen_ai.openai.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        Rule::field("gen_ai.openai.response.system_fingerprint", Field::OpenaiResponseSystemFingerprint),
        Rule::field("traceloop.prompt.key", Field::PromptName),
        Rule::new("traceloop.prompt.version", Action::Copy(Field::PromptVersion)),
        // The OpenAI package made text of a missing value. Real headers can hold secrets.
        Rule::new("llm.headers", Action::Sentinel("None")),
        Rule::keep("gen_ai.headers", Reason::NoHome),
        Rule::keep("llm.user", Reason::NoHome),
        Rule::keep("gen_ai.user", Reason::NoHome),
        Rule::keep("llm.request.repetition_penalty", Reason::NoHome),
        Rule::keep("gen_ai.request.repetition_penalty", Reason::NoHome),
        Rule::keep("gen_ai.request.reasoning_summary", Reason::NoHome),
        Rule::keep("gen_ai.response.reasoning_effort", Reason::NoHome),
        Rule::keep("gen_ai.request.thinking.budget_tokens", Reason::NoHome),
        Rule::keep("gen_ai.request.thinking_type", Reason::NoHome),
        Rule::keep("gen_ai.openai.api_version", Reason::NoHome),
        Rule::keep("gen_ai.openai.api_type", Reason::NoHome),
        // Beside the families, without a number.
        Rule::keep("gen_ai.prompt.prompt_filter_results", Reason::NoHome),
        Rule::new("gen_ai.prompt.prompt_error", Action::Read(prompt_error)),
        Rule::keep("gen_ai.completion.content_filter_results", Reason::NoHome),
        Rule::keep("gen_ai.workflow.nodes", Reason::NoHome),
        Rule::keep("gen_ai.workflow.edges", Reason::NoHome),
        // `{"method":"tools/list","params":null}` on the spans of the package for MCP.
        Rule::new("traceloop.entity.input", Action::Marks),
        Rule::keep("mcp.request.argument", Reason::NoHome),
        Rule::keep("mcp.response.value", Reason::NoHome),
        Rule::field("mcp.request.id", Field::JsonrpcRequestId),
        Rule::keep("mcp.session.init_options", Reason::NoHome),
    ],
    families: &[
        Family { prefix: "llm.prompts.", list: List::Input, pieces: MESSAGE, unindexed: &[] },
        Family { prefix: "llm.completions.", list: List::Output, pieces: MESSAGE, unindexed: &[] },
        Family { prefix: "gen_ai.prompt.", list: List::Input, pieces: MESSAGE, unindexed: &[] },
        Family {
            prefix: "gen_ai.completion.",
            list: List::Output,
            pieces: MESSAGE,
            // LlamaIndex writes the only answer without a number.
            unindexed: &[("role", Piece::Role), ("content", Piece::Content)],
        },
        Family {
            prefix: "llm.request.functions.",
            list: List::Tools,
            pieces: &[
                ("name", Piece::ToolName),
                ("description", Piece::ToolDescription),
                ("parameters", Piece::ToolParameters),
                // The Anthropic package's word.
                ("input_schema", Piece::ToolParameters),
            ],
            unindexed: &[],
        },
    ],
    events: &[EventRule::chunk("llm.content.completion.chunk"), EventRule::chunk("gen_ai.content.completion.chunk")],
    variables: &["traceloop.prompt.template_variables."],
    kept: &[
        // Of a hand-over of the OpenAI Agents SDK; the agents have spans of their own.
        ("gen_ai.handoff.", Reason::NoHome),
        ("traceloop.entity.", Reason::NoHome),
        ("traceloop.workflow.", Reason::NoHome),
        ("traceloop.span.", Reason::NoHome),
        ("traceloop.association.", Reason::NoHome),
        ("traceloop.correlation.", Reason::NoHome),
        ("traceloop.prompt.", Reason::NoHome),
        ("traceloop.", Reason::Unknown),
        ("gen_ai.task.", Reason::NoHome),
        ("llm.watsonx.", Reason::NoHome),
        ("crewai.", Reason::NoHome),
    ],
    // `openai.chat`, `anthropic.completion`, LangChain's `ChatOpenAI.chat`: unchanged through all
    // eras, in packages of the current names too.
    span_names: &[
        SpanName::Suffix(".chat"),
        SpanName::Suffix(".completion"),
        SpanName::Suffix(".embeddings"),
        SpanName::Suffix(".response"),
        SpanName::Suffix(".converse"),
        // The wrappers of the SDK; a task is no operation of the conventions.
        SpanName::Suffix(".workflow"),
        SpanName::Suffix(".agent"),
        SpanName::Suffix(".tool"),
        SpanName::Prefix("cohere."),
        // `tools/list.mcp`, `initialize.mcp`
        SpanName::Suffix(".mcp"),
    ],
    quirk: Some(quirk),
    ..Dialect::new(NAME)
};

const MESSAGE: &[(&str, Piece)] = &[
    ("role", Piece::Role),
    ("content", Piece::Content),
    // The text of a user's turn, without a role: completion endpoints.
    ("user", Piece::UserText),
    ("finish_reason", Piece::FinishReason),
    ("refusal", Piece::Refusal),
    ("reasoning", Piece::Reasoning),
    ("tool_call_id", Piece::ToolCallId),
    ("tool_calls.#.id", Piece::CallId),
    ("tool_calls.#.name", Piece::CallName),
    ("tool_calls.#.arguments", Piece::CallArguments),
    ("tool_calls.#.type", Piece::CallType),
    // Of parallel calls only the last survived: all wrote the same pair of keys.
    ("function_call.name", Piece::CallName),
    ("function_call.arguments", Piece::CallArguments),
    ("content_filter_results", Piece::Keep(Reason::NoHome)),
];

/// `llm.request.type` and the words that stand under `gen_ai.operation.name`. `execute_task` and
/// `rerank` are operations of its own and pass.
static OPERATION: [(&str, Option<&str>); 8] = [
    ("chat", Some("chat")),
    ("completion", Some("text_completion")),
    ("embedding", Some("embeddings")),
    ("embeddings", Some("embeddings")),
    ("vector_db_retrieve", Some("retrieval")),
    ("llm_request", Some("chat")),
    ("unknown", None),
    ("", None),
];

/// A schema for the answer was given: the answer is JSON.
fn structured_output<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    if value.as_str().is_some_and(|text| !matches!(text, "" | "None" | "null")) {
        operation.offer(Field::OutputType, Scalar::Str("json".into()));
    }
    Verdict::Kept(Reason::SaysMore)
}

/// The body of an error that ended the call, where nothing else says its kind.
fn prompt_error<'a>(operation: &mut Operation<'a>, value: &Value<'a>) -> Verdict {
    let node = value.as_str().and_then(json::parse);
    let error = node.map(|node| node.get("error").filter(|error| error.is_object()).unwrap_or(node));
    let kind = error.and_then(|error| ["type", "code"].into_iter().find_map(|name| error.get(name)?.as_str()));
    if let Some(kind) = kind.filter(|kind| !kind.is_empty()) {
        operation.offer(Field::ErrorType, Scalar::Str(kind.into_owned().into()));
    }
    Verdict::Kept(Reason::SaysMore)
}

fn quirk<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    if operation.text(Field::OperationName) == Some("rerank") {
        rerank(operation);
        // The documents stand there as system prompts, the scores as completions.
        operation.input = Content::Absent;
        operation.output = Content::Absent;
    }
    provider(operation, seen);
    endpoint(operation, seen);
    messages(operation, seen);
    kind(operation, seen);
    if seen.scope_name.starts_with("opentelemetry.instrumentation.mcp") {
        mcp(operation, seen);
    }
    wrapper(operation, seen);
}

/// The package for MCP: `get_weather.tool` on both sides of a call, and a span `{method}.mcp` of the
/// client for any other request.
fn mcp<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let input = seen.get("traceloop.entity.input").and_then(Value::as_str).and_then(json::parse);
    let mut offer = |field, node: Option<json::Node<'_>>| {
        if let Some(text) = node.and_then(json::Node::as_str).filter(|text| !text.is_empty()) {
            operation.offer(field, Scalar::Str(text.into_owned().into()));
        }
    };
    if seen.get("traceloop.span.kind").and_then(Value::as_str) == Some("tool") {
        offer(Field::ToolName, input.and_then(|input| input.get("tool_name")));
        if let Some(arguments) = input.and_then(|input| input.get("arguments")).filter(|node| node.is_object()) {
            operation.offer(Field::ToolCallArguments, Scalar::Str(arguments.text().to_owned().into()));
        }
        operation.offer(Field::McpMethodName, Scalar::Str("tools/call".into()));
        return;
    }
    let Some(input) = input else { return };
    let params = input.get("params");
    let method = input.get("method").and_then(json::Node::as_str).unwrap_or_default().into_owned();
    offer(Field::McpMethodName, input.get("method"));
    match method.as_str() {
        "prompts/get" => offer(Field::PromptName, params.and_then(|params| params.get("name"))),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            offer(Field::McpResourceUri, params.and_then(|params| params.get("uri")));
        }
        "tools/call" => {
            offer(Field::ToolName, params.and_then(|params| params.get("name")));
            operation.offer(Field::OperationName, Scalar::Str("execute_tool".into()));
        }
        _ => {}
    }
}

/// The client library's name stands where the service's should.
fn provider(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    if operation.is_current(Field::ProviderName) {
        return;
    }
    let provider = operation.text(Field::ProviderName).unwrap_or_default();
    let is_azure = |key| seen.get(key).and_then(Value::as_str).is_some_and(|text| !matches!(text, "" | "None"));
    let service = if seen.scope_name.ends_with(".bedrock") {
        // Old releases put the vendor of the model there.
        "aws.bedrock"
    } else if provider == "openai"
        && (is_azure("gen_ai.openai.api_version")
            || seen.get("gen_ai.openai.api_type").and_then(Value::as_str) == Some("azure"))
    {
        "azure.ai.openai"
    } else {
        return;
    };
    operation.set(Field::ProviderName, Scalar::Str(service.into()));
}

/// Spans of endpoints that complete a text, though a role stands beside it.
const TEXT_COMPLETIONS: [&str; 3] = ["cohere.completion", "ollama.completion", "together.completion"];

/// Several packages say `completion` of chat endpoints; a completion has one text and no roles.
fn endpoint(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    if operation.is_current(Field::OperationName) || operation.text(Field::OperationName) != Some("text_completion") {
        return;
    }
    let has_roles = || {
        seen.attributes.iter().any(|(key, _)| {
            ["gen_ai.prompt.", "llm.prompts."].iter().any(|prefix| key.starts_with(prefix)) && key.ends_with(".role")
        })
    };
    if seen.name.ends_with(".chat") || (has_roles() && !TEXT_COMPLETIONS.contains(&seen.name)) {
        operation.set(Field::OperationName, Scalar::Str("chat".into()));
    }
}

/// What stands for documents, query and scores: documents as system prompts, the query as the last
/// user's, `Doc 0, Score: 0.9` as an answer for each.
fn rerank(operation: &mut Operation<'_>) {
    let said = |messages: Option<&Vec<Message<'_>>>, role: &str| -> Vec<String> {
        let of_role = messages.into_iter().flatten().filter(|message| message.role == role);
        let text = |part: &Part<'_>| match part {
            Part::Text(text) => Some(text.to_string()),
            _ => None,
        };
        of_role.flat_map(|message| message.parts.iter().filter_map(text)).collect()
    };
    let (input, output) = (operation.input.read(), operation.output.read());
    let query = said(input, "user").pop();
    let scores: Vec<(usize, String)> = said(output, "assistant")
        .iter()
        .filter_map(|answer| {
            // Releases for Cohere's second API repeat the document below.
            let line = answer.lines().next()?;
            let (index, score) = line.strip_prefix("Doc ")?.split_once(", Score: ")?;
            score.parse::<f64>().ok().filter(|score| score.is_finite())?;
            Some((index.parse().ok()?, score.to_owned()))
        })
        .collect();
    // Those that were found, if it says which: the number of a document is all that names it.
    let score_of = |index: usize| scores.iter().find(|(of, _)| *of == index).map(|(_, score)| score);
    let documents: Vec<Document<'_>> = said(input, "system")
        .into_iter()
        .enumerate()
        .filter(|(index, _)| scores.is_empty() || score_of(*index).is_some())
        .map(|(index, text)| Document {
            id: score_of(index).map(|_| index.to_string().into()),
            score: score_of(index).map(|score| Json(score.clone().into())),
            content: Some(content::json_string(&text)),
            ..Document::default()
        })
        .collect();
    if let Some(query) = query {
        operation.offer(Field::RetrievalQueryText, Scalar::Str(query.into()));
    }
    if !documents.is_empty() && operation.documents.is_absent() {
        operation.documents = Content::Read(documents);
    }
}

/// The packages of the current names call chains, tasks and crews agents; the kind of the wrapper knows
/// better.
fn kind(operation: &mut Operation<'_>, seen: &Seen<'_, '_>) {
    if operation.text(Field::OperationName) != Some("invoke_agent") {
        return;
    }
    let word = match seen.get("traceloop.span.kind").and_then(Value::as_str) {
        Some("workflow") => "invoke_workflow",
        // As its own package for LangChain calls it.
        Some("task") => "execute_task",
        None if seen.get("crewai.crew.id").is_some() => "invoke_workflow",
        _ => return,
    };
    operation.set(Field::OperationName, Scalar::Str(word.into()));
}

fn messages<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let Some(output) = operation.output.read_mut() else { return };
    let each_item = seen.scope_name.contains("openai_agents");
    let mut joined: Vec<Message<'a>> = Vec::with_capacity(output.len());
    for mut message in output.drain(..) {
        let thought = message.role == "thinking";
        if thought {
            message.role = "assistant".into();
            for part in &mut message.parts {
                if let Part::Text(text) = part {
                    *part = Part::Reasoning(std::mem::take(text));
                }
            }
        }
        // Anthropic's thinking has a number of its own, and the finish reason of the answer that
        // follows; openai-agents numbers the items of one answer.
        let goes_on = joined.last().is_some_and(|last| {
            is_thinking(last) || (each_item && last.role == message.role && last.finish_reason.is_none())
        });
        match joined.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.parts.append(&mut message.parts);
                last.finish_reason = message.finish_reason.or(last.finish_reason.take());
            }
            None => joined.push(message),
        }
    }
    *output = joined;
}

/// Whether a message is nothing but thoughts.
fn is_thinking(message: &Message<'_>) -> bool {
    !message.parts.is_empty() && message.parts.iter().all(|part| matches!(part, Part::Reasoning(_)))
}

/// The wrappers of workflows, agents and tools. Every span below a workflow has its name; only the
/// workflow itself is one.
fn wrapper<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let is_workflow = operation.text(Field::OperationName) == Some("invoke_workflow");
    let kind = seen.get("traceloop.span.kind").and_then(Value::as_str).unwrap_or_default();
    let mut offer = |field, key: &str| {
        if let Some(Value::Str(text)) = seen.get(key).filter(|value| value.as_str() != Some("")) {
            let text = match field {
                Field::ToolCallArguments | Field::ToolCallResult => Cow::clone(text),
                _ => entity(text, kind, seen.name).to_owned().into(),
            };
            operation.offer(field, Scalar::Str(text));
        }
    };
    match kind {
        "workflow" => {
            offer(Field::WorkflowName, "traceloop.workflow.name");
            offer(Field::WorkflowName, "traceloop.entity.name");
            exchanged(operation, seen);
        }
        "agent" => {
            offer(Field::AgentName, "traceloop.entity.name");
            exchanged(operation, seen);
        }
        "tool" => {
            offer(Field::ToolName, "traceloop.entity.name");
            offer(Field::ToolCallArguments, "mcp.request.argument");
            offer(Field::ToolCallArguments, "traceloop.entity.input");
            offer(Field::ToolCallResult, "mcp.response.value");
            offer(Field::ToolCallResult, "traceloop.entity.output");
        }
        // The package for CrewAI says it on the crew's span only.
        "" if is_workflow => offer(Field::WorkflowName, "crewai.crew.name"),
        _ => {}
    }
}

/// An entity's own name. Old releases write its kind behind it (`RunnableSequence.langchain.workflow`) or the
/// way to it before it (`weather_agent.get_weather`, on the span `get_weather.tool`).
fn entity<'n>(name: &'n str, kind: &str, span_name: &str) -> &'n str {
    let without_kind = |name: &'n str| name.strip_suffix(kind).and_then(|name| name.strip_suffix('.'));
    let name = without_kind(name).map_or(name, |name| name.strip_suffix(".langchain").unwrap_or(name));
    let own = span_name.strip_suffix(kind).and_then(|own| own.strip_suffix('.')).unwrap_or_default();
    let at = name.len().checked_sub(own.len()).filter(|_| !own.is_empty());
    match at.and_then(|at| name.split_at_checked(at)) {
        Some((way, last)) if last == own && way.ends_with('.') => last,
        _ => name,
    }
}

/// What a workflow or an agent took and gave, if that is messages.
fn exchanged<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let messages = |key: &str, role: &str| {
        let text = seen.get(key).and_then(Value::as_str)?;
        let messages = content::messages_from_json(text, role, false)?;
        Some(messages.into_iter().map(Message::into_owned).collect::<Vec<_>>()).filter(|messages| !messages.is_empty())
    };
    if operation.input.is_absent()
        && let Some(messages) = messages("traceloop.entity.input", "user")
    {
        operation.input = Content::Read(messages);
    }
    if operation.output.is_absent()
        && let Some(messages) = messages("traceloop.entity.output", "assistant")
    {
        operation.output = Content::Read(messages);
    }
}

#[cfg(test)]
mod tests {
    use crate::genai::dialect::coverage::unknown;

    /// The keys of the fact table, a concrete one for each of its rows. Two rows have none: the event of a
    /// streamed chunk, which stays, and CrewAI's dump of a whole object under `llm.`, kept as unknown.
    #[test]
    fn an_entity_has_a_name_of_its_own() {
        let names = [
            ("joke", "workflow", "joke.workflow", "joke"),
            (
                "RunnableSequence.langchain.workflow",
                "workflow",
                "RunnableSequence.langchain.workflow",
                "RunnableSequence",
            ),
            ("weather_agent.get_weather", "tool", "get_weather.tool", "get_weather"),
            ("search.v2", "tool", "execute_tool search.v2", "search.v2"),
            ("é.é", "tool", "é.tool", "é"),
        ];
        for (name, kind, span_name, expected) in names {
            assert_eq!(super::entity(name, kind, span_name), expected, "{name}");
        }
    }

    #[test]
    fn every_key_of_the_table_is_known() {
        let keys = [
            "llm.vendor",
            "llm.request.model",
            "llm.response.model",
            "llm.request.max_tokens",
            "llm.temperature",
            "llm.top_p",
            "llm.usage.prompt_tokens",
            "llm.usage.completion_tokens",
            "llm.prompts.0.role",
            "llm.prompts.0.content",
            "llm.prompts.0.user",
            "llm.completions.0.role",
            "llm.completions.0.content",
            "llm.completions.0.finish_reason",
            "llm.completions.0.function_call.name",
            "llm.completions.0.function_call.arguments",
            "gen_ai.system",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "gen_ai.prompt.0.role",
            "gen_ai.prompt.0.content",
            "gen_ai.prompt.0.user",
            "gen_ai.prompt.0.tool_call_id",
            "gen_ai.prompt.0.tool_calls.1.id",
            "gen_ai.prompt.0.tool_calls.1.name",
            "gen_ai.prompt.0.tool_calls.1.arguments",
            "gen_ai.completion.0.role",
            "gen_ai.completion.0.content",
            "gen_ai.completion.0.finish_reason",
            "gen_ai.completion.0.tool_calls.1.id",
            "gen_ai.completion.0.tool_calls.1.name",
            "gen_ai.completion.0.tool_calls.1.arguments",
            "gen_ai.completion.0.tool_calls.1.type",
            "gen_ai.completion.0.function_call.name",
            "gen_ai.completion.0.function_call.arguments",
            "gen_ai.completion.0.refusal",
            "gen_ai.completion.0.reasoning",
            "gen_ai.completion.role",
            "gen_ai.completion.content",
            "gen_ai.prompt.prompt_filter_results",
            "gen_ai.prompt.prompt_error",
            "gen_ai.completion.0.content_filter_results",
            "llm.request.type",
            "llm.usage.total_tokens",
            "gen_ai.usage.total_tokens",
            "llm.top_k",
            "llm.frequency_penalty",
            "llm.presence_penalty",
            "llm.chat.stop_sequences",
            "llm.is_streaming",
            "gen_ai.is_streaming",
            "llm.user",
            "gen_ai.user",
            "llm.headers",
            "gen_ai.headers",
            "llm.request.functions.0.name",
            "llm.request.functions.0.description",
            "llm.request.functions.0.parameters",
            "llm.request.functions.0.input_schema",
            "llm.request.repetition_penalty",
            "gen_ai.request.repetition_penalty",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
            "gen_ai.response.finish_reason",
            "gen_ai.response.stop_reason",
            "gen_ai.response.0.id",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.reasoning_tokens",
            "llm.usage.reasoning_tokens",
            "gen_ai.request.reasoning_effort",
            "llm.request.reasoning_effort",
            "gen_ai.request.reasoning_summary",
            "gen_ai.response.reasoning_effort",
            "gen_ai.request.structured_output_schema",
            "gen_ai.request.n",
            "gen_ai.request.max_completion_tokens",
            "gen_ai.request.thinking.budget_tokens",
            "gen_ai.openai.api_base",
            "gen_ai.openai.api_version",
            "gen_ai.openai.api_type",
            "gen_ai.openai.system_fingerprint",
            "gen_ai.openai.response.system_fingerprint",
            "llm.watsonx.random_seed",
            "llm.watsonx.max_new_tokens",
            "llm.watsonx.decoding_method",
            "llm.watsonx.min_new_tokens",
            "llm.watsonx.repetition_penalty",
            "traceloop.span.kind",
            "traceloop.workflow.name",
            "traceloop.entity.name",
            "traceloop.entity.path",
            "traceloop.entity.version",
            "traceloop.entity.input",
            "traceloop.entity.output",
            "traceloop.association.properties.x",
            "traceloop.correlation.id",
            "traceloop.prompt.key",
            "traceloop.prompt.version",
            "traceloop.prompt.template_variables.x",
            "traceloop.prompt.managed",
            "traceloop.prompt.version_name",
            "traceloop.prompt.version_hash",
            "traceloop.prompt.template",
            "gen_ai.operation.name",
            "gen_ai.task.x",
            "gen_ai.workflow.nodes",
            "gen_ai.workflow.edges",
            "mcp.request.argument",
            "mcp.response.value",
            "mcp.request.id",
            "mcp.session.init_options",
        ];
        assert_eq!(unknown(&keys), [""; 0]);
    }
}

//! What stands around a message where a framework or an API records it: choices, candidates,
//! generations, serialised classes, events. Opening one gives the members of the message itself,
//! under the names that most APIs use.

use std::borrow::Cow;

use super::json::{self, Kind, Node};
use super::members::Rest;

/// How many envelopes are opened, one in another (a generation around a serialised class).
const NESTED: usize = 4;

/// One kind of envelope.
struct Envelope {
    is: fn(&Rest<'_>) -> bool,
    open: for<'a> fn(Rest<'a>) -> Option<Rest<'a>>,
}

static ENVELOPES: &[Envelope] = &[
    // LangChain's serialised classes.
    Envelope { is: |rest| rest.has("lc") && is_object(rest, "kwargs"), open: constructor },
    // LangChain's `message_to_dict`.
    Envelope { is: |rest| has_kind(rest) && is_object(rest, "data"), open: dictionary },
    // LangChain's generations.
    Envelope {
        is: |rest| rest.has("generation_info") || kind(rest).is_some_and(|kind| kind.contains("Generation")),
        open: generation,
    },
    // Pydantic AI's and Logfire's events.
    Envelope { is: |rest| rest.has("event.name"), open: event },
    // OpenAI's choices and all that are shaped like them.
    Envelope { is: |rest| !rest.has("role") && is_object(rest, "message"), open: |rest| choice(rest, "message") },
    Envelope { is: |rest| !rest.has("role") && is_object(rest, "delta"), open: |rest| choice(rest, "delta") },
    // Gemini's candidates.
    Envelope {
        is: |rest| {
            let parts = rest.get("content").and_then(|content| content.get("parts"));
            !rest.has("role") && parts.is_some_and(Node::is_array)
        },
        open: |rest| choice(rest, "content"),
    },
    // The choices of text completions, and candidates without content.
    Envelope { is: is_finished, open: finished },
    // Haystack 2 before 2.9.
    Envelope {
        is: |rest| rest.has("_role"),
        open: |rest| {
            Some(renamed(rest, &[("_role", "role"), ("_content", "content"), ("_name", "name"), ("_meta", "meta")]))
        },
    },
    // Cohere's chat history.
    Envelope {
        is: |rest| rest.has("role") && !rest.has("content") && is_text(rest, "message"),
        open: |rest| Some(renamed(rest, &[("message", "content")])),
    },
    // LlamaIndex.
    Envelope {
        is: |rest| rest.has("role") && !rest.has("content") && rest.has("blocks"),
        open: |rest| Some(renamed(rest, &[("blocks", "content")])),
    },
    // Spring AI.
    Envelope {
        is: |rest| is_text(rest, "messageType"),
        open: |rest| Some(renamed(rest, &[("messageType", "role"), ("text", "content"), ("toolCalls", "tool_calls")])),
    },
    // AutoGen, and serialised classes without an envelope.
    Envelope { is: |rest| !rest.has("role") && class_role(rest).is_some(), open: class },
];

/// The role of a message, by its class or its kind, as the JSON text of it.
const KINDS: &[(&str, &str)] = &[
    ("human", "\"user\""),
    ("ai", "\"assistant\""),
    ("system", "\"system\""),
    ("tool", "\"tool\""),
    ("function", "\"tool\""),
    ("AIMessageChunk", "\"assistant\""),
    ("HumanMessageChunk", "\"user\""),
    ("chat", "\"user\""),
];

const CLASSES: &[(&str, &str)] = &[
    ("HumanMessage", "\"user\""),
    ("HumanMessageChunk", "\"user\""),
    ("AIMessage", "\"assistant\""),
    ("AIMessageChunk", "\"assistant\""),
    ("SystemMessage", "\"system\""),
    ("ToolMessage", "\"tool\""),
    ("FunctionMessage", "\"tool\""),
    ("UserMessage", "\"user\""),
    ("AssistantMessage", "\"assistant\""),
    ("FunctionExecutionResultMessage", "\"tool\""),
];

const EVENTS: &[(&str, &str)] = &[
    ("gen_ai.system.message", "\"system\""),
    ("gen_ai.user.message", "\"user\""),
    ("gen_ai.assistant.message", "\"assistant\""),
    ("gen_ai.tool.message", "\"tool\""),
    ("gen_ai.choice", "\"assistant\""),
];

/// The members of the message inside all envelopes, and whether there was one.
pub(super) fn open(mut rest: Rest<'_>) -> Option<(Rest<'_>, bool)> {
    // What is target-shaped is nothing else.
    if rest.has("role") && rest.has("parts") {
        return Some((rest, false));
    }
    let mut opened = false;
    for _ in 0..NESTED {
        let Some(envelope) = ENVELOPES.iter().find(|envelope| (envelope.is)(&rest)) else { break };
        rest = (envelope.open)(rest)?;
        opened = true;
    }
    Some((rest, opened))
}

/// The role that LangChain's kind of a message means.
pub(super) fn role_of_kind(kind: &str) -> Option<Node<'static>> {
    look(KINDS, kind)
}

fn look(table: &[(&str, &'static str)], name: &str) -> Option<Node<'static>> {
    table.iter().find(|(known, _)| *known == name).and_then(|(_, role)| json::parse(role))
}

fn kind<'a>(rest: &Rest<'a>) -> Option<Cow<'a, str>> {
    rest.get("type").and_then(Node::as_str)
}

fn has_kind(rest: &Rest<'_>) -> bool {
    kind(rest).is_some_and(|kind| role_of_kind(&kind).is_some())
}

fn class_role(rest: &Rest<'_>) -> Option<Node<'static>> {
    look(CLASSES, &kind(rest)?)
}

fn is_object(rest: &Rest<'_>, key: &str) -> bool {
    rest.get(key).is_some_and(Node::is_object)
}

fn is_text(rest: &Rest<'_>, key: &str) -> bool {
    rest.get(key).is_some_and(|value| value.kind() == Kind::String)
}

fn renamed<'a>(mut rest: Rest<'a>, names: &[(&str, &'static str)]) -> Rest<'a> {
    for (from, to) in names {
        rest.rename(from, to);
    }
    rest
}

/// The class stands last in the envelope's `id`; the rest of the envelope names no content.
fn constructor(rest: Rest<'_>) -> Option<Rest<'_>> {
    let class = rest.get("id").and_then(|id| id.elements().last()).and_then(Node::as_str);
    let mut message = Rest::of(rest.get("kwargs")?);
    let role = class.and_then(|class| look(CLASSES, &class));
    match role {
        Some(role) if !message.has("role") => {
            message.take("type");
            message.insert("role", role);
        }
        // Another class (a prompt, a document) is no message.
        None if !message.has("role") && !has_kind(&message) => return None,
        _ => {}
    }
    Some(message)
}

fn dictionary(mut rest: Rest<'_>) -> Option<Rest<'_>> {
    let mut message = Rest::of(rest.take("data")?);
    message.absorb(rest);
    Some(message)
}

fn generation(mut rest: Rest<'_>) -> Option<Rest<'_>> {
    rest.take("type");
    if let Some(info) = rest.take_kind("generation_info", Kind::Object) {
        rest.absorb(Rest::of(info));
    }
    match rest.take_kind("message", Kind::Object) {
        Some(message) => {
            // The text of the message once more.
            rest.take("text");
            let (mut message, _) = open(Rest::of(message))?;
            if message.get("response_metadata").is_some_and(|metadata| metadata.get("finish_reason").is_some()) {
                rest.take("finish_reason");
            }
            message.absorb(rest);
            Some(message)
        }
        None => {
            rest.take("message");
            rest.rename("text", "content");
            with_role(rest, "\"assistant\"")
        }
    }
}

fn event(mut rest: Rest<'_>) -> Option<Rest<'_>> {
    let name = rest.take_str("event.name")?;
    let role = look(EVENTS, &name)?;
    // The span's own.
    rest.take("gen_ai.system");
    if !is_object(&rest, "message") && !rest.has("role") {
        rest.insert("role", role);
    }
    Some(rest)
}

/// The message of a choice, and what the choice says beside it.
fn choice<'a>(mut rest: Rest<'a>, key: &str) -> Option<Rest<'a>> {
    let mut message = Rest::of(rest.take(key)?);
    // The place in its list, which the message's own place says.
    rest.take_kind("index", Kind::Number);
    // Some emitters put the calls beside the message.
    if message.has("tool_calls") {
        rest.take("tool_calls");
    }
    message.absorb(rest);
    match message.has("role") || has_kind(&message) || message.has("lc") {
        true => Some(message),
        false => with_role(message, "\"assistant\""),
    }
}

fn is_finished(rest: &Rest<'_>) -> bool {
    let ends = ["finish_reason", "finishReason"].iter().any(|key| rest.has(key)) || rest.has("logprobs");
    let is_message =
        ["role", "type", "parts", "content", "message", "messages", "tool_calls"].iter().any(|key| rest.has(key));
    (ends || rest.has("index")) && !is_message && (is_text(rest, "text") || (ends && rest.has("index")))
}

fn finished(mut rest: Rest<'_>) -> Option<Rest<'_>> {
    rest.take_kind("index", Kind::Number);
    rest.rename("text", "content");
    with_role(rest, "\"assistant\"")
}

fn class(mut rest: Rest<'_>) -> Option<Rest<'_>> {
    let role = class_role(&rest)?;
    rest.take("type");
    rest.rename("source", "name");
    rest.insert("role", role);
    Some(rest)
}

fn with_role<'a>(mut rest: Rest<'a>, role: &'static str) -> Option<Rest<'a>> {
    if !rest.has("role") {
        rest.insert("role", json::parse(role)?);
    }
    Some(rest)
}

//! Whole bodies: what a request or a response of an API, or a framework's record of one, holds of
//! instructions, messages and tool definitions.

use std::borrow::Cow;

use super::block;
use super::json::{self, Kind, Node};
use super::members::Rest;
use super::read::{self, Budget, FINISH_REASONS, Reader};
use super::{make, tool};
use crate::genai::message::{Conversation, Message, Part, ToolDefinition};

/// Where a member of a body belongs.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Told apart from the conversation.
    Instructions,
    /// Said to the model.
    Input,
    /// Said by the model.
    Output,
    /// Cohere's answers of tools.
    ToolResults,
    Tools,
    /// An object whose members belong to the body.
    Body,
}

use Place::{Body, Input, Instructions, Output, ToolResults, Tools};

/// The members of bodies, in the order in which what they hold was said.
const MEMBERS: &[(&str, Place)] = &[
    ("kwargs", Body),
    ("config", Body),
    ("toolConfig", Body),
    ("tool_config", Body),
    ("update", Body),
    ("request", Body),
    ("body", Body),
    ("system", Instructions),
    ("system_instruction", Instructions),
    ("systemInstruction", Instructions),
    ("system_instructions", Instructions),
    ("system_prompt", Instructions),
    ("instructions", Instructions),
    ("preamble", Instructions),
    ("tools", Tools),
    ("functions", Tools),
    ("function_tools", Tools),
    ("messages", Input),
    ("contents", Input),
    ("chat_history", Input),
    ("prompts", Input),
    ("prompt", Input),
    ("inputs", Input),
    ("input", Input),
    ("inputText", Input),
    ("tool_results", ToolResults),
    ("choices", Output),
    ("candidates", Output),
    ("generations", Output),
    ("replies", Output),
    ("tool_messages", Output),
    ("outputs", Output),
    ("output", Output),
    ("results", Output),
    ("message", Output),
    ("content", Output),
    ("completion", Output),
    ("generation", Output),
    ("generated_text", Output),
    ("outputText", Output),
    ("output_text", Output),
    ("combined_chunk_content", Output),
    ("response", Output),
    ("text", Output),
];

/// Members that no text of a user's or a model's own has by chance beside one of [`MEMBERS`].
const COMPANIONS: &[&str] = &[
    "model",
    "model_id",
    "modelId",
    "model_name",
    "messages",
    "chat_history",
    "max_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "topP",
    "stream",
    "usage",
    "usage_metadata",
    "usageMetadata",
    "tools",
    "tool_choice",
    "stop_reason",
    "finish_reason",
    "finishReason",
    "done_reason",
    "generation_config",
    "textGenerationConfig",
    "completionReason",
    "chunk_count",
    "prompt_token_count",
];

/// Members of a response around its one message, which no choice has.
const RESPONSE_ONLY: &[&str] =
    &["usage", "usage_metadata", "usageMetadata", "model", "raw", "done", "object", "metrics"];

/// What a JSON text that is known to be the body of a request or of a response holds. `default_role`
/// is for messages that say no role. Unlike [`messages_from_json`](super::messages_from_json), this
/// takes a lone `{"input": "..."}` for a body, and a text that is no JSON of a body for nothing.
///
/// `None` if it holds neither instructions nor messages nor tool definitions.
pub fn conversation_from_json<'a>(text: &'a str, default_role: &str, allow_python: bool) -> Option<Conversation<'a>> {
    let reader = Reader { default_role, allow_python, lenient: true };
    if let Some(node) = json::parse(text) {
        return reader.conversation(node, Budget::FULL);
    }
    let repaired = read::repaired(text, allow_python)?;
    reader.conversation(json::parse(&repaired)?, Budget::FULL).map(Conversation::into_owned)
}

/// What was found in a body so far.
#[derive(Default)]
struct Found<'a> {
    instructions: Vec<Part<'a>>,
    messages: Vec<Message<'a>>,
    tools: Vec<ToolDefinition<'a>>,
    /// Whether the last message is the model's answer.
    answered: bool,
}

impl Reader<'_> {
    /// The content of a body, of any kind of JSON value.
    pub(super) fn conversation<'a>(&self, node: Node<'a>, budget: Budget) -> Option<Conversation<'a>> {
        match node.kind() {
            Kind::Object => self.body(node, budget),
            Kind::String if self.lenient => {
                let text = node.as_str()?;
                match json::parse(&text).filter(|inner| inner.is_object() || inner.is_array()) {
                    Some(inner) => self.conversation(inner, budget.unquoted()?).map(Conversation::into_owned),
                    None if text.is_empty() => None,
                    None => Some(Conversation { messages: vec![self.said(text)], ..Conversation::default() }),
                }
            }
            _ => {
                let messages = self.messages(node, budget).filter(|messages| !messages.is_empty())?;
                Some(Conversation { messages, ..Conversation::default() })
            }
        }
    }

    /// The content of an object that is no message itself.
    pub(super) fn body<'a>(&self, node: Node<'a>, budget: Budget) -> Option<Conversation<'a>> {
        let budget = budget.deeper()?;
        let mut rest = Rest::of(node);
        let around_one = RESPONSE_ONLY.iter().any(|key| rest.has(key))
            && !rest.has("role")
            && ["message", "content"].iter().any(|key| rest.get(key).is_some_and(Node::is_object));
        if !around_one
            && let Some(item) = self.element(node, budget).filter(|item| item.known && (self.lenient || !item.bare))
        {
            return Some(Conversation { messages: vec![item.message], ..Conversation::default() });
        }
        if let Some(value) = self.typed_value(&mut rest) {
            return self.conversation(value, budget);
        }
        let mut found = Found::default();
        let more = self.members(&mut rest, budget, &mut found);
        if found.is_empty() {
            // A pipeline's record of its only component.
            let mut members = node.members();
            let (Some((name, only)), None) = (members.next(), members.next()) else { return None };
            let is_new = self.lenient && only.is_object() && !MEMBERS.iter().any(|(known, _)| *known == name);
            return if is_new { self.body(only, budget) } else { None };
        }
        if found.answered
            && let Some(last) = found.messages.last_mut().filter(|last| last.finish_reason.is_none())
        {
            last.finish_reason = FINISH_REASONS.iter().find_map(|key| rest.take_str(key));
        }
        let left = rest.more(&[]).unwrap_or_default();
        let more = [more, left.into_owned()].into_iter().filter(|more| !more.is_empty()).collect::<Vec<_>>().join(",");
        let Found { mut instructions, messages, tools, answered } = found;
        if answered && !self.lenient {
            // A response repeats what the request said.
            instructions.clear();
        }
        Some(Conversation { instructions, messages, tools, more: Cow::Owned(more) })
    }

    /// LangWatch's `{"type": "chat_messages", "value": [...]}`.
    fn typed_value<'a>(&self, rest: &mut Rest<'a>) -> Option<Node<'a>> {
        let kind = rest.get("type").and_then(Node::as_str)?;
        let known = ["chat_messages", "text", "raw", "json", "list"].contains(&&*kind);
        if known && rest.iter().count() == 2 { rest.take("value") } else { None }
    }

    /// Finds content in the members of a body; what is left of objects inside of it, as the members of
    /// a JSON object without braces.
    fn members<'a>(&self, rest: &mut Rest<'a>, budget: Budget, found: &mut Found<'a>) -> String {
        let mut more = String::new();
        let trusted = self.lenient || COMPANIONS.iter().any(|key| rest.has(key));
        for (key, place) in MEMBERS {
            let Some(value) = rest.get(key) else { continue };
            let taken = match place {
                Body if value.is_object() => {
                    let Some(budget) = budget.deeper() else { continue };
                    let mut inner = Rest::of(value);
                    let before = found.count();
                    let inner_more = self.members(&mut inner, budget, found);
                    let left = inner.more(&[]).unwrap_or_default();
                    let found_some = found.count() > before;
                    let left = [inner_more, left.into_owned()].into_iter().filter(|left| !left.is_empty());
                    let left = left.collect::<Vec<_>>().join(",");
                    if found_some && !left.is_empty() {
                        let separator = if more.is_empty() { "" } else { "," };
                        more.push_str(&format!("{separator}{}:{{{left}}}", make::json_string(key).0));
                    }
                    found_some.then_some(())
                }
                Body => None,
                Instructions => {
                    let text = value.as_str().filter(|text| !text.is_empty()).map(|text| vec![Part::Text(text)]);
                    let parts = text.or_else(|| self.with_role("system").instructions(value, budget));
                    parts.filter(|_| trusted || rest.has("prompt")).map(|parts| found.instructions.extend(parts))
                }
                Tools => {
                    tool::definitions(value).filter(|tools| !tools.is_empty()).map(|tools| found.tools.extend(tools))
                }
                ToolResults => tool_results(value).map(|message| found.messages.push(message)),
                Input | Output => {
                    // Cohere's requests hold the user's text where responses hold the message.
                    let by_model = *place == Output && (*key != "message" || value.is_object());
                    let reader = if by_model { self.with_role("assistant") } else { *self };
                    let texts = trusted && !matches!(*key, "messages" | "chat_history");
                    reader.said_in(value, texts, budget).map(|messages| {
                        found.answered = by_model;
                        found.messages.extend(messages);
                    })
                }
            };
            if taken.is_some() {
                rest.take(key);
            }
        }
        more
    }

    fn said_in<'a>(&self, value: Node<'a>, texts: bool, budget: Budget) -> Option<Vec<Message<'a>>> {
        match value.kind() {
            Kind::String => {
                let text = value.as_str().filter(|text| texts && !text.is_empty())?;
                Some(vec![self.said(text)])
            }
            Kind::Array => {
                let is_texts = texts && value.elements().all(|element| element.kind() == Kind::String);
                let messages = self.messages(value, budget.deeper()?).or_else(|| {
                    is_texts.then(|| value.elements().filter_map(Node::as_str).map(|text| self.said(text)).collect())
                })?;
                (!messages.is_empty()).then_some(messages)
            }
            Kind::Object => {
                let conversation = self.body(value, budget)?;
                Some(conversation.into_messages()).filter(|messages| !messages.is_empty())
            }
            _ => None,
        }
    }

    /// One message of this text.
    fn said<'a>(&self, text: Cow<'a, str>) -> Message<'a> {
        let role = Cow::Owned(self.default_role.to_owned());
        Message { role, parts: vec![Part::Text(text)], ..Message::default() }
    }
}

impl Found<'_> {
    fn count(&self) -> usize {
        self.instructions.len() + self.messages.len() + self.tools.len()
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }
}

/// Cohere's `[{"call": {"name": ..., "parameters": ...}, "outputs": [...]}]`.
fn tool_results(list: Node<'_>) -> Option<Message<'_>> {
    let mut parts = Vec::new();
    for element in list.elements() {
        let mut rest = Rest::of(element);
        let response = make::response(Some(rest.take("outputs")?));
        parts.push(block::extended(Part::ToolCallResponse { id: None, response }, rest)?);
    }
    (!parts.is_empty()).then(|| Message { role: "tool".into(), parts, ..Message::default() })
}

//! Whole messages and system instructions, from JSON text, from structured attribute values and
//! from plain text.

use std::borrow::Cow;

use super::block::{self, Block, json_string};
use super::json::{self, Kind, Node};
use super::members::Rest;
use super::{python, value};
use crate::genai::message::{Json, Message, Part};
use crate::otlp::value::Value;

/// JSON text in JSON text in JSON text is unwrapped, deeper is not (`research/dialects-2.md`, section 3).
const UNWRAP: usize = 3;

/// How many parts a tool call is compared with at most, to find that it was said twice.
const COMPARED: usize = 64;

/// The parts that a legacy content text stands for: content blocks if the text is a list of them and
/// of nothing else, otherwise the text itself. Empty text is no part.
///
/// A user who typed JSON stays text, and so does JSON that was cut off. `allow_python` is for
/// emitters that write Python's `str()` of a list.
pub fn parts_from_text(text: &str, allow_python: bool) -> Vec<Part<'_>> {
    if text.is_empty() {
        return Vec::new();
    }
    blocks_from_text(text, allow_python).unwrap_or_else(|| vec![Part::Text(Cow::Borrowed(text))])
}

/// The parts of what a model thought: a text, or a list of blocks that are thoughts.
pub fn reasoning_from_text(text: Cow<'_, str>) -> Vec<Part<'_>> {
    match blocks_from_text(&text, false) {
        Some(parts) if parts.iter().all(|part| reasoning_text(part).is_some()) => {
            parts.into_iter().map(|part| part.into_owned()).collect()
        }
        _ => vec![Part::Reasoning(text)],
    }
}

/// The parts of a JSON list of content blocks or parts, or of a single one. `None` if an element is
/// no object with a type that is known, nor a text beside such objects.
pub fn parts_from_json(text: &str, allow_python: bool) -> Option<Vec<Part<'_>>> {
    blocks_from_text(text, allow_python)
}

/// The calls of a JSON list of tool calls in any spelling (or of a single one): ids, names and
/// arguments together or under a `function`. `None` if any element is no call.
pub fn tool_calls_from_json(text: &str, allow_python: bool) -> Option<Vec<Part<'_>>> {
    if let Some(node) = json::parse(text) {
        return calls(node, UNWRAP);
    }
    let repaired = repaired(text, allow_python)?;
    let parts = calls(json::parse(&repaired)?, UNWRAP)?;
    Some(parts.into_iter().map(Part::into_owned).collect())
}

/// The messages of a JSON text: OpenAI chat messages, choices and response items, Anthropic messages
/// and blocks, or target-shaped messages whether well or badly made. `default_role` is for what says
/// no role.
///
/// `None` if any element is none of these: the caller then still has the text.
pub fn messages_from_json<'a>(text: &'a str, default_role: &str, allow_python: bool) -> Option<Vec<Message<'a>>> {
    let reader = Reader { default_role, allow_python };
    if let Some(node) = json::parse(text) {
        return reader.messages(node, UNWRAP);
    }
    let repaired = repaired(text, allow_python)?;
    Some(own(reader.messages(json::parse(&repaired)?, UNWRAP)?))
}

/// As [`messages_from_json`], of an attribute's value or an event's body.
pub fn messages_from_value(value: &Value<'_>, default_role: &str, allow_python: bool) -> Option<Vec<Message<'static>>> {
    match value {
        Value::Str(text) => messages_from_json(text, default_role, allow_python).map(own),
        Value::Array(_) | Value::KvList(_) => {
            let mut text = String::new();
            value::write_value(value, &mut text);
            messages_from_json(&text, default_role, allow_python).map(own)
        }
        _ => None,
    }
}

/// The parts of system instructions: a text, a list of texts or blocks, or a list of whole messages.
pub fn system_instructions_from_text(text: &str, allow_python: bool) -> Vec<Part<'_>> {
    if text.is_empty() {
        return Vec::new();
    }
    let reader = Reader { default_role: "system", allow_python };
    let parts = match json::parse(text) {
        Some(node) => reader.instructions(node),
        None => repaired(text, allow_python).and_then(|repaired| {
            let parts = reader.instructions(json::parse(&repaired)?)?;
            Some(parts.into_iter().map(Part::into_owned).collect())
        }),
    };
    parts.unwrap_or_else(|| vec![Part::Text(Cow::Borrowed(text))])
}

/// A role in the words of the schemas, where emitters have other words for it.
pub fn role(role: Cow<'_, str>) -> Cow<'_, str> {
    match &*role {
        "human" => "user".into(),
        "ai" | "model" | "AIMessageChunk" => "assistant".into(),
        "function" => "tool".into(),
        _ => role,
    }
}

/// JSON text made of text that is nearly JSON.
pub(super) fn repaired(text: &str, allow_python: bool) -> Option<String> {
    let first = text.trim_start().bytes().next()?;
    if !matches!(first, b'[' | b'{' | b'"' | b'(') {
        return None;
    }
    json::mend_surrogates(text)
        .filter(|mended| json::parse(mended).is_some())
        .or_else(|| if allow_python && first != b'"' { python::to_json(text) } else { None })
}

fn own(messages: Vec<Message<'_>>) -> Vec<Message<'static>> {
    messages.into_iter().map(Message::into_owned).collect()
}

fn blocks_from_text(text: &str, allow_python: bool) -> Option<Vec<Part<'_>>> {
    if !matches!(text.trim_start().bytes().next(), Some(b'[' | b'{' | b'(')) {
        return None;
    }
    if let Some(node) = json::parse(text) {
        return known_blocks(node);
    }
    let repaired = repaired(text, allow_python)?;
    let parts = known_blocks(json::parse(&repaired)?)?;
    Some(parts.into_iter().map(Part::into_owned).collect())
}

fn known_blocks(node: Node<'_>) -> Option<Vec<Part<'_>>> {
    let known = |node| match block::read(node) {
        Some(Block::Known(part)) => Some(part),
        Some(Block::Unknown(_)) | None => None,
    };
    if node.is_object() {
        return Some(vec![known(node)?]);
    }
    let parts: Vec<_> = node.elements().map(known).collect::<Option<_>>()?;
    (!parts.is_empty()).then_some(parts)
}

fn calls(node: Node<'_>, unwrap: usize) -> Option<Vec<Part<'_>>> {
    match node.kind() {
        Kind::Array => {
            let lists: Vec<_> =
                node.elements().map(|call| calls(call, unwrap.checked_sub(1)?)).collect::<Option<_>>()?;
            Some(lists.into_iter().flatten().collect())
        }
        Kind::Object => {
            let mut rest = Rest::of(node);
            rest.take("type");
            Some(vec![block::tool_call(rest)?])
        }
        Kind::String => {
            let text = node.as_str()?;
            let parts = calls(json::parse(&text)?, unwrap.checked_sub(1)?)?;
            Some(parts.into_iter().map(Part::into_owned).collect())
        }
        _ => None,
    }
}

struct Reader<'r> {
    default_role: &'r str,
    allow_python: bool,
}

/// An element of a list of messages.
struct Item<'a> {
    message: Message<'a>,
    /// One of the items of a response, which together are one message.
    of_response: bool,
    /// A message, or a block whose type is known. Any JSON object could have a `type`.
    known: bool,
}

impl Reader<'_> {
    fn messages<'a>(&self, node: Node<'a>, unwrap: usize) -> Option<Vec<Message<'a>>> {
        let mut messages = Vec::new();
        match node.kind() {
            Kind::Array => {
                let mut open = false;
                let mut any_known = false;
                for element in node.elements() {
                    let Item { message, of_response, known } = self.element(element, unwrap)?;
                    append(&mut messages, message, open && of_response);
                    open = of_response;
                    any_known |= known;
                }
                if !any_known && !messages.is_empty() {
                    return None;
                }
            }
            Kind::Object => {
                for wrapper in ["messages", "choices", "output"] {
                    if let Some(list) = node.get(wrapper).filter(|list| list.is_array() && node.get("role").is_none()) {
                        return self.messages(list, unwrap.checked_sub(1)?);
                    }
                }
                let item = self.element(node, unwrap)?;
                if !item.known {
                    return None;
                }
                messages.push(item.message);
            }
            Kind::String => {
                let text = node.as_str()?;
                let inner = self.messages(json::parse(&text)?, unwrap.checked_sub(1)?)?;
                return Some(own(inner));
            }
            _ => return None,
        }
        Some(messages)
    }

    fn element<'a>(&self, node: Node<'a>, unwrap: usize) -> Option<Item<'a>> {
        if let Some(text) = node.as_str() {
            let item = self.element(json::parse(&text).filter(|inner| inner.is_object())?, unwrap.checked_sub(1)?)?;
            return Some(Item { message: item.message.into_owned(), ..item });
        }
        let mut rest = Rest::of(node);
        if !rest.has("role") && rest.get("message").is_some_and(Node::is_object) {
            return self.choice(rest);
        }
        let kind = rest.get("type").and_then(Node::as_str);
        let is_message = ["role", "parts", "tool_calls", "tool_call_id"].iter().any(|key| rest.has(key));
        match kind.as_deref() {
            Some("message") => {
                rest.take("type");
                Some(Item { message: self.message(rest)?, of_response: true, known: true })
            }
            Some("human" | "ai" | "system" | "tool" | "function" | "AIMessageChunk")
                if rest.has("content") && !is_message =>
            {
                let role = rest.take_str("type")?;
                Some(Item { message: self.message_of(role, rest)?, of_response: false, known: true })
            }
            Some(kind) if !is_message => Some(self.item(kind, node)?),
            _ if is_message || rest.has("content") => {
                Some(Item { message: self.message(rest)?, of_response: false, known: true })
            }
            _ => None,
        }
    }

    /// A block or a response item that stands among messages.
    fn item<'a>(&self, kind: &str, node: Node<'a>) -> Option<Item<'a>> {
        let block = block::read(node)?;
        let known = matches!(block, Block::Known(_));
        let part = block.into_part();
        let role = match kind {
            "function_call_output" => "tool",
            "function_call" | "reasoning" => "assistant",
            _ => self.default_role,
        };
        let message = Message { role: Cow::Owned(role.to_owned()), parts: vec![part], ..Message::default() };
        Some(Item { message, of_response: true, known })
    }

    /// `{"index": 0, "message": {...}, "finish_reason": "stop"}`, of an answer or an event's body.
    fn choice<'a>(&self, mut rest: Rest<'a>) -> Option<Item<'a>> {
        let mut message = Rest::of(rest.take("message")?);
        // The place in its list, which the message's own place says.
        rest.take_kind("index", Kind::Number);
        // Some emitters put the calls beside the message.
        if message.has("tool_calls") {
            rest.take("tool_calls");
        }
        message.absorb(rest);
        Some(Item { message: self.message(message)?, of_response: false, known: true })
    }

    fn message<'a>(&self, mut rest: Rest<'a>) -> Option<Message<'a>> {
        let role = match rest.take_str("role") {
            Some(role) => role,
            None if rest.has("tool_call_id") => "tool".into(),
            None => Cow::Owned(self.default_role.to_owned()),
        };
        self.message_of(role, rest)
    }

    fn message_of<'a>(&self, said_role: Cow<'a, str>, mut rest: Rest<'a>) -> Option<Message<'a>> {
        let role = role(said_role);
        let name = rest.take_str("name");
        let finish_reason = ["finish_reason", "stop_reason"].into_iter().find_map(|key| rest.take_str(key));
        let mut parts = Vec::new();

        self.reasoning(&mut rest, &mut parts);
        let content = rest.take("parts").filter(|parts| !parts.is_blank()).or_else(|| rest.take("content"));
        let is_answer = &*role == "tool" && !content.is_some_and(has_tool_response);
        if is_answer {
            let id = rest.take_str("tool_call_id").or_else(|| rest.take_str("id"));
            parts.push(Part::ToolCallResponse { id, response: answer(content) });
        } else if let Some(content) = content {
            self.content(content, &mut parts)?;
        }
        if let Some(refusal) = rest.take_str("refusal").filter(|text| !text.is_empty()) {
            let object = format!("{{\"type\":\"refusal\",\"refusal\":{}}}", json_string(&refusal).0);
            parts.push(Part::Generic(Json(Cow::Owned(object))));
        }
        self.tool_calls(&mut rest, &mut parts)?;

        let more = rest.more(&["role", "name", "parts", "finish_reason"])?;
        Some(Message { role, name, parts, finish_reason, more })
    }

    fn content<'a>(&self, content: Node<'a>, parts: &mut Vec<Part<'a>>) -> Option<()> {
        match content.kind() {
            Kind::String => {
                let text = content.as_str()?;
                if self.allow_python {
                    match text {
                        Cow::Borrowed(text) => parts.extend(parts_from_text(text, true)),
                        Cow::Owned(text) => parts.extend(
                            parts_from_text(&text, true).into_iter().map(|part| -> Part<'a> { part.into_owned() }),
                        ),
                    }
                } else if !text.is_empty() {
                    parts.push(Part::Text(text));
                }
            }
            Kind::Array => {
                for element in content.elements() {
                    match element.as_str() {
                        Some(text) => parts.push(Part::Text(text)),
                        None => match blocks_of_text(element) {
                            Some(blocks) => self.content(blocks, parts)?,
                            None => parts.push(block::read(element)?.into_part()),
                        },
                    }
                }
            }
            Kind::Object => parts.push(match block::read(content) {
                Some(block) => block.into_part(),
                None => Part::Text(Cow::Borrowed(content.text())),
            }),
            Kind::Null => {}
            Kind::Number | Kind::Bool => parts.push(Part::Text(Cow::Borrowed(content.text()))),
        }
        Some(())
    }

    /// What a model thought, beside its content. LiteLLM says it twice: as blocks and as one text.
    fn reasoning<'a>(&self, rest: &mut Rest<'a>, parts: &mut Vec<Part<'a>>) {
        let blocks: Option<Vec<_>> = rest
            .get("thinking_blocks")
            .map(|list| list.elements().map(|block| block::read(block).map(Block::into_part)).collect())
            .unwrap_or_default();
        if let Some(blocks) = blocks.filter(|blocks| !blocks.is_empty()) {
            let said: String = blocks.iter().filter_map(reasoning_text).collect();
            rest.take("thinking_blocks");
            parts.extend(blocks);
            if rest.get("reasoning_content").and_then(Node::as_str).is_some_and(|text| text == said) {
                rest.take("reasoning_content");
            }
        }
        for key in ["reasoning_content", "reasoning"] {
            if let Some(text) = rest.take_str(key).filter(|text| !text.is_empty()) {
                parts.push(Part::Reasoning(text));
            }
        }
    }

    fn tool_calls<'a>(&self, rest: &mut Rest<'a>, parts: &mut Vec<Part<'a>>) -> Option<()> {
        if let Some(calls) = rest.take_kind("tool_calls", Kind::Array) {
            for call in calls.elements() {
                let mut call_rest = Rest::of(call);
                call_rest.take("type");
                let part = block::tool_call(call_rest)?;
                let id = tool_call_id(&part);
                // Some emitters write a call both as a part and beside the parts.
                if id.is_none() || parts.iter().take(COMPARED).all(|other| tool_call_id(other) != id) {
                    parts.push(part);
                }
            }
        }
        if let Some(call) = rest.take_kind("function_call", Kind::Object).filter(|call| !call.is_blank()) {
            parts.push(block::tool_call(Rest::of(call))?);
        }
        Some(())
    }

    fn instructions<'a>(&self, node: Node<'a>) -> Option<Vec<Part<'a>>> {
        let list: Vec<Node<'a>> = match node.kind() {
            Kind::Array => node.elements().collect(),
            Kind::Object => vec![node],
            Kind::String => {
                let text = node.as_str()?;
                return Some(vec![Part::Text(text)]);
            }
            _ => return None,
        };
        let mut parts = Vec::new();
        for element in list {
            match element.as_str() {
                Some(text) => parts.push(Part::Text(text)),
                None => parts.extend(self.element(element, UNWRAP)?.message.parts),
            }
        }
        (!parts.is_empty()).then_some(parts)
    }
}

/// Appends a message, or its parts to the last message if it goes on with it.
fn append<'a>(messages: &mut Vec<Message<'a>>, message: Message<'a>, goes_on: bool) {
    let last = messages.last_mut().filter(|last| {
        goes_on
            && last.role == message.role
            && last.finish_reason.is_none()
            && (last.more.is_empty() || message.more.is_empty())
    });
    match last {
        Some(last) => {
            last.parts.extend(message.parts);
            last.finish_reason = message.finish_reason;
            if last.more.is_empty() {
                last.more = message.more;
            }
        }
        None => messages.push(message),
    }
}

fn reasoning_text<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match part {
        Part::Reasoning(text) => Some(text),
        Part::Extended { part, .. } => reasoning_text(part),
        _ => None,
    }
}

fn tool_call_id<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match part {
        Part::ToolCall { id, .. } => id.as_deref(),
        Part::Extended { part, .. } => tool_call_id(part),
        _ => None,
    }
}

/// The blocks of a text part that has a list of them where its text should be (OpenLIT).
fn blocks_of_text(part: Node<'_>) -> Option<Node<'_>> {
    let is_text = part.get("type").and_then(Node::as_str).is_some_and(|kind| kind == "text");
    (is_text && part.members().count() == 2).then(|| part.get("content")).flatten().filter(|content| content.is_array())
}

/// Whether a list of parts already holds a tool's answer as one.
fn has_tool_response(content: Node<'_>) -> bool {
    content.elements().any(|part| {
        matches!(
            part.get("type").and_then(Node::as_str).as_deref(),
            Some("tool_call_response" | "tool_result" | "function_call_output" | "server_tool_call_response")
        )
    })
}

/// A tool's answer as the message gave it; a single text in a list is that text.
fn answer(content: Option<Node<'_>>) -> Json<'_> {
    let Some(content) = content else { return Json("null".into()) };
    let mut elements = content.elements();
    if let (Some(only), None) = (elements.next(), elements.next())
        && let Some(Block::Known(Part::Text(text))) = block::read(only)
    {
        return json_string(&text);
    }
    Json(Cow::Borrowed(content.text()))
}

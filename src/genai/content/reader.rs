//! Lists of messages and one message, from any API's or framework's JSON. The envelopes around a
//! message are opened in [`super::envelope`], the blocks inside it read in [`super::block`], and the
//! bodies that hold messages in [`super::conversation`].

use std::borrow::Cow;

use super::block::{self, Block};
use super::check::FOREIGN;
use super::envelope;
use super::json::{self, Kind, Node};
use super::make::{self, json_string};
use super::members::Rest;
use super::read::{self, own, parts_from_text, role};
use crate::genai::message::{Conversation, Json, Message, Part};

/// The names under which a message says why generation ended.
pub(super) const FINISH_REASONS: &[&str] =
    &["finish_reason", "stop_reason", "finishReason", "stopReason", "done_reason", "completionReason"];

/// Objects beside a message that say it in frameworks' records.
const METADATA: &[&str] = &["response_metadata", "meta", "metadata"];

/// The members of a written message.
const OWN: &[&str] = &["role", "name", "parts", "finish_reason"];

/// How many parts a tool call is compared with at most, to find that it was said twice.
const COMPARED: usize = 64;

/// How deep a text is followed.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    /// JSON text in JSON text in JSON text is unwrapped, deeper is not.
    quotes: usize,
    /// Lists in lists, bodies in bodies.
    nests: usize,
}

impl Budget {
    pub(super) const FULL: Budget = Budget { quotes: 3, nests: 8 };

    pub(super) fn unquoted(self) -> Option<Budget> {
        Some(Budget { quotes: self.quotes.checked_sub(1)?, ..self })
    }

    pub(super) fn deeper(self) -> Option<Budget> {
        Some(Budget { nests: self.nests.checked_sub(1)?, ..self })
    }
}

/// How messages are read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'r> {
    /// Of what says no role.
    pub(super) default_role: &'r str,
    /// Whether texts may be Python's.
    pub(super) allow_python: bool,
    /// Whether the text is known to be no user's own.
    pub(super) lenient: bool,
}

/// An element of a list of messages.
pub(super) struct Item<'a> {
    pub(super) message: Message<'a>,
    /// One of the items of a response, which together are one message.
    of_response: bool,
    /// The place that Pydantic AI's events share if they are one message.
    place: Option<&'a str>,
    /// A message, or a block whose type is known. Any JSON object could have a `type`.
    pub(super) known: bool,
    /// A lone text without a type, which alone could be a user's own.
    pub(super) bare: bool,
    /// Whether it says a role.
    has_role: bool,
}

impl<'a> Item<'a> {
    fn message(message: Message<'a>, place: Option<&'a str>, has_role: bool) -> Item<'a> {
        Item { message, of_response: false, place, known: true, bare: false, has_role }
    }
}

impl<'r> Reader<'r> {
    pub(super) fn with_role<'s>(&self, default_role: &'s str) -> Reader<'s> {
        Reader { default_role, allow_python: self.allow_python, lenient: self.lenient }
    }

    pub(super) fn messages<'a>(&self, node: Node<'a>, budget: Budget) -> Option<Vec<Message<'a>>> {
        match node.kind() {
            Kind::Array => self.list(node, budget.deeper()?),
            Kind::Object => self.body(node, budget).map(Conversation::into_messages).filter(|list| !list.is_empty()),
            Kind::String => {
                let text = node.as_str()?;
                Some(own(self.messages(json::parse(&text)?, budget.unquoted()?)?))
            }
            _ => None,
        }
    }

    fn list<'a>(&self, node: Node<'a>, budget: Budget) -> Option<Vec<Message<'a>>> {
        let mut messages = Vec::new();
        let mut open = false;
        let mut place = None;
        let mut any_known = false;
        let mut any_role = false;
        let mut any_odd = false;
        for element in node.elements() {
            if let Some(item) = self.element(element, budget) {
                let goes_on = (open && item.of_response) || (item.place.is_some() && item.place == place);
                append(&mut messages, item.message, goes_on);
                (open, place) = (item.of_response, item.place);
                any_known |= item.known;
                any_role |= item.has_role;
                continue;
            }
            (open, place) = (false, None);
            match self.nested(element, budget) {
                Some(nested) => {
                    messages.extend(nested);
                    any_known = true;
                }
                None if element.is_object() || element.is_array() => {
                    any_odd = true;
                    let parts = vec![Part::Text(Cow::Borrowed(element.text()))];
                    let role = Cow::Owned(self.default_role.to_owned());
                    messages.push(Message { role, parts, ..Message::default() });
                }
                None => return None,
            }
        }
        // Among messages, what is none is kept as its text. Without any, all of it is text.
        ((any_known || messages.is_empty()) && (any_role || !any_odd)).then_some(messages)
    }

    /// The messages of an element that is a list (of one prompt's, or a pair) or a body.
    fn nested<'a>(&self, node: Node<'a>, budget: Budget) -> Option<Vec<Message<'a>>> {
        if !node.is_array() {
            return Some(self.body(node, budget)?.into_messages());
        }
        match self.pair(node) {
            Some(message) => Some(vec![message]),
            None => self.list(node, budget.deeper()?),
        }
    }

    /// LangChain's `["human", "..."]`.
    fn pair<'a>(&self, node: Node<'a>) -> Option<Message<'a>> {
        let mut elements = node.elements();
        let (kind, text, None) = (elements.next()?.as_str()?, elements.next()?.as_str()?, elements.next()) else {
            return None;
        };
        let role = match &*kind {
            "human" | "user" => "user",
            "ai" | "assistant" => "assistant",
            "system" => "system",
            _ => return None,
        };
        Some(Message { role: role.into(), parts: vec![Part::Text(text)], ..Message::default() })
    }

    pub(super) fn element<'a>(&self, node: Node<'a>, budget: Budget) -> Option<Item<'a>> {
        if let Some(text) = node.as_str() {
            let item = self.element(json::parse(&text).filter(|inner| inner.is_object())?, budget.unquoted()?)?;
            return Some(Item { message: item.message.into_owned(), place: None, ..item });
        }
        if !node.is_object() {
            return None;
        }
        let (mut rest, opened) = envelope::open(Rest::of(node))?;
        let place = rest.take("gen_ai.message.index").map(Node::text);
        let kind = rest.get("type").and_then(Node::as_str);
        let is_message = ["role", "parts", "tool_calls", "tool_call_id"].iter().any(|key| rest.has(key));
        let has_role = rest.has("role");
        let role_of_kind = kind.as_deref().and_then(envelope::role_of_kind);
        match kind.as_deref() {
            Some("message") => {
                rest.take("type");
                Some(Item { of_response: true, ..Item::message(self.message(rest)?, place, has_role) })
            }
            Some(_)
                if let Some(role) = role_of_kind
                    && !rest.has("role")
                    && (opened || is_message || rest.has("content")) =>
            {
                rest.take("type");
                Some(Item::message(self.message_of(role.as_str()?, rest)?, place, true))
            }
            Some(kind) if !is_message && !opened => self.item(kind, node),
            _ if is_message || opened || rest.has("content") => {
                Some(Item::message(self.message(rest)?, place, has_role))
            }
            None => self.item("", node),
            _ => None,
        }
    }

    /// A block or a response item that stands among messages.
    fn item<'a>(&self, kind: &str, node: Node<'a>) -> Option<Item<'a>> {
        let (part, known, bare) = match block::read(node)? {
            Block::Known(part) => (part, true, false),
            Block::Untyped(part @ Part::Text(_)) => (part, true, true),
            Block::Untyped(_) => return None,
            Block::Unknown(part) => (part, false, false),
        };
        let role = match kind {
            kind if kind.ends_with("_call_output") => "tool",
            kind if kind.ends_with("_call") || kind == "reasoning" => "assistant",
            _ => self.default_role,
        };
        let message = Message { role: Cow::Owned(role.to_owned()), parts: vec![part], ..Message::default() };
        Some(Item { message, of_response: true, place: None, known, bare, has_role: false })
    }

    fn message<'a>(&self, mut rest: Rest<'a>) -> Option<Message<'a>> {
        // LangTrace's answers of Anthropic: one block with a role.
        if rest.get("type").and_then(Node::as_str).is_some_and(|kind| kind == "text") {
            rest.take("type");
        }
        let role = match rest.take_str("role") {
            Some(role) if !read::is_no_role(&role) => role,
            Some(_) if rest.get("parts").is_some_and(|parts| parts.elements().any(answers)) => "tool".into(),
            _ if rest.has("tool_call_id") => "tool".into(),
            _ => Cow::Owned(self.default_role.to_owned()),
        };
        self.message_of(role, rest)
    }

    fn message_of<'a>(&self, said_role: Cow<'a, str>, mut rest: Rest<'a>) -> Option<Message<'a>> {
        let mut role = role(said_role);
        let name = rest.take_str("name");
        let finish_reason = finish_reason(&mut rest);
        let mut parts = Vec::new();

        self.reasoning(&mut rest, &mut parts);
        let has_results =
            rest.get("parts").is_some_and(|parts| parts.elements().any(|part| part.get("result").is_some()));
        let content = rest.take("parts").filter(|parts| !parts.is_blank()).or_else(|| rest.take("content"));
        let mut said = Vec::new();
        if let Some(content) = content {
            self.content(content, &mut said);
        }
        if &*role == "tool" && !said.iter().any(is_response) {
            let id = ["tool_call_id", "id"].into_iter().find_map(|key| rest.take_str(key));
            parts.push(Part::ToolCallResponse { id, response: answer(content) });
        } else {
            // Pydantic AI's tool results stand under the user.
            if has_results && &*role == "user" && said.iter().all(is_response) {
                role = "tool".into();
            }
            parts.append(&mut said);
        }
        self.media(&mut rest, &mut parts);
        self.extras(&mut rest, &mut parts);
        if let Some(kwargs) = rest.take_kind("additional_kwargs", Kind::Object) {
            // LangChain keeps here what the provider said, once more or only here.
            let mut kwargs = Rest::of(kwargs);
            self.reasoning(&mut kwargs, &mut parts);
            self.extras(&mut kwargs, &mut parts);
            rest.absorb(kwargs);
        }
        rest.set_aside(OWN);
        rest.set_aside(FOREIGN);
        let more = rest.more(OWN)?;
        Some(Message { role, name, parts, finish_reason, more })
    }

    fn content<'a>(&self, content: Node<'a>, parts: &mut Vec<Part<'a>>) {
        match content.kind() {
            Kind::String => {
                let Some(text) = content.as_str() else { return };
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
            Kind::Array => content.elements().for_each(|element| add_parts(element, parts)),
            Kind::Object => {
                match content.get("parts").filter(|list| list.is_array() && content.get("type").is_none()) {
                    // Mastra's and Gemini's.
                    Some(list) => list.elements().for_each(|element| add_parts(element, parts)),
                    None => add_parts(content, parts),
                }
            }
            Kind::Null => {}
            Kind::Number | Kind::Bool => parts.push(Part::Text(Cow::Borrowed(content.text()))),
        }
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
        for key in ["reasoning_content", "reasoning", "thinking"] {
            if let Some(text) = rest.take_str(key).filter(|text| !text.is_empty()) {
                parts.push(Part::Reasoning(text));
            }
        }
    }

    /// Images (Ollama's base64, OpenRouter's blocks) and spoken answers beside the content.
    fn media<'a>(&self, rest: &mut Rest<'a>, parts: &mut Vec<Part<'a>>) {
        if let Some(images) = rest.take_kind("images", Kind::Array) {
            parts.extend(images.elements().map(|image| match image.as_str() {
                Some(data) => make::data_or_url(data, None, "image"),
                None => part_of(image),
            }));
        }
        if let Some(audio) = rest.get("audio").filter(|audio| audio.is_object()) {
            let mut inner = Rest::of(audio);
            let part = match inner.take_str("data") {
                Some(data) => Some(make::blob(data, None, "audio")),
                None => inner.take_str("id").map(|id| make::file(id, None, "audio")),
            };
            if let Some(part) = part.and_then(|part| block::extended(part, inner)) {
                rest.take("audio");
                parts.push(part);
            }
        }
    }

    /// Refusals and tool calls beside the content.
    fn extras<'a>(&self, rest: &mut Rest<'a>, parts: &mut Vec<Part<'a>>) {
        if let Some(refusal) = rest.take_str("refusal").filter(|text| !text.is_empty()) {
            parts.push(make::refusal(&refusal));
        }
        if let Some(list) = rest.take_kind("tool_calls", Kind::Array) {
            for call in list.elements() {
                let part = read::call(call).unwrap_or(Part::Text(Cow::Borrowed(call.text())));
                add_call(part, parts);
            }
        } else if let Some(text) = rest.get("tool_calls").and_then(Node::as_str)
            && let Some(calls) = read::tool_calls_from_json(&text, self.allow_python)
        {
            rest.take("tool_calls");
            calls.into_iter().map(|part| -> Part<'a> { part.into_owned() }).for_each(|part| add_call(part, parts));
        }
        if let Some(call) = rest.take_kind("function_call", Kind::Object).filter(|call| !call.is_blank()) {
            parts.push(read::call(call).unwrap_or(Part::Text(Cow::Borrowed(call.text()))));
        }
    }

    pub(super) fn instructions<'a>(&self, node: Node<'a>, budget: Budget) -> Option<Vec<Part<'a>>> {
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
            if let Some(text) = element.as_str() {
                parts.push(Part::Text(text));
                continue;
            }
            match self.element(element, budget) {
                Some(item) if !item.known => add_parts(element, &mut parts),
                Some(item) => parts.extend(item.message.parts),
                None => parts.extend(self.body(element, budget)?.instructions),
            }
        }
        (!parts.is_empty()).then_some(parts)
    }
}

/// Adds an element of a message's content. OpenLIT makes a text part of a whole list of blocks.
fn add_parts<'a>(node: Node<'a>, parts: &mut Vec<Part<'a>>) {
    let content = node.get("content").filter(|content| content.is_array() && node.members().count() == 2);
    match content.filter(|_| node.get("type").and_then(Node::as_str).is_some_and(|kind| kind == "text")) {
        Some(list) => parts.extend(list.elements().map(part_of)),
        None => parts.push(part_of(node)),
    }
}

/// An element of a message's content; what is no block is its JSON as text.
fn part_of(node: Node<'_>) -> Part<'_> {
    match node.as_str() {
        Some(text) => Part::Text(text),
        None => block::read(node).map_or(Part::Text(Cow::Borrowed(node.text())), Block::into_part),
    }
}

fn finish_reason<'a>(rest: &mut Rest<'a>) -> Option<Cow<'a, str>> {
    FINISH_REASONS.iter().find_map(|key| rest.take_str(key)).or_else(|| {
        let metadata = METADATA.iter().find_map(|key| rest.get(key).filter(|metadata| metadata.is_object()))?;
        FINISH_REASONS.iter().find_map(|key| metadata.get(key).and_then(Node::as_str))
    })
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

/// Adds a call, unless it is there: some emitters write it both as a part and beside the parts.
fn add_call<'a>(part: Part<'a>, parts: &mut Vec<Part<'a>>) {
    let id = tool_call_id(&part);
    if id.is_none() || parts.iter().take(COMPARED).all(|other| tool_call_id(other) != id) {
        parts.push(part);
    }
}

pub(super) fn reasoning_text<'p>(part: &'p Part<'_>) -> Option<&'p str> {
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

/// Whether a part, not read yet, is a published one of a tool's answer.
fn answers(part: Node<'_>) -> bool {
    part.get("type").and_then(Node::as_str).is_some_and(|kind| kind == "tool_call_response")
}

fn is_response(part: &Part<'_>) -> bool {
    match part {
        Part::ToolCallResponse { .. } | Part::ServerToolCallResponse { .. } => true,
        Part::Extended { part, .. } => is_response(part),
        _ => false,
    }
}

/// A tool's answer as the message gave it; a single text in a list is that text.
fn answer(content: Option<Node<'_>>) -> Json<'_> {
    let Some(content) = content else { return Json("null".into()) };
    let mut elements = content.elements();
    if let (Some(only), None) = (elements.next(), elements.next())
        && let Some(Block::Known(Part::Text(text)) | Block::Untyped(Part::Text(text))) = block::read(only)
    {
        return json_string(&text);
    }
    Json(Cow::Borrowed(content.text()))
}

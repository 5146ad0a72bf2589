//! One event of an old generation: the messages that it says, and its place in its call.
//!
//! Which events there are, their lists and roles stand in the dialects' tables, for some emitters
//! write the same events on spans. Their bodies are OpenAI's messages, as structured values or as
//! JSON text; where there is none, the content may stand in an attribute. Without content an event
//! still says that there was a message, and why generation ended.

use std::borrow::Cow;

use super::NAME_ATTRIBUTES;
use crate::genai::content::escape::write_string;
use crate::genai::content::json::{self, Kind, Node};
use crate::genai::content::{messages_from_json, tool_definitions_from_json, write_value};
use crate::genai::dialect::{EventAction, List};
use crate::genai::fold::messages_of_text;
use crate::genai::index::Index;
use crate::genai::message::{Message, Part, ToolDefinition};
use crate::otlp::log_record::LogRecord;
use crate::otlp::value::{Value, put_key_value};
use crate::otlp::wire::put_bytes;

/// Members of which every body has one, with content or without.
const BODY: [&str; 7] = ["role", "content", "message", "tool_calls", "parts", "finish_reason", "id"];

/// Members that may stand in attributes of their names.
const MEMBERS: [&str; 8] = ["role", "name", "content", "message", "tool_calls", "id", "index", "finish_reason"];

/// What an event says.
#[derive(Debug)]
pub(super) struct Event {
    /// The list that its messages belong to.
    pub(super) list: List,
    pub(super) messages: Vec<Message<'static>>,
    /// OpenLLMetry's Anthropic events have the tools in a message of their own.
    pub(super) tools: Vec<ToolDefinition<'static>>,
    /// Instructions that stood apart from the messages.
    pub(super) instructions: Vec<Part<'static>>,
    /// A choice's place among the choices.
    pub(super) index: u64,
    /// All attributes but those that are the event's name or content: key and encoded value.
    pub(super) attributes: Vec<(String, Vec<u8>)>,
    /// The attributes that the content stood in, if the body had none.
    pub(super) content_attributes: Vec<&'static str>,
}

/// What the dialects' tables say of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Whose it is.
    pub(super) dialect: u8,
    list: List,
    role: &'static str,
    /// Attributes that may hold the content.
    content: &'static [&'static str],
    /// Whether texts may hold Python literals.
    python: bool,
}

impl Rule {
    /// The rule of an event of this name, if it is a message.
    pub(super) fn of(index: &Index, name: &str) -> Option<Rule> {
        index.events.iter().filter(|(_, rule)| rule.matches(name)).find_map(|(dialect, rule)| match &rule.action {
            EventAction::Message(message) => {
                let python = index.table(*dialect).is_some_and(|table| table.python);
                Some(Rule {
                    dialect: *dialect,
                    list: message.list,
                    role: message.role,
                    content: message.content,
                    python,
                })
            }
            _ => None,
        })
    }
}

impl Event {
    /// Reads an event; `None` for content in a shape that nobody knows.
    pub(super) fn read(record: &LogRecord<'_>, rule: Rule) -> Option<Event> {
        let mut event = Event::new(rule.list);
        match record.body().filter(|body| !body.is_empty()) {
            Some(body) => event.read_content(Some(&body), rule)?,
            None => event.read_attributes(record, rule)?,
        }
        event.take_attributes(record);
        Some(event)
    }

    /// An event that says nothing yet.
    pub(super) fn new(list: List) -> Event {
        Event {
            list,
            messages: Vec::new(),
            tools: Vec::new(),
            instructions: Vec::new(),
            index: 0,
            attributes: Vec::new(),
            content_attributes: Vec::new(),
        }
    }

    /// Takes up what a record says beside its content.
    pub(super) fn take_attributes(&mut self, record: &LogRecord<'_>) {
        for (key, value) in record.attributes() {
            if !NAME_ATTRIBUTES.contains(&key) && !self.content_attributes.contains(&key) {
                self.attributes.push((key.to_owned(), value.as_bytes().to_vec()));
            }
        }
    }

    /// Whether it says more than that there was a message.
    pub(super) fn has_content(&self) -> bool {
        !self.tools.is_empty()
            || !self.instructions.is_empty()
            || self.messages.iter().any(|message| !message.parts.is_empty())
    }

    /// Reads what stands in attributes: all of it in one, or a member in each.
    fn read_attributes(&mut self, record: &LogRecord<'_>, rule: Rule) -> Option<()> {
        let Some(content) = rule.content.iter().copied().find(|key| record.has(key)) else {
            return self.read_content(None, rule);
        };
        if !BODY.contains(&content) {
            self.content_attributes.push(content);
            return self.read_content(record.get(content).as_ref(), rule);
        }
        let mut body = Vec::new();
        for key in MEMBERS {
            if let Some((_, value)) = record.attributes().find(|(name, _)| *name == key) {
                self.content_attributes.push(key);
                put_key_value(&mut body, 1, key, value.as_bytes());
            }
        }
        let mut value = Vec::new();
        put_bytes(&mut value, 6, &body);
        self.read_content(Some(&Value::parse(&value)), rule)
    }

    fn read_content(&mut self, content: Option<&Value<'_>>, rule: Rule) -> Option<()> {
        let Rule { role, python, .. } = rule;
        let text: Cow<'_, str> = match content {
            None => Cow::Borrowed("{}"),
            Some(Value::Str(text)) => Cow::Borrowed(text),
            Some(value) => {
                let mut text = String::new();
                write_value(value, &mut text);
                Cow::Owned(text)
            }
        };
        let is_text = matches!(content, Some(Value::Str(_)));
        // A user may have typed JSON.
        let is_body =
            |node: &Node<'_>| node.is_object() && (!is_text || BODY.iter().any(|key| node.get(key).is_some()));
        let Some(object) = json::parse(&text).filter(is_body) else {
            self.messages = messages_of_text(&text, role, python).into_iter().map(Message::into_owned).collect();
            // An empty text is a message without content.
            if self.messages.is_empty() {
                self.messages.push(Message { role: role.to_owned().into(), ..Message::default() });
            }
            return Some(());
        };
        if let Some(tools) = only_tools(object) {
            let tools = tool_definitions_from_json(tools.text(), python)?;
            self.tools = tools.into_iter().map(ToolDefinition::into_owned).collect();
            return Some(());
        }
        self.index = object.get("index").and_then(|index| index.text().parse().ok()).unwrap_or(0);
        let message = message_text(object, role);
        let messages = messages_from_json(&message, role, python)?;
        self.messages = messages.into_iter().map(Message::into_owned).collect();
        Some(())
    }
}

/// `{"content": {"tools": [...]}}`.
fn only_tools(body: Node<'_>) -> Option<Node<'_>> {
    let mut members = body.get("content").filter(|content| content.is_object())?.members();
    match (members.next(), members.next()) {
        (Some((key, tools)), None) if key == "tools" && tools.is_array() => Some(tools),
        _ => None,
    }
}

/// The body as one message of OpenAI's, or as one choice that holds a message.
fn message_text(body: Node<'_>, role: &str) -> String {
    let message = body.get("message").or_else(|| body.get("content")).filter(|inner| match body.get("message") {
        Some(_) => inner.is_object(),
        // Google's choices have a whole message as their content.
        None => inner.get("parts").is_some(),
    });
    let mut text = String::from("{");
    let mut put = |name: &str, write: &dyn Fn(&mut String)| {
        if text.len() > 1 {
            text.push(',');
        }
        write_string(name, &mut text);
        text.push(':');
        write(&mut text);
    };
    if message.is_none() && body.get("role").is_none_or(Node::is_blank) {
        put("role", &|text| write_string(role, text));
    }
    for (name, value) in body.members() {
        let name = match &*name {
            // The place in the list says it.
            "index" => continue,
            "role" if value.is_blank() => continue,
            // Some emitters have a choice's text in the message's place.
            "message" if value.kind() == Kind::String => "content",
            "content" if message == Some(value) => "message",
            name => name,
        };
        put(name, &|text| text.push_str(value.text()));
    }
    text.push('}');
    text
}

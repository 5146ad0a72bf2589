//! The published shapes of content, written down a second time and more strictly: every member that
//! a part needs is there in its type, ids and their order hold, and nothing is right merely because
//! it has a `type`.
//!
//! Rules that the published schemas do not have, and why they hold here:
//!
//! | rule | why |
//! |---|---|
//! | `role`, `modality` and `finish_reason` are known words | emitters' own words (`human`, `tool-calls`) are what a translation is for |
//! | `arguments` are no text that holds a JSON object or list | the text is the provider's wire form, not what the model said |
//! | what a message or part says stands under the published member only | a leftover `content` or `tool_calls` beside `parts` says it twice |
//! | a `tool_call_response` names an earlier `tool_call`, ids are unique | without it, no reader can join the two |
//! | `finish_reason` is empty only where the span does not say it for each message | 1.41 wants the member, and nothing may be made up |
//! | parts without a published shape are of a type in [`GENERIC`], with a payload | a `type` alone lets anything through |
//! | a `data:` URL is a `blob` | a reader of `uri` would fetch it |

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use serde_json::Value as Tree;

use super::types::{Type, type_of};
use super::value::tree;

const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];
const MODALITIES: [&str; 4] = ["image", "video", "audio", "document"];
/// The published words, and the two that are passed on because nothing else says them.
const FINISH_REASONS: [&str; 7] =
    ["stop", "length", "content_filter", "tool_call", "error", "compaction", "pause_turn"];

/// Parts without a published shape, and the member that holds what they say.
pub const GENERIC: [(&str, &str); 2] = [("refusal", "content"), ("compaction", "content")];

/// Members of the shapes that a message or part was made from.
const FOREIGN_IN_MESSAGE: [&str; 7] =
    ["content", "tool_calls", "tool_call_id", "function_call", "reasoning_content", "additional_kwargs", "kwargs"];
const FOREIGN_IN_CALL: [&str; 4] = ["function", "input", "args", "toolName"];
const FOREIGN_IN_RESPONSE: [&str; 4] = ["result", "content", "output", "tool_use_id"];
const FOREIGN_IN_TOOL: [&str; 5] = ["function", "input_schema", "inputSchema", "parameters_json_schema", "json_schema"];

/// What is wrong with a value: the attribute, where in it, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The attribute.
    pub key: String,
    /// Where in its value, as `[0].parts[1]`.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

/// What is wrong with the content of a span, event or log record.
pub fn violations(attributes: &[KeyValue], target: Target) -> Vec<Violation> {
    let mut found = Vec::new();
    let reasons = attributes.iter().find(|entry| entry.key == "gen_ai.response.finish_reasons");
    let reasons = reasons.and_then(|entry| tree(entry.value.as_ref()).as_array().map(Vec::len)).unwrap_or(0);
    for entry in attributes {
        let value = tree(entry.value.as_ref());
        let mut check = Check::new(target, reasons);
        match entry.key.as_str() {
            "gen_ai.input.messages" => check.list(&value, |check, at, item| check.message(at, item, false)),
            "gen_ai.output.messages" => check.list(&value, |check, at, item| check.message(at, item, true)),
            "gen_ai.system_instructions" => check.list(&value, Check::instruction),
            "gen_ai.tool.definitions" => check.list(&value, Check::tool),
            "gen_ai.retrieval.documents" => check.list(&value, Check::document),
            "gen_ai.tool.call.arguments" => check.call_text(&value, true),
            "gen_ai.tool.call.result" => check.call_text(&value, false),
            key => check.scalar(key, &value),
        }
        found.extend(check.wrong.into_iter().map(|(at, what)| Violation { key: entry.key.clone(), at, what }));
    }
    found
}

struct Check {
    target: Target,
    /// How many reasons the span has for that the model stopped.
    reasons: usize,
    /// How many messages the list has.
    messages: usize,
    wrong: Vec<(String, String)>,
    /// Ids of the calls that were met so far.
    calls: HashSet<String>,
    /// Ids of the calls in the whole list.
    all_calls: HashSet<String>,
}

impl Check {
    fn new(target: Target, reasons: usize) -> Check {
        let (calls, all_calls) = (HashSet::new(), HashSet::new());
        Check { target, reasons, messages: 0, wrong: Vec::new(), calls, all_calls }
    }

    fn wrong(&mut self, at: &str, what: impl Into<String>) {
        self.wrong.push((at.to_owned(), what.into()));
    }

    /// A list of objects, structured or as JSON text.
    fn list(&mut self, value: &Tree, each: impl Fn(&mut Check, &str, &Tree)) {
        let parsed;
        let value = match value {
            Tree::String(text) => match serde_json::from_str(text) {
                Ok(tree) => {
                    parsed = tree;
                    &parsed
                }
                Err(error) => return self.wrong("", format!("is no JSON: {error}")),
            },
            other => other,
        };
        let Some(items) = value.as_array() else { return self.wrong("", "is no list") };
        self.messages = items.len();
        let parts = items.iter().filter_map(|item| item["parts"].as_array()).flatten();
        self.all_calls = parts
            .filter(|part| part["type"] == "tool_call" || part["type"] == "server_tool_call")
            .filter_map(|part| part["id"].as_str().map(str::to_owned))
            .collect();
        for (place, item) in items.iter().enumerate() {
            let at = format!("[{place}]");
            match item.is_object() {
                true => each(self, &at, item),
                false => self.wrong(&at, "is no object"),
            }
        }
    }

    fn message(&mut self, at: &str, message: &Tree, output: bool) {
        self.word(at, message, "role", &ROLES);
        self.text_or_nothing(at, message, "name");
        self.foreign(at, message, &FOREIGN_IN_MESSAGE);
        match (message.get("finish_reason"), self.target) {
            (None, Target::V1_41) if output => self.wrong(at, "has no finish_reason"),
            (None, _) => {}
            (Some(Tree::Null), Target::Main) => {}
            // 1.41 wants the member even where nobody knows.
            (Some(Tree::String(word)), Target::V1_41) if word.is_empty() && self.reasons != self.messages => {}
            (Some(_), _) => self.word(at, message, "finish_reason", &FINISH_REASONS),
        }
        let Some(parts) = message["parts"].as_array() else { return self.wrong(at, "has no list of parts") };
        for (place, part) in parts.iter().enumerate() {
            let at = format!("{at}.parts[{place}]");
            match part.is_object() {
                true => self.part(&at, part),
                false => self.wrong(&at, "is no object"),
            }
        }
    }

    fn part(&mut self, at: &str, part: &Tree) {
        match part["type"].as_str() {
            None => self.wrong(at, "has no type"),
            Some("text" | "reasoning") => self.text(at, part, "content"),
            Some("tool_call") => {
                self.name(at, part, "name");
                self.foreign(at, part, &FOREIGN_IN_CALL);
                self.arguments(at, part);
                self.call_id(at, part);
            }
            Some("tool_call_response") => {
                if part.get("response").is_none() {
                    self.wrong(at, "has no response");
                }
                self.foreign(at, part, &FOREIGN_IN_RESPONSE);
                self.response_id(at, part);
            }
            Some("server_tool_call") => {
                self.name(at, part, "name");
                self.typed(at, part, "server_tool_call");
                self.call_id(at, part);
            }
            Some("server_tool_call_response") => {
                self.typed(at, part, "server_tool_call_response");
                self.response_id(at, part);
            }
            Some("blob") => {
                self.media(at, part);
                self.base64(at, part);
            }
            Some("file") => {
                self.media(at, part);
                self.name(at, part, "file_id");
            }
            Some("uri") => {
                self.media(at, part);
                self.name(at, part, "uri");
                if part["uri"].as_str().is_some_and(is_base64_url) {
                    self.wrong(at, "is a data: URL, which is a blob");
                }
            }
            Some(other) => match GENERIC.iter().find(|(known, _)| *known == other) {
                Some((_, payload)) => self.name(at, part, payload),
                None => self.wrong(at, format!("is of type {other:?}, which nobody knows")),
            },
        }
    }

    /// System instructions are what the model is told: no calls, and nothing that it thought.
    fn instruction(&mut self, at: &str, part: &Tree) {
        match (part["type"].as_str(), self.target) {
            (Some("text" | "blob" | "file" | "uri"), Target::V1_41) | (Some("text"), Target::Main) => {
                self.part(at, part);
            }
            (Some(other), _) if GENERIC.iter().any(|(known, _)| *known == other) => self.part(at, part),
            (other, _) => self.wrong(at, format!("is of type {other:?}, which is no instruction")),
        }
    }

    fn tool(&mut self, at: &str, tool: &Tree) {
        self.name(at, tool, "type");
        self.name(at, tool, "name");
        self.foreign(at, tool, &FOREIGN_IN_TOOL);
        self.text_or_nothing(at, tool, "description");
        match tool.get("parameters") {
            None | Some(Tree::Null | Tree::Object(_)) => {}
            Some(_) => self.wrong(at, "has parameters that are no JSON schema"),
        }
    }

    /// 1.41 wants id and score of every document; main takes what is known.
    fn document(&mut self, at: &str, document: &Tree) {
        let is_asked = |member: &str| self.target == Target::V1_41 || document.get(member).is_some();
        let (id, score) = (is_asked("id"), is_asked("score"));
        if id {
            self.name(at, document, "id");
        }
        if score && !document["score"].is_number() {
            self.wrong(at, "has no score");
        }
        if document.as_object().is_some_and(serde_json::Map::is_empty) {
            self.wrong(at, "says nothing");
        }
    }

    /// Arguments and results are whatever a tool takes and gives; what looks like JSON is JSON.
    fn call_text(&mut self, value: &Tree, arguments: bool) {
        let Tree::String(text) = value else { return };
        let text = text.trim();
        if looks_like_json(text) && serde_json::from_str::<Tree>(text).is_err() {
            self.wrong("", "looks like JSON and is none");
        }
        if arguments && text.starts_with("{'") {
            self.wrong("", "is Python's repr");
        }
        let quoted = serde_json::from_str::<String>(text);
        if quoted.is_ok_and(|inner| serde_json::from_str::<Tree>(&inner).is_ok_and(|tree| is_structured(&tree))) {
            self.wrong("", "is JSON in a text in JSON");
        }
    }

    /// Attributes that are no content, by their types.
    fn scalar(&mut self, key: &str, value: &Tree) {
        let right = match type_of(key) {
            None => return,
            Some(Type::Text) => value.is_string(),
            Some(Type::Int) => value.is_i64(),
            Some(Type::Double) => value.is_f64(),
            // Core 1.41.1 says double, main says int.
            Some(Type::Number) => value.is_f64() || value.is_i64(),
            Some(Type::Flag) => value.is_boolean(),
            Some(Type::Texts) => value.as_array().is_some_and(|items| items.iter().all(Tree::is_string)),
        };
        if !right {
            self.wrong("", format!("is {value}"));
        }
    }

    // --- members -------------------------------------------------------------------------------

    fn text(&mut self, at: &str, object: &Tree, member: &str) {
        if !object[member].is_string() {
            self.wrong(at, format!("has no text {member}"));
        }
    }

    fn name(&mut self, at: &str, object: &Tree, member: &str) {
        if object[member].as_str().is_none_or(str::is_empty) {
            self.wrong(at, format!("has no {member}"));
        }
    }

    fn text_or_nothing(&mut self, at: &str, object: &Tree, member: &str) {
        if !matches!(object.get(member), None | Some(Tree::Null | Tree::String(_))) {
            self.wrong(at, format!("has a {member} that is no text"));
        }
    }

    fn word(&mut self, at: &str, object: &Tree, member: &str, words: &[&str]) {
        match object[member].as_str() {
            Some(word) if words.contains(&word) => {}
            Some(word) => self.wrong(at, format!("has the {member} {word:?}")),
            None => self.wrong(at, format!("has no {member}")),
        }
    }

    fn foreign(&mut self, at: &str, object: &Tree, members: &[&str]) {
        for member in members.iter().filter(|member| object.get(**member).is_some()) {
            self.wrong(at, format!("has a {member}, which is of another shape"));
        }
    }

    fn arguments(&mut self, at: &str, part: &Tree) {
        let inner = part["arguments"].as_str().and_then(|text| serde_json::from_str::<Tree>(text).ok());
        if inner.is_some_and(|inner| is_structured(&inner)) {
            self.wrong(at, "has arguments as a text of JSON");
        }
    }

    fn typed(&mut self, at: &str, part: &Tree, member: &str) {
        match &part[member] {
            Tree::Object(inner) if inner.get("type").is_some_and(Tree::is_string) => {
                if inner.len() < 2 {
                    self.wrong(at, format!("has a {member} that says nothing but its type"));
                }
            }
            _ => self.wrong(at, format!("has no {member} with a type")),
        }
    }

    fn media(&mut self, at: &str, part: &Tree) {
        self.word(at, part, "modality", &MODALITIES);
        self.text_or_nothing(at, part, "mime_type");
    }

    fn base64(&mut self, at: &str, part: &Tree) {
        match part["content"].as_str() {
            None | Some("") => self.wrong(at, "has no content"),
            Some(content) if !is_base64(content) => self.wrong(at, "has content that is no base64"),
            Some(_) => {}
        }
    }

    fn call_id(&mut self, at: &str, part: &Tree) {
        self.text_or_nothing(at, part, "id");
        if let Some(id) = part["id"].as_str()
            && !self.calls.insert(id.to_owned())
        {
            self.wrong(at, format!("has the id {id:?} of another call"));
        }
    }

    fn response_id(&mut self, at: &str, part: &Tree) {
        self.text_or_nothing(at, part, "id");
        if let Some(id) = part["id"].as_str()
            && !self.all_calls.is_empty()
            && !self.calls.contains(id)
        {
            self.wrong(at, format!("answers {id:?}, which no earlier call has"));
        }
    }
}

fn is_structured(tree: &Tree) -> bool {
    tree.is_object() || tree.is_array()
}

fn looks_like_json(text: &str) -> bool {
    let mut inner = text.chars().filter(|c| !c.is_whitespace());
    let ends = text.ends_with('}') || text.ends_with(']');
    match (inner.next(), inner.next()) {
        (Some('{'), Some('"' | '}')) => ends,
        (Some('['), Some('{' | '"' | ']')) => ends,
        _ => false,
    }
}

fn is_base64(text: &str) -> bool {
    [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD].iter().any(|engine| engine.decode(text).is_ok())
}

fn is_base64_url(text: &str) -> bool {
    let payload = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    payload.is_some_and(|(_, payload)| !payload.is_empty() && is_base64(payload))
}

#[cfg(test)]
mod tests;

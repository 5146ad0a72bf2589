//! Pieces into lists: indexed families and span events become messages and tool definitions.
//!
//! Numbers sort as numbers, gaps close up. Which piece is what is said by the dialect's table.

use std::borrow::Cow;

use super::content::{self, write_value};
use super::dialect::{EventMessage, List, Piece};
use super::message::{Document, Json, Message, Part, ToolDefinition};
use super::source::SourceEvent;
use crate::otlp::value::Value;

/// One piece with its numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbered<'s> {
    pub(super) number: u32,
    pub(super) inner: u32,
    pub(super) piece: Piece,
    pub(super) text: Cow<'s, str>,
}

/// A value as text; JSON where it has structure. `None` where there is no value.
pub(super) fn text_of<'s>(value: &'s Value<'_>) -> Option<Cow<'s, str>> {
    match value {
        Value::Str(text) => Some(Cow::Borrowed(text)),
        Value::Empty => None,
        other => {
            let mut text = String::new();
            write_value(other, &mut text);
            Some(Cow::Owned(text))
        }
    }
}

#[derive(Default)]
struct Draft<'s> {
    role: Option<Cow<'s, str>>,
    name: Option<Cow<'s, str>>,
    content: Option<Cow<'s, str>>,
    /// The members of content blocks, by the number of the block.
    blocks: Vec<(u32, (&'static str, Cow<'s, str>))>,
    /// A whole list of content blocks.
    more_blocks: Option<Cow<'s, str>>,
    /// Whole content blocks, each by its number.
    json_blocks: Vec<(u32, Cow<'s, str>)>,
    /// A whole list of tool calls.
    whole_calls: Option<Cow<'s, str>>,
    user: bool,
    finish_reason: Option<Cow<'s, str>>,
    reasoning: Option<Cow<'s, str>>,
    refusal: Option<Cow<'s, str>>,
    tool_call_id: Option<Cow<'s, str>>,
    calls: Vec<(u32, CallDraft<'s>)>,
}

#[derive(Default)]
struct CallDraft<'s> {
    id: Option<Cow<'s, str>>,
    name: Option<Cow<'s, str>>,
    arguments: Option<Cow<'s, str>>,
    more: Vec<(&'static str, Cow<'s, str>)>,
}

/// The messages that the pieces of one family make.
pub(super) fn messages<'s>(mut pieces: Vec<Numbered<'s>>, list: List, python: bool) -> Vec<Message<'s>> {
    for piece in &mut pieces {
        // The family's number counts the calls of the only choice.
        if matches!(piece.piece, Piece::ChoiceCallName | Piece::ChoiceCallArguments) {
            piece.inner = piece.number;
            piece.number = 0;
        }
    }
    pieces.sort_by_key(|piece| (piece.number, piece.inner));
    let mut messages = Vec::new();
    let mut pieces = pieces.into_iter().peekable();
    while let Some(first) = pieces.next() {
        let number = first.number;
        let mut draft = Draft::default();
        draft.add(first);
        while let Some(piece) = pieces.next_if(|piece| piece.number == number) {
            draft.add(piece);
        }
        messages.push(draft.finish(list, python));
    }
    messages
}

impl<'s> Draft<'s> {
    fn add(&mut self, piece: Numbered<'s>) {
        let text = piece.text;
        match piece.piece {
            Piece::Role => self.role = present(text),
            Piece::Name => self.name = present(text),
            Piece::Calls => self.whole_calls = present(text),
            Piece::Blocks => self.more_blocks = present(text),
            Piece::Block(member) => self.blocks.push((piece.inner, (member, text))),
            Piece::BlockJson => self.json_blocks.push((piece.inner, text)),
            Piece::Content => self.content = Some(text),
            Piece::UserText => {
                self.user = true;
                self.content = Some(text);
            }
            Piece::FinishReason => self.finish_reason = present(text),
            Piece::Reasoning => self.reasoning = present(text),
            Piece::Refusal => self.refusal = present(text),
            Piece::ToolCallId => self.tool_call_id = present(text),
            Piece::CallId => self.call(piece.inner).id = present(text),
            Piece::CallName | Piece::ChoiceCallName => self.call(piece.inner).name = present(text),
            Piece::CallArguments | Piece::ChoiceCallArguments => self.call(piece.inner).arguments = present(text),
            Piece::CallMember(name) => self.call(piece.inner).more.extend(present(text).map(|text| (name, text))),
            Piece::CallType
            | Piece::ToolName
            | Piece::ToolDescription
            | Piece::ToolParameters
            | Piece::ToolType
            | Piece::ToolJson
            | Piece::DocumentId
            | Piece::DocumentScore
            | Piece::DocumentContent
            | Piece::DocumentMetadata
            | Piece::Vector
            | Piece::Keep(_) => {}
        }
    }

    /// The call of a number; pieces come sorted, so it is the last one or new.
    fn call(&mut self, inner: u32) -> &mut CallDraft<'s> {
        if self.calls.last().is_none_or(|(number, _)| *number != inner) {
            self.calls.push((inner, CallDraft::default()));
        }
        let last = self.calls.len() - 1;
        &mut self.calls[last].1
    }

    fn finish(mut self, list: List, python: bool) -> Message<'s> {
        let mut parts = Vec::new();
        if let Some(text) = self.reasoning {
            parts.extend(content::reasoning_from_text(text));
        }
        let role = match self.role {
            Some(role) if !content::is_no_role(&role) => content::role(role),
            // OpenLLMetry's LangChain wrapper knew every role but a tool's.
            Some(_) if list == List::Input => "tool".into(),
            _ if self.user => "user".into(),
            _ if self.tool_call_id.is_some() => "tool".into(),
            _ if list == List::Output => "assistant".into(),
            _ => "user".into(),
        };
        let blocks = Blocks::of(&self.blocks);
        if (self.tool_call_id.is_some() || role == "tool") && self.json_blocks.is_empty() {
            // LiteLLM's flat keys have no id of the call.
            let response = match (self.content, blocks.only_text()) {
                (Some(content), _) => response(content),
                (None, Some(text)) => content::json_string(text),
                (None, None) if blocks.0.is_empty() => content::json_string(""),
                (None, None) => blocks.list(),
            };
            parts.push(Part::ToolCallResponse { id: self.tool_call_id, response });
        } else {
            // LangChain's wrapper writes empty content as the two characters `""`.
            let content = self.content.filter(|text| !text.is_empty() && text != "\"\"");
            // OpenInference says the text of blocks once more as content.
            if let Some(text) = content.filter(|text| !blocks.say(text)) {
                append_text(text, python, &mut parts);
            }
            for part in blocks.parts(python) {
                parts.push(part);
            }
        }
        if let Some(blocks) = self.more_blocks {
            match content::parts_from_json(&blocks, python) {
                _ if blocks.trim() == "[]" => {}
                Some(read) => append_owned(Some(read), &mut parts),
                None => append_text(blocks, python, &mut parts),
            }
        }
        self.json_blocks.sort_by_key(|(number, _)| *number);
        for (_, block) in self.json_blocks {
            match content::parts_from_json(&format!("[{block}]"), python) {
                Some(read) => append_owned(Some(read), &mut parts),
                None => append_text(block, python, &mut parts),
            }
        }
        parts.extend(self.refusal.map(|text| content::refusal(&text)));
        if let Some(calls) = self.whole_calls {
            match content::tool_calls_from_json(&calls, python) {
                Some(calls) => append_owned(Some(calls), &mut parts),
                None => append_text(calls, python, &mut parts),
            }
        }
        for (_, call) in self.calls {
            // Anthropic's calls stand both in the content's blocks and in keys of their own.
            let said = |part: &Part<'_>| matches!(part, Part::ToolCall { id, .. } if id.is_some() && *id == call.id);
            // A bound, for a hostile span could have thousands.
            let known = parts.iter().take(64).position(said);
            let part = match known.and_then(|place| parts.get_mut(place)) {
                Some(part) => part,
                None => {
                    let arguments = call.arguments.and_then(content::arguments_from_text);
                    parts.push(Part::ToolCall { id: call.id, name: call.name.unwrap_or_default(), arguments });
                    let Some(part) = parts.last_mut() else { continue };
                    part
                }
            };
            if !call.more.is_empty() {
                let part_of_call = std::mem::replace(part, Part::Text(Cow::Borrowed("")));
                *part = Part::Extended { part: Box::new(part_of_call), more: members(&call.more).into() };
            }
        }
        Message { role, name: self.name, parts, finish_reason: self.finish_reason, ..Message::default() }
    }
}

/// Members of an object, without its braces. A name that comes twice (the URLs of an image and of a sound
/// in one block) is numbered, for JSON has each once.
fn members<'m, 't: 'm>(members: impl IntoIterator<Item = &'m (&'static str, Cow<'t, str>)>) -> String {
    let mut text = String::new();
    // There are few names, for they come from a table.
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for (name, value) in members {
        let number = match seen.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => {
                *count += 1;
                format!("_{count}")
            }
            None => {
                seen.push((name, 1));
                String::new()
            }
        };
        let comma = if text.is_empty() { "" } else { "," };
        text.push_str(&format!(r#"{comma}"{name}{number}":{}"#, content::json_string(value).0));
    }
    text
}

/// Content blocks whose members came one by one, each with its members.
struct Blocks<'m, 's>(Vec<Vec<&'m (&'static str, Cow<'s, str>)>>);

impl<'m, 's> Blocks<'m, 's> {
    fn of(members: &'m [(u32, (&'static str, Cow<'s, str>))]) -> Blocks<'m, 's> {
        let blocks = members.chunk_by(|(one, _), (other, _)| one == other);
        Blocks(blocks.map(|block| block.iter().map(|(_, member)| member).collect()).collect())
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|block| member(block, "text"))
    }

    /// Whether this text is what the blocks say, one of them or all together.
    fn say(&self, content: &str) -> bool {
        self.texts().any(|text| text == content)
            || (!self.0.is_empty()
                && ["", "\n"].iter().any(|glue| self.texts().collect::<Vec<_>>().join(glue) == content))
    }

    /// The text of the only block, if it has nothing else.
    fn only_text(&self) -> Option<&str> {
        match &self.0[..] {
            [block] if block.iter().all(|(name, _)| matches!(*name, "type" | "text")) => member(block, "text"),
            _ => None,
        }
    }

    fn json(block: &[&(&'static str, Cow<'_, str>)]) -> String {
        format!("{{{}}}", members(block.iter().copied()))
    }

    fn list(&self) -> Json<'static> {
        let blocks: Vec<String> = self.0.iter().map(|block| Self::json(block)).collect();
        Json(format!("[{}]", blocks.join(",")).into())
    }

    /// The parts that they are; a block that nobody knows is one as it is.
    fn parts(&self, python: bool) -> impl Iterator<Item = Part<'static>> {
        self.0.iter().filter(|block| !is_blank(block)).flat_map(move |block| {
            let json = match (member(block, "type"), member(block, "text")) {
                (Some(_), _) => Self::json(block),
                (None, text) => {
                    let kind = if text.is_some() { "text" } else { "unknown" };
                    format!(r#"{{"type":"{kind}",{}}}"#, members(block.iter().copied()))
                }
            };
            let read = content::parts_from_json(&json, python)
                .map(|parts| parts.into_iter().map(Part::into_owned).collect::<Vec<Part<'static>>>());
            read.unwrap_or_else(|| vec![Part::Generic(Json(json.into()))])
        })
    }
}

/// LlamaIndex begins an answer that is all calls with an empty text.
fn is_blank(block: &[&(&'static str, Cow<'_, str>)]) -> bool {
    block.iter().all(|(name, text)| *name == "type" || text.is_empty())
}

fn member<'b>(block: &'b [&(&'static str, Cow<'_, str>)], wanted: &str) -> Option<&'b str> {
    block.iter().find(|(name, _)| *name == wanted).map(|(_, text)| &**text)
}

fn append_owned(read: Option<Vec<Part<'_>>>, parts: &mut Vec<Part<'_>>) {
    let owned: Vec<Part<'static>> = read.into_iter().flatten().map(Part::into_owned).collect();
    parts.extend(owned);
}

fn present(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then_some(text)
}

/// A tool's answer: a text stays one, also if it is JSON, for that is what the tool said; what had
/// structure was made JSON by [`text_of`].
fn response(text: Cow<'_, str>) -> Json<'_> {
    match text {
        Cow::Borrowed(text) => content::json_string(text),
        Cow::Owned(json) => Json(Cow::Owned(json)),
    }
}

/// Appends the parts that a content text stands for.
fn append_text<'s>(text: Cow<'s, str>, python: bool, parts: &mut Vec<Part<'s>>) {
    match text {
        Cow::Borrowed(text) if parts.is_empty() => *parts = content::parts_from_text(text, python),
        Cow::Borrowed(text) => parts.extend(content::parts_from_text(text, python)),
        Cow::Owned(text) => {
            let owned: Vec<Part<'static>> =
                content::parts_from_text(&text, python).into_iter().map(|part| part.into_owned()).collect();
            parts.extend(owned);
        }
    }
}

/// The messages of a whole text: JSON of any known shape, or one message with it as its content.
pub(super) fn messages_of_text<'s>(text: &'s str, role: &str, python: bool) -> Vec<Message<'s>> {
    if let Some(messages) = content::messages_from_json(text, role, python) {
        return messages;
    }
    let parts = content::parts_from_text(text, python);
    match parts.is_empty() {
        true => Vec::new(),
        false => vec![Message { role: role.to_owned().into(), parts, ..Message::default() }],
    }
}

/// The tool definitions that the pieces of one family make.
pub(super) fn tools<'s>(mut pieces: Vec<Numbered<'s>>, python: bool) -> Vec<ToolDefinition<'s>> {
    #[derive(Default)]
    struct ToolDraft<'s> {
        kind: Option<Cow<'s, str>>,
        name: Cow<'s, str>,
        description: Option<Cow<'s, str>>,
        parameters: Option<Cow<'s, str>>,
        whole: Option<Cow<'s, str>>,
    }
    pieces.sort_by_key(|piece| piece.number);
    let mut drafts: Vec<(u32, ToolDraft<'s>)> = Vec::new();
    for piece in pieces {
        if drafts.last().is_none_or(|(number, _)| *number != piece.number) {
            drafts.push((piece.number, ToolDraft::default()));
        }
        let Some((_, draft)) = drafts.last_mut() else { continue };
        match piece.piece {
            Piece::ToolName => draft.name = piece.text,
            Piece::ToolDescription => draft.description = present(piece.text),
            Piece::ToolParameters => draft.parameters = present(piece.text),
            Piece::ToolType => draft.kind = present(piece.text),
            Piece::ToolJson => draft.whole = present(piece.text),
            _ => {}
        }
    }
    drafts
        .into_iter()
        .flat_map(|(_, draft)| {
            if let Some(whole) = draft.whole.as_deref()
                && let Some(tools) = content::tool_definitions_from_json(whole, python)
            {
                return tools.into_iter().map(ToolDefinition::into_owned).collect();
            }
            let mut tool =
                content::tool_definition_from_pieces(draft.name, draft.description, draft.parameters, python);
            if let Some(kind) = draft.kind {
                tool.kind = kind;
            }
            vec![tool]
        })
        .collect()
}

/// The documents that the pieces of one family make.
pub(super) fn documents<'s>(mut pieces: Vec<Numbered<'s>>, python: bool) -> Vec<Document<'s>> {
    pieces.sort_by_key(|piece| piece.number);
    pieces
        .chunk_by_mut(|one, other| one.number == other.number)
        .map(|pieces| {
            let mut take = |wanted: Piece| {
                let piece = pieces.iter_mut().find(|piece| piece.piece == wanted)?;
                present(std::mem::take(&mut piece.text))
            };
            content::document_from_pieces(
                take(Piece::DocumentId),
                take(Piece::DocumentScore),
                take(Piece::DocumentContent),
                take(Piece::DocumentMetadata),
                python,
            )
        })
        .collect()
}

/// Keys of an event that say nothing which its message or the span does not.
const EVENT_ENVELOPE: &[&str] = &[
    "gen_ai.system",
    "gen_ai.provider.name",
    "role",
    "id",
    "index",
    "finish_reason",
    "event.name",
    "tool_calls",
    "name",
];

/// The messages of an event, and whether they say all that the event says. `None` if the event
/// holds no content.
pub(super) fn event_messages<'s>(
    event: &'s SourceEvent<'_>,
    rule: &EventMessage,
    python: bool,
) -> Option<(Vec<Message<'s>>, bool)> {
    let (key, value) = rule.content.iter().find_map(|key| event.get(key).map(|value| (*key, value)))?;
    let text = |key: &str| event.get(key).and_then(text_of).and_then(present);
    let role = text("role").filter(|role| !content::is_no_role(role));
    let role = content::role(role.unwrap_or_else(|| rule.role.to_owned().into()));
    let mut messages = match text_of(value)? {
        _ if key == "tool_calls" => vec![Message { role: role.clone().into_owned().into(), ..Message::default() }],
        Cow::Borrowed(body) => messages_of_text(body, &role, python),
        Cow::Owned(body) => messages_of_text(&body, &role, python).into_iter().map(Message::into_owned).collect(),
    };
    let all = event.attributes.iter().all(|(name, _)| *name == key || EVENT_ENVELOPE.contains(name));
    let Some(message) = messages.last_mut() else { return Some((messages, all)) };
    if let Some(calls) = text("tool_calls") {
        // OpenAI's tool calls, read as those of a message.
        let whole = format!(r#"[{{"role":"assistant","content":null,"tool_calls":{calls}}}]"#);
        match content::messages_from_json(&whole, "assistant", python) {
            Some(read) => {
                let parts = read.into_iter().map(Message::into_owned).flat_map(|message| message.parts);
                message.parts.extend(parts.collect::<Vec<_>>());
            }
            None => return Some((messages, false)),
        }
    }
    if let Some(reason) = text("finish_reason") {
        message.finish_reason = Some(reason);
    }
    // `gen_ai.tool.message`: the text answers the call of this id.
    if let ("tool", Some(id)) = (rule.role, text("id"))
        && !message.parts.iter().any(|part| matches!(part, Part::ToolCallResponse { .. }))
    {
        let body = text_of(value).unwrap_or(Cow::Borrowed(""));
        message.parts = vec![Part::ToolCallResponse { id: Some(id), response: response(body) }];
    }
    Some((messages, all))
}

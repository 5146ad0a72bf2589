//! Messages and their parts, as the conventions' published JSON schemas shape them.
//!
//! Held borrowed where the source allows it. JSON values that must survive untouched (arguments,
//! results, parts that no schema names) are held as JSON text and written as they are.

use std::borrow::Cow;

/// Valid JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<'a>(pub Cow<'a, str>);

impl Json<'_> {
    /// Without borrowing from the source.
    pub fn into_owned(self) -> Json<'static> {
        Json(owned(self.0))
    }
}

/// `gen_ai.input.messages[]` and `gen_ai.output.messages[]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message<'a> {
    /// `system`, `user`, `assistant`, `tool` or another.
    pub role: Cow<'a, str>,
    /// The participant's name, if any.
    pub name: Option<Cow<'a, str>>,
    /// What was said, in order.
    pub parts: Vec<Part<'a>>,
    /// Output messages: why generation ended, in the provider's words (`stop`, `tool_use`, ...); they
    /// become the schema's words when they are written.
    pub finish_reason: Option<Cow<'a, str>>,
    /// Everything else that the source said of it, as the members of a JSON object without braces
    /// (`"id":"msg_1"`); empty if nothing. The schemas allow additional members.
    pub more: Cow<'a, str>,
}

impl Message<'_> {
    /// Without borrowing from the source.
    pub fn into_owned(self) -> Message<'static> {
        Message {
            role: owned(self.role),
            name: self.name.map(owned),
            parts: self.parts.into_iter().map(Part::into_owned).collect(),
            finish_reason: self.finish_reason.map(owned),
            more: owned(self.more),
        }
    }
}

/// `parts[]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<'a> {
    /// `text`.
    Text(Cow<'a, str>),
    /// `reasoning`.
    Reasoning(Cow<'a, str>),
    /// `tool_call`.
    ToolCall {
        /// The call's id.
        id: Option<Cow<'a, str>>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// The arguments: an object where the source allows it.
        arguments: Option<Json<'a>>,
    },
    /// `tool_call_response`.
    ToolCallResponse {
        /// The call's id.
        id: Option<Cow<'a, str>>,
        /// What the tool answered.
        response: Json<'a>,
    },
    /// `blob`: inline data.
    Blob {
        /// `image`, `audio`, `video` (`document` in the newer target).
        modality: Cow<'a, str>,
        /// The data's media type.
        mime_type: Option<Cow<'a, str>>,
        /// Base64.
        content: Cow<'a, str>,
    },
    /// `file`: data that the provider keeps.
    File {
        /// As in `Blob`.
        modality: Cow<'a, str>,
        /// The data's media type.
        mime_type: Option<Cow<'a, str>>,
        /// The provider's id of the file.
        file_id: Cow<'a, str>,
    },
    /// `uri`: data elsewhere.
    Uri {
        /// As in `Blob`.
        modality: Cow<'a, str>,
        /// The data's media type.
        mime_type: Option<Cow<'a, str>>,
        /// Where.
        uri: Cow<'a, str>,
    },
    /// `server_tool_call`: a tool that the provider runs.
    ServerToolCall {
        /// The call's id.
        id: Option<Cow<'a, str>>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// What was called: an object that has a `type`.
        call: Json<'a>,
    },
    /// `server_tool_call_response`.
    ServerToolCallResponse {
        /// The call's id.
        id: Option<Cow<'a, str>>,
        /// What the tool answered: an object that has a `type`.
        response: Json<'a>,
    },
    /// Any other part: a whole JSON object that has a `type`.
    Generic(Json<'a>),
    /// A part of which the source said more than the schema names.
    Extended {
        /// The part; neither `Generic` nor `Extended`.
        part: Box<Part<'a>>,
        /// The rest, as the members of a JSON object without braces (`"detail":"low"`); not empty,
        /// and without the names of the part's own members.
        more: Cow<'a, str>,
    },
}

impl Part<'_> {
    /// Without borrowing from the source.
    pub fn into_owned(self) -> Part<'static> {
        match self {
            Part::Text(content) => Part::Text(owned(content)),
            Part::Reasoning(content) => Part::Reasoning(owned(content)),
            Part::ToolCall { id, name, arguments } => {
                Part::ToolCall { id: id.map(owned), name: owned(name), arguments: arguments.map(Json::into_owned) }
            }
            Part::ToolCallResponse { id, response } => {
                Part::ToolCallResponse { id: id.map(owned), response: response.into_owned() }
            }
            Part::Blob { modality, mime_type, content } => {
                Part::Blob { modality: owned(modality), mime_type: mime_type.map(owned), content: owned(content) }
            }
            Part::File { modality, mime_type, file_id } => {
                Part::File { modality: owned(modality), mime_type: mime_type.map(owned), file_id: owned(file_id) }
            }
            Part::Uri { modality, mime_type, uri } => {
                Part::Uri { modality: owned(modality), mime_type: mime_type.map(owned), uri: owned(uri) }
            }
            Part::ServerToolCall { id, name, call } => {
                Part::ServerToolCall { id: id.map(owned), name: owned(name), call: call.into_owned() }
            }
            Part::ServerToolCallResponse { id, response } => {
                Part::ServerToolCallResponse { id: id.map(owned), response: response.into_owned() }
            }
            Part::Generic(object) => Part::Generic(object.into_owned()),
            Part::Extended { part, more } => Part::Extended { part: Box::new(part.into_owned()), more: owned(more) },
        }
    }
}

/// `gen_ai.tool.definitions[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDefinition<'a> {
    /// `function` or another.
    pub kind: Cow<'a, str>,
    /// The tool's name.
    pub name: Cow<'a, str>,
    /// What it does.
    pub description: Option<Cow<'a, str>>,
    /// JSON Schema of its parameters.
    pub parameters: Option<Json<'a>>,
    /// Everything else that the source said of it, as the members of a JSON object without braces
    /// (`"strict":true`); empty if nothing.
    pub more: Cow<'a, str>,
}

impl ToolDefinition<'_> {
    /// Without borrowing from the source.
    pub fn into_owned(self) -> ToolDefinition<'static> {
        ToolDefinition {
            kind: owned(self.kind),
            name: owned(self.name),
            description: self.description.map(owned),
            parameters: self.parameters.map(Json::into_owned),
            more: owned(self.more),
        }
    }
}

/// What the body of a request or of a response holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conversation<'a> {
    /// Instructions that stand apart from the messages.
    pub instructions: Vec<Part<'a>>,
    /// The messages, in the order in which they were said.
    pub messages: Vec<Message<'a>>,
    /// The tools that the model was offered.
    pub tools: Vec<ToolDefinition<'a>>,
    /// What is none of these (model, parameters, usage), as the members of a JSON object without
    /// braces; empty if nothing.
    pub more: Cow<'a, str>,
}

impl<'a> Conversation<'a> {
    /// Without borrowing from the source.
    pub fn into_owned(self) -> Conversation<'static> {
        Conversation {
            instructions: self.instructions.into_iter().map(Part::into_owned).collect(),
            messages: self.messages.into_iter().map(Message::into_owned).collect(),
            tools: self.tools.into_iter().map(ToolDefinition::into_owned).collect(),
            more: owned(self.more),
        }
    }

    /// The messages, after a system message with the instructions if there are any.
    pub fn into_messages(self) -> Vec<Message<'a>> {
        let mut messages = self.messages;
        if !self.instructions.is_empty() {
            let system = Message { role: "system".into(), parts: self.instructions, ..Message::default() };
            messages.insert(0, system);
        }
        messages
    }
}

/// `gen_ai.retrieval.documents[]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document<'a> {
    /// The document's id; a number that the source gave is its text, as the schema asks for text.
    pub id: Option<Cow<'a, str>>,
    /// How relevant it is: a JSON number as the source wrote it.
    pub score: Option<Json<'a>>,
    /// What it says: a text, or JSON where the source holds it in pieces. No schema names it.
    pub content: Option<Json<'a>>,
    /// What is known of it: a JSON object, or a text where it is none. No schema names it.
    pub metadata: Option<Json<'a>>,
    /// Everything else that the source said of it, as the members of a JSON object without braces
    /// (`"index":0`); empty if nothing.
    pub more: Cow<'a, str>,
}

impl Document<'_> {
    /// Without borrowing from the source.
    pub fn into_owned(self) -> Document<'static> {
        Document {
            id: self.id.map(owned),
            score: self.score.map(Json::into_owned),
            content: self.content.map(Json::into_owned),
            metadata: self.metadata.map(Json::into_owned),
            more: owned(self.more),
        }
    }

    /// Whether it says neither what it is, nor which, nor how relevant.
    pub fn is_nothing(&self) -> bool {
        self.id.is_none() && self.score.is_none() && self.content.is_none()
    }

    /// Whether it has all that the schema of 1.41 requires: an id and a score. The newer target
    /// requires neither. Many retrievers know no score, and none is made up.
    pub fn is_complete(&self) -> bool {
        self.id.is_some() && self.score.is_some()
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

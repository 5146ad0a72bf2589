//! Messages and their parts, as the conventions' published JSON schemas shape them.
//!
//! Held borrowed where the source allows it. JSON values that must survive untouched (arguments,
//! results, parts that no schema names) are held as JSON text and written as they are.

use std::borrow::Cow;

/// Valid JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<'a>(pub Cow<'a, str>);

/// `gen_ai.input.messages[]` and `gen_ai.output.messages[]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message<'a> {
    /// `system`, `user`, `assistant`, `tool` or another.
    pub role: Cow<'a, str>,
    /// The participant's name, if any.
    pub name: Option<Cow<'a, str>>,
    /// What was said, in order.
    pub parts: Vec<Part<'a>>,
    /// Output messages: why generation ended, in the schema's words (`stop`, `tool_call`, ...).
    pub finish_reason: Option<Cow<'a, str>>,
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
    /// Any other part: a whole JSON object that has a `type`.
    Generic(Json<'a>),
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

//! Messages, parts and tool definitions as the JSON that the conventions publish schemas of.

use super::escape::write_string;
use super::finish_reason::message_finish_reason;
use crate::genai::message::{Document, Json, Message, Part, ToolDefinition};

/// Appends `gen_ai.input.messages` or `gen_ai.output.messages`. 1.41 asks for a `finish_reason` on
/// every output message, so it is written even if unknown (`""`), in the schema's words; other lists
/// have none.
pub fn write_messages(messages: &[Message<'_>], with_finish_reason: bool, out: &mut String) {
    write_list(messages, out, |message, out| {
        out.push_str("{\"role\":");
        write_string(&message.role, out);
        if let Some(name) = &message.name {
            write_text("name", name, out);
        }
        out.push_str(",\"parts\":");
        write_parts(&message.parts, out);
        if with_finish_reason {
            let reason = message.finish_reason.as_deref().unwrap_or_default();
            write_text("finish_reason", &message_finish_reason(reason.into()), out);
        }
        write_more(&message.more, out);
        out.push('}');
    });
}

/// Appends `gen_ai.system_instructions`, or a message's `parts`.
pub fn write_parts(parts: &[Part<'_>], out: &mut String) {
    write_list(parts, out, write_part);
}

/// Appends `gen_ai.tool.definitions`.
pub fn write_tool_definitions(tools: &[ToolDefinition<'_>], out: &mut String) {
    write_list(tools, out, |tool, out| {
        out.push_str("{\"type\":");
        write_string(&tool.kind, out);
        write_text("name", &tool.name, out);
        if let Some(description) = &tool.description {
            write_text("description", description, out);
        }
        if let Some(parameters) = &tool.parameters {
            write_json("parameters", parameters, out);
        }
        write_more(&tool.more, out);
        out.push('}');
    });
}

/// Appends `gen_ai.retrieval.documents`.
pub fn write_documents(documents: &[Document<'_>], out: &mut String) {
    write_list(documents, out, |document, out| {
        let start = out.len();
        write_optional("id", document.id.as_deref(), out);
        let members = [("score", &document.score), ("content", &document.content), ("metadata", &document.metadata)];
        for (name, json) in members {
            if let Some(json) = json {
                write_json(name, json, out);
            }
        }
        write_more(&document.more, out);
        match out.len() > start {
            // Every member begins with the comma that stands before all but the first.
            true => out.replace_range(start..=start, "{"),
            false => out.push('{'),
        }
        out.push('}');
    });
}

fn write_part(part: &Part<'_>, out: &mut String) {
    match part {
        Part::Generic(object) => return out.push_str(&object.0),
        Part::Extended { part, more } => {
            write_part(part, out);
            if out.pop() == Some('}') {
                write_more(more, out);
            }
        }
        Part::Text(content) => {
            out.push_str("{\"type\":\"text\"");
            write_text("content", content, out);
        }
        Part::Reasoning(content) => {
            out.push_str("{\"type\":\"reasoning\"");
            write_text("content", content, out);
        }
        Part::ToolCall { id, name, arguments } => {
            out.push_str("{\"type\":\"tool_call\"");
            write_id(id.as_deref(), out);
            write_text("name", name, out);
            if let Some(arguments) = arguments {
                write_json("arguments", arguments, out);
            }
        }
        Part::ToolCallResponse { id, response } => {
            out.push_str("{\"type\":\"tool_call_response\"");
            write_id(id.as_deref(), out);
            write_json("response", response, out);
        }
        Part::Blob { modality, mime_type, content } => {
            out.push_str("{\"type\":\"blob\"");
            write_media(modality, mime_type.as_deref(), out);
            write_text("content", content, out);
        }
        Part::File { modality, mime_type, file_id } => {
            out.push_str("{\"type\":\"file\"");
            write_media(modality, mime_type.as_deref(), out);
            write_text("file_id", file_id, out);
        }
        Part::Uri { modality, mime_type, uri } => {
            out.push_str("{\"type\":\"uri\"");
            write_media(modality, mime_type.as_deref(), out);
            write_text("uri", uri, out);
        }
        Part::ServerToolCall { id, name, call } => {
            out.push_str("{\"type\":\"server_tool_call\"");
            write_id(id.as_deref(), out);
            write_text("name", name, out);
            write_json("server_tool_call", call, out);
        }
        Part::ServerToolCallResponse { id, response } => {
            out.push_str("{\"type\":\"server_tool_call_response\"");
            write_id(id.as_deref(), out);
            write_json("server_tool_call_response", response, out);
        }
    }
    out.push('}');
}

fn write_media(modality: &str, mime_type: Option<&str>, out: &mut String) {
    write_text("modality", modality, out);
    write_optional("mime_type", mime_type, out);
}

/// The id of a call; an empty one is none.
fn write_id(id: Option<&str>, out: &mut String) {
    write_optional("id", id.filter(|id| !id.is_empty()), out);
}

fn write_optional(name: &str, text: Option<&str>, out: &mut String) {
    if let Some(text) = text {
        write_text(name, text, out);
    }
}

/// A member after another one; `name` needs no escaping.
fn write_text(name: &str, text: &str, out: &mut String) {
    write_name(name, out);
    write_string(text, out);
}

fn write_json(name: &str, json: &Json<'_>, out: &mut String) {
    write_name(name, out);
    out.push_str(&json.0);
}

fn write_name(name: &str, out: &mut String) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
}

fn write_more(more: &str, out: &mut String) {
    if !more.is_empty() {
        out.push(',');
        out.push_str(more);
    }
}

fn write_list<T>(items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

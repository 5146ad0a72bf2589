//! Message content: read from whatever an emitter wrote (JSON of a provider's API, Python text,
//! structured attribute values, plain text), written as the conventions' published JSON.
//!
//! A text is read from outside in: a whole body (`conversation`), a list of messages (`reader`), what
//! stands around one message (`envelope`), its blocks (`block`, by the families in `shape`). To add a
//! family of blocks: a file in `shape` and its line in the list there. To add what stands around
//! messages: a row in `envelope`, or a name in the list of `conversation`.
//!
//! The types are in [`super::message`]. Which attribute holds what is known to the dialects; which
//! attribute a target wants it in, to the conventions. Everything here is bounded in depth, and no
//! text is ever lost: what is not understood stays text.
//!
//! ```
//! use dragoman::genai::content::{messages_from_json, write_messages};
//!
//! let openai = r#"[{"role":"user","content":[{"type":"text","text":"Hi"}]}]"#;
//! let messages = messages_from_json(openai, "user", false).unwrap();
//! let mut written = String::new();
//! write_messages(&messages, false, &mut written);
//! assert_eq!(written, r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#);
//! ```

mod block;
mod check;
mod conversation;
mod document;
mod envelope;
pub mod escape;
mod finish_reason;
pub mod json;
mod make;
mod members;
pub mod python;
mod read;
mod reader;
mod shape;
mod tool;
mod value;
mod write;

pub use check::{Direction, check_documents, check_messages, check_system_instructions, check_tool_definitions};
pub use conversation::conversation_from_json;
pub use document::{document_from_pieces, documents_from_json, documents_from_value};
pub use finish_reason::message_finish_reason;
pub use make::{arguments_from_text, json_string, refusal};
pub use read::{
    is_no_role, messages_from_json, messages_from_value, parts_from_json, parts_from_text, reasoning_from_text, role,
    system_instructions_from_text, tool_calls_from_json,
};
pub use tool::{tool_definition_from_pieces, tool_definitions_from_json, tool_definitions_from_value};
pub use value::write_value;
pub use write::{write_documents, write_messages, write_parts, write_tool_definitions};

#[cfg(test)]
mod tests;

//! Names of tools and agents that only the span has.
//!
//! No dialect; those whose emitters name the spans of tools and agents after them read with it. Where the
//! convention's name replaces the emitter's is [`super::Dialect::span_names`]'.

use crate::genai::field::Field;
use crate::genai::operation::{Operation, Scalar, Seen};

/// Takes the name of the tool or the agent from the span, unless something else says it or the span is
/// named as the conventions name it. Fit to be a [`super::Quirk`].
pub(super) fn named<'a>(operation: &mut Operation<'a>, seen: &Seen<'_, 'a>) {
    let (field, word) = match operation.text(Field::OperationName) {
        Some("execute_tool") => (Field::ToolName, "execute_tool"),
        Some("invoke_agent") => (Field::AgentName, "invoke_agent"),
        _ => return,
    };
    if !seen.name.starts_with(word) {
        operation.offer(field, Scalar::Str(seen.name.to_owned().into()));
    }
}

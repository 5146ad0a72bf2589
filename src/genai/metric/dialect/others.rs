//! Emitters whose LLM metrics have names of their own that no target has words for. They are listed
//! so that they are counted.

use super::Dialect;

/// The dialect.
pub(super) static OTHERS: Dialect = Dialect {
    kept: &["strands.event_loop.", "strands.model.", "claude_code.", "gemini_cli."],
    ..Dialect::new("other")
};

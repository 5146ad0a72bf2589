//! OTLP/JSON: straight to the wire form and back, without structs in between.
//!
//! [`decode()`] takes what OTLP 1.11 says and what the OpenTelemetry Collector takes beyond it:
//!
//! | in JSON | becomes |
//! |---|---|
//! | `lowerCamelCase` and `snake_case` keys | the field; unknown keys are ignored, whatever they hold |
//! | `null` for a field | the field's absence; in an array of messages an empty message |
//! | a number as number or as text, `1e3`, `2.0` | the integer, if it is whole and in range; `uint64` to its end |
//! | `"NaN"`, `"Infinity"`, `"-Infinity"`, any quoted double | the double |
//! | an enumeration's number or name | the number; unknown numbers stay |
//! | `traceId`, `spanId`, `parentSpanId` | hexadecimal of either case and exact length, or empty |
//! | other bytes | base64, standard or URL-safe, padded or not |
//! | `{}` for `arrayValue` and `kvlistValue` | the empty array, the empty map |
//! | a key twice | the last scalar, the last `oneof` member; messages merge and arrays add up |
//! | half a surrogate pair | U+FFFD, so that a span is not lost for a cut text |
//! | a byte order mark at the begin | nothing |
//! | messages nested more than a hundred deep | refused, as in protobuf |
//! | text after the document | refused |
//!
//! What is written by [`encode()`] follows OTLP 1.11 alone. Fields that the table in
//! [`super::schema`] does not know cannot be said in JSON and are left out there.

mod decode;
mod encode;
mod number;
mod text;

use std::fmt;

use thiserror::Error;

pub use decode::{decode, decode_into};
pub use encode::encode;

use super::wire::DEPTH;
use crate::bounded::budget::Spent;

/// Why a text is not the OTLP/JSON of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub problem: Problem,
    /// Where in the document, such as `resourceSpans[0].resource`; empty for the document itself.
    pub path: String,
    /// Where in the text, in bytes from its begin.
    pub offset: usize,
    /// The line of `offset`, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Something else stands where a certain thing is expected.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What should be there.
        expected: String,
        /// The begin of what is there.
        found: String,
    },
    /// A string with a backslash before a character that JSON does not escape.
    #[error("a string holds a backslash that escapes nothing")]
    BadEscape,
    /// A string with a control character that is not escaped.
    #[error("a string holds the control character {0:#04x}, which must be escaped")]
    ControlCharacter(u8),
    /// A string that does not end.
    #[error("a string does not end")]
    OpenString,
    /// More after the document.
    #[error("the document has ended, but {0} follows")]
    Trailing(String),
    /// The text is not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// Messages nested deeper than protobuf's readers go.
    #[error("messages are nested more than {DEPTH} deep")]
    TooDeep,
    /// There is no memory left for its wire form.
    #[error("{0}")]
    NoMemory(Spent),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        fmt::Display::fmt(&self.problem, f)
    }
}

impl std::error::Error for JsonError {}

//! Regular expressions as they stand in a configuration, and what is wrong with one, in one line.

use regex::{Regex, RegexBuilder};

/// The most memory of one compiled expression.
const MAX_REGEX: usize = 1 << 20;

/// An expression that must match a whole value.
pub(super) fn whole_value(text: &str) -> Result<Regex, regex::Error> {
    let compile = |text: &str| RegexBuilder::new(text).size_limit(MAX_REGEX).build();
    // First alone: a ) that closes the group around it must not pass, and places must be right.
    compile(text)?;
    // After (?x) a comment would run over the closing parenthesis; a line end stops it.
    compile(&format!("^(?:{text})$")).or_else(|_| compile(&format!("^(?:{text}\n)$")))
}

/// The regex crate draws its message over several lines:
///
/// ```text
/// regex parse error:
///     a(b
///      ^
/// error: unclosed group
/// ```
pub(super) fn mistake(error: &regex::Error) -> String {
    let drawn = error.to_string();
    let Some(said) = drawn.lines().find_map(|line| line.strip_prefix("error: ")) else {
        return match error {
            regex::Error::CompiledTooBig(limit) => format!("needs more than {limit} bytes"),
            _ => "it cannot be compiled".to_owned(),
        };
    };
    // An expression over several lines is drawn with line numbers instead of an indent of four.
    match drawn.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^')) {
        Some(column) if drawn.lines().count() == 4 => format!("{said}, at character {}", column.saturating_sub(3)),
        _ => said.to_owned(),
    }
}

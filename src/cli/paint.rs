//! Terminal text: colors where they are wanted, and widths, so that columns align.

use std::io::IsTerminal;

use crate::text::escaped;

/// Columns that every output of the program fits in.
pub(super) const COLUMNS: usize = 100;

/// Colors, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// For standard output: colors only on a terminal, and not where `NO_COLOR` asks for none.
    pub(super) fn stdout() -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Paint { on: std::io::stdout().is_terminal() && !refused }
    }

    /// Without colors, whatever the output is.
    pub(super) const fn plain() -> Paint {
        Paint { on: false }
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Something became better, or holds.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Something is gone, or went wrong.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Headings.
    pub(super) fn heading(self, text: &str) -> String {
        self.with("36", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        match self.on && !text.is_empty() {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// How many columns a terminal gives to `text`.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(character: char) -> usize {
    match character {
        // Marks that stand above others, joiners, variation selectors.
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        // East Asian scripts, full-width forms and emoji.
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// `text`, filled up with spaces.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Columns that the begin of a text gets beside its length.
const LEAST_TEXT: usize = 8;
/// Text is called long from so many characters on: what is cut off of less can be guessed.
const LONG: usize = 100;

/// Foreign text on one line of at most `columns`; of longer text its begin, and of long text how
/// long it is: `You are a helpful… 2,048 characters`.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    let line = escaped(text, columns + 1);
    if width(&line) <= columns {
        return line;
    }
    let characters = text.chars().count();
    let length = format!("… {} characters", thousands(characters as u64));
    let room = columns.saturating_sub(width(&length));
    // Where the length would leave nothing of the text, the text is worth more.
    match characters <= LONG || room < LEAST_TEXT {
        true => format!("{}…", cut(&line, columns.saturating_sub(1))),
        false => format!("{}{length}", cut(&line, room)),
    }
}

/// The begin of `text`, at most `columns` wide.
fn cut(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, character)| {
        used += columns_of(*character);
        used > columns
    });
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 span`, `3 spans`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number as u64), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_says_how_long_it_is() {
        let text = "x".repeat(2048);
        let short = shortened(&text, 40);
        assert!(short.ends_with("… 2,048 characters"), "{short}");
        assert_eq!(width(&short), 40);
        assert_eq!(shortened(&text, 10), "xxxxxxxxx…");
        assert_eq!(shortened("short", 10), "short");
    }

    #[test]
    fn no_text_is_wider_than_its_column() {
        for text in ["漢字".repeat(50), "\u{1b}[2J".repeat(20), "e\u{301}".repeat(80), "a\nb".repeat(30)] {
            for columns in [1, 7, 20, 60] {
                let short = shortened(&text, columns);
                assert!(width(&short) <= columns, "{columns}: {short}");
                assert!(!short.contains(['\u{1b}', '\n']));
            }
        }
    }

    #[test]
    fn numbers_have_their_groups() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}

//! Lines of bounded length in an output of bounded length.

use std::fmt::Write;

use crate::otlp::value::Value;
use crate::text::push_escaped;

/// Bytes of text for one request.
const LARGEST_OUTPUT: usize = 256 * 1024;

/// Characters of one piece of foreign text: a name, a value.
const LONGEST_TEXT: usize = 400;

/// Bytes of a line after which nothing more is added to it.
const LONGEST_LINE: usize = 480;

/// Arrays and lists inside of each other.
const DEEPEST: usize = 8;

/// An output.
pub(super) struct Lines<'o> {
    out: &'o mut String,
    start: usize,
}

impl<'o> Lines<'o> {
    /// Appends to `out`.
    pub(super) fn new(out: &'o mut String) -> Self {
        let start = out.len();
        Lines { out, start }
    }

    /// A line that begins with `what`; nothing once the output is full.
    pub(super) fn line(&mut self, indent: usize, what: &str, content: impl FnOnce(&mut Line<'_>)) {
        if self.is_full() {
            return;
        }
        for _ in 0..indent {
            self.out.push(' ');
        }
        self.out.push_str(what);
        let start = self.out.len();
        let mut line = Line { out: self.out, start, gap: if what.is_empty() { "" } else { "  " } };
        content(&mut line);
        self.out.push('\n');
    }

    /// Says so if something was left out.
    pub(super) fn finish(self) {
        if self.is_full() {
            self.out.push_str("  … the rest of this request is not shown\n");
        }
    }

    fn is_full(&self) -> bool {
        self.out.len() - self.start > LARGEST_OUTPUT
    }
}

/// A line: words with gaps between them.
pub(super) struct Line<'o> {
    out: &'o mut String,
    start: usize,
    /// What stands before the next word.
    gap: &'static str,
}

impl Line<'_> {
    /// One of this program's words.
    pub(super) fn word(&mut self, word: &str) -> &mut Self {
        if self.begin() {
            self.out.push_str(word);
        }
        self
    }

    /// Foreign text; nothing if it is empty.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        if !text.is_empty() && self.begin() {
            push_escaped(self.out, text, LONGEST_TEXT);
        }
        self
    }

    /// Bytes.
    pub(super) fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        if self.begin() {
            push_hex(self.out, bytes);
        }
        self
    }

    /// `name 3`; nothing without a number.
    pub(super) fn count(&mut self, name: &str, count: Option<u64>) -> &mut Self {
        match count {
            Some(count) => self.word(&format!("{name} {count}")),
            None => self,
        }
    }

    /// `name 1.5`; nothing without a number.
    pub(super) fn double(&mut self, name: &str, value: Option<f64>) -> &mut Self {
        match value {
            Some(value) => self.word(&format!("{name} {value}")),
            None => self,
        }
    }

    /// An attribute: `key = value`.
    pub(super) fn attribute<'v>(&mut self, key: &str, values: impl Iterator<Item = Value<'v>>) {
        push_escaped(self.out, key, LONGEST_TEXT);
        self.out.push_str(" =");
        self.gap = " ";
        for value in values {
            self.value(&value);
        }
    }

    /// A value of any kind.
    pub(super) fn value(&mut self, value: &Value<'_>) -> &mut Self {
        if self.begin() {
            self.push_value(value, 0);
        }
        self
    }

    fn begin(&mut self) -> bool {
        if self.is_full() {
            return false;
        }
        self.out.push_str(self.gap);
        if self.gap.is_empty() {
            self.gap = "  ";
        }
        true
    }

    fn is_full(&self) -> bool {
        self.out.len() - self.start > LONGEST_LINE
    }

    fn push_value(&mut self, value: &Value<'_>, depth: usize) {
        match value {
            Value::Empty => self.out.push_str("empty"),
            Value::Str(text) => {
                self.out.push('"');
                push_escaped(self.out, text, LONGEST_TEXT);
                self.out.push('"');
            }
            Value::Bool(flag) => self.push(format_args!("{flag}")),
            Value::Int(number) => self.push(format_args!("{number}")),
            // As Rust's debug output, `1.0` and not `1`: a double is no integer.
            Value::Double(number) => self.push(format_args!("{number:?}")),
            Value::Bytes(bytes) => {
                self.out.push_str("0x");
                push_hex(self.out, bytes);
            }
            Value::Array(_) | Value::KvList(_) if depth == DEEPEST => self.out.push('…'),
            Value::Array(array) => {
                self.out.push('[');
                for (index, element) in array.iter().enumerate() {
                    if self.separate(index) {
                        break;
                    }
                    self.push_value(&element, depth + 1);
                }
                self.out.push(']');
            }
            Value::KvList(list) => {
                self.out.push('{');
                for (index, (key, value)) in list.iter().enumerate() {
                    if self.separate(index) {
                        break;
                    }
                    push_escaped(self.out, key, LONGEST_TEXT);
                    self.out.push_str(": ");
                    self.push_value(&value, depth + 1);
                }
                self.out.push('}');
            }
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        self.out.write_fmt(text).ok();
    }

    /// Before the next element; whether there is no room for it.
    fn separate(&mut self, index: usize) -> bool {
        if index > 0 {
            self.out.push_str(", ");
        }
        if self.is_full() {
            self.out.push('…');
        }
        self.is_full()
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes.iter().take(LONGEST_TEXT / 4) {
        write!(out, "{byte:02x}").ok();
    }
    if bytes.len() > LONGEST_TEXT / 4 {
        out.push('…');
    }
}

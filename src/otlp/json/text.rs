//! JSON as text (RFC 8259): strings, numbers, literals, and how to step over a value. What a value
//! means is [`mod@super::decode`]'s.

use std::borrow::Cow;

use super::Problem;

/// A problem, where it is, and on the way up the path to it, innermost step first.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: Problem,
    pub(super) path: Vec<Step>,
}

/// One step of a path.
#[derive(Debug)]
pub(super) enum Step {
    Key(&'static str),
    Index(usize),
}

/// Boxed, because what is returned in the good case is small.
pub(super) type Result<T> = std::result::Result<T, Box<Fault>>;

pub(super) fn fault(at: usize, problem: Problem) -> Box<Fault> {
    Box::new(Fault { at, problem, path: Vec::new() })
}

/// How much of what was found an error shows, in characters.
const EXCERPT: usize = 40;

/// A position in a text.
#[derive(Debug)]
pub(super) struct Text<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    /// A byte order mark is stepped over.
    pub(super) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Text { text, at }
    }

    /// The next byte that is no white space, without taking it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Where the next value begins.
    pub(super) fn position(&mut self) -> usize {
        self.peek();
        self.at
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        // The ends stand beside ASCII characters, so this is always there.
        self.text.get(start..end).unwrap_or_default()
    }

    /// Takes `byte` if it comes next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected(what)) }
    }

    /// Takes a literal name if it comes next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.peek();
        let next = self.slice(self.at, self.text.len()).starts_with(word);
        if next {
            self.at += word.len();
        }
        next
    }

    /// Refuses what comes next.
    #[cold]
    pub(super) fn unexpected(&mut self, expected: impl Into<String>) -> Box<Fault> {
        let at = self.position();
        fault(at, Problem::Unexpected { expected: expected.into(), found: self.excerpt() })
    }

    #[cold]
    fn excerpt(&self) -> String {
        let rest = self.slice(self.at, self.text.len());
        // A string is shown whole, anything else to where it may end.
        let length = match rest.as_bytes().first() {
            None => return "the end of the text".to_owned(),
            Some(b'"') => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            Some(_) => rest.find([',', ']', '}', '\n', '\r']).map_or(rest.len(), |end| end.max(1)),
        };
        let rest = rest.get(..length).unwrap_or(rest);
        match rest.char_indices().nth(EXCERPT) {
            Some((end, _)) => format!("{}...", rest.get(..end).unwrap_or_default()),
            None => rest.to_owned(),
        }
    }

    /// After the last value: nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(fault(self.at, Problem::Trailing(self.excerpt()))),
        }
    }

    /// A string's content. Borrowed unless it holds escapes.
    pub(super) fn string(&mut self, expected: &'static str) -> Result<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(expected));
        }
        let opening = self.at;
        self.at += 1;
        let mut start = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            let Some(byte) = self.byte() else { return Err(fault(opening, Problem::OpenString)) };
            match byte {
                b'"' => {
                    let rest = self.slice(start, self.at);
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(rest),
                        Some(text) => Cow::Owned(text + rest),
                    });
                }
                b'\\' => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(self.text.get(start..self.at).unwrap_or_default());
                    text.push(self.escape()?);
                    start = self.at;
                }
                0..0x20 => return Err(fault(self.at, Problem::ControlCharacter(byte))),
                _ => self.at += 1,
            }
        }
    }

    /// One escape sequence, from its backslash on.
    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        self.at += 1;
        let escape = self.byte();
        self.at += 1;
        Ok(match escape {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.code_unit(start)?;
                match unit {
                    0xd800..0xdc00 => self.low_surrogate(unit)?,
                    // Where no character is, there is half a pair.
                    _ => char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            _ => return Err(fault(start, Problem::BadEscape)),
        })
    }

    fn code_unit(&mut self, start: usize) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let unit = digits.and_then(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| fault(start, Problem::BadEscape))
    }

    /// The second half of a pair; without one the first half alone is U+FFFD, and what follows is
    /// read on its own.
    fn low_surrogate(&mut self, high: u32) -> Result<char> {
        let start = self.at;
        if self.text.as_bytes().get(start..start + 2) == Some(b"\\u") {
            self.at += 2;
            let low = self.code_unit(start)?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = start;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// A number as it is written.
    pub(super) fn number(&mut self, expected: impl Into<String>) -> Result<&'a str> {
        self.peek();
        let start = self.at;
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            let first = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            (at > first).then_some(at)
        };
        let scan = || {
            let first = start + usize::from(bytes.get(start) == Some(&b'-'));
            let mut end = if bytes.get(first) == Some(&b'0') { first + 1 } else { digits(first)? };
            if bytes.get(end) == Some(&b'.') {
                end = digits(end + 1)?;
            }
            if matches!(bytes.get(end), Some(b'e' | b'E')) {
                let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
                end = digits(end + 1 + usize::from(sign))?;
            }
            Some(end)
        };
        match scan() {
            Some(end) => {
                self.at = end;
                Ok(self.slice(start, end))
            }
            None => Err(self.unexpected(expected)),
        }
    }

    /// Steps over a value of any kind, however deep: nesting is counted on the heap, one byte a
    /// level, and never on the stack.
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            // A value begins here.
            let close = match self.peek() {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            match close {
                Some(close) => {
                    self.at += 1;
                    if !self.eat(close) {
                        open.push(close);
                        self.skip_key(close)?;
                        continue;
                    }
                }
                None => self.skip_scalar()?,
            }
            // A value has ended here.
            loop {
                let Some(&close) = open.last() else { return Ok(()) };
                if self.eat(b',') {
                    self.skip_key(close)?;
                    break;
                }
                let what =
                    if close == b'}' { "a comma or the end of the object" } else { "a comma or the end of the array" };
                self.expect(close, what)?;
                open.pop();
            }
        }
    }

    fn skip_key(&mut self, close: u8) -> Result<()> {
        if close == b'}' {
            self.string("a key")?;
            self.expect(b':', "a colon")?;
        }
        Ok(())
    }

    fn skip_scalar(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string("a string").map(drop),
            Some(b't') if self.eat_word("true") => Ok(()),
            Some(b'f') if self.eat_word("false") => Ok(()),
            Some(b'n') if self.eat_word("null") => Ok(()),
            _ => self.number("a value").map(drop),
        }
    }
}

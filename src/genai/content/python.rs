//! Python literals, as `repr` and `str` write them, turned into JSON text.
//!
//! Emitters that call `str()` on a message or on a list of content blocks leave
//! `[{'type': 'text', 'text': "it's", 'cache': None}]` on the wire. What is not a literal (class
//! instances, enum members, `nan`, `...`) is refused, and the text then stays text: a reader that
//! guesses would change what was said.

use super::escape::{hex_number, write_string};

/// The deepest nesting that is read.
pub const DEPTH: usize = 64;

/// The longest text that is read, in bytes.
pub const LONGEST: usize = 4 << 20;

/// The JSON text of a Python literal: tuples and sets become arrays, keys become strings as
/// `json.dumps` makes them. `None` if `text` is anything else.
pub fn to_json(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let mut reader = Reader { text, at: 0, out: String::with_capacity(text.len() + text.len() / 8) };
    reader.white_space();
    reader.value(DEPTH)?;
    reader.white_space();
    (reader.at == text.len()).then_some(reader.out)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: String,
}

/// How a string literal's text is taken.
#[derive(Clone, Copy, PartialEq)]
enum Literal {
    Text,
    Raw,
    Bytes,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, token: &str) -> Option<()> {
        self.rest().starts_with(token).then(|| self.at += token.len())
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'\'' | b'"' => self.string(Literal::Text),
            b'[' => self.list(b']', depth),
            b'(' => self.parenthesis(depth),
            b'{' => self.braces(depth),
            b'0'..=b'9' | b'-' | b'.' => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<()> {
        const WORDS: [(&str, &str); 3] = [("None", "null"), ("True", "true"), ("False", "false")];
        const PREFIXES: [(&str, Literal); 6] = [
            ("b", Literal::Bytes),
            ("B", Literal::Bytes),
            ("u", Literal::Text),
            ("U", Literal::Text),
            ("r", Literal::Raw),
            ("R", Literal::Raw),
        ];
        for (word, json) in WORDS {
            if self.eat(word).is_some() {
                let goes_on =
                    self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80);
                self.out.push_str(json);
                return (!goes_on).then_some(());
            }
        }
        for (prefix, literal) in PREFIXES {
            if self.eat(prefix).is_some() {
                return self.string(literal);
            }
        }
        None
    }

    fn number(&mut self) -> Option<()> {
        let text = self.rest();
        let length = text
            .find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '.' | '+' | '-' | '_')))
            .unwrap_or(text.len());
        let number = text.get(..length)?;
        self.at += length;
        // Python's own spellings of numbers (`1e-05`, `1e+16`) are JSON's; what is not (`1j`, `0x10`,
        // `1_000`, `.5`) is nothing that repr writes.
        super::json::parse(number)?;
        self.out.push_str(number);
        Some(())
    }

    fn list(&mut self, close: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.at += 1;
        self.out.push('[');
        self.items(close, |reader| reader.value(depth))?;
        self.out.push(']');
        Some(())
    }

    /// `(1, 2)` is a tuple, `(1)` is 1.
    fn parenthesis(&mut self, depth: usize) -> Option<()> {
        let below = depth.checked_sub(1)?;
        let start = self.out.len();
        self.at += 1;
        self.out.push('[');
        let commas = self.items(b')', |reader| reader.value(below))?;
        if commas == 0 && self.out.len() > start + 1 {
            self.out.remove(start);
        } else {
            self.out.push(']');
        }
        Some(())
    }

    /// A dict or a set; `{}` is a dict.
    fn braces(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let start = self.out.len();
        self.at += 1;
        self.out.push('{');
        let mut is_set = None;
        self.items(b'}', |reader| {
            let key = reader.out.len();
            reader.value(depth)?;
            reader.white_space();
            let without_value = reader.eat(":").is_none();
            if *is_set.get_or_insert(without_value) != without_value {
                return None;
            }
            if !without_value {
                reader.make_key(key)?;
                reader.out.push(':');
                reader.white_space();
                reader.value(depth)?;
            }
            Some(())
        })?;
        if is_set == Some(true) {
            self.out.replace_range(start..=start, "[");
            self.out.push(']');
        } else {
            self.out.push('}');
        }
        Some(())
    }

    /// Makes the JSON value at the end of the output, which begins at `start`, a key.
    fn make_key(&mut self, start: usize) -> Option<()> {
        match self.out.as_bytes().get(start)? {
            b'"' => Some(()),
            b'[' | b'{' => None,
            _ => {
                self.out.insert(start, '"');
                self.out.push('"');
                Some(())
            }
        }
    }

    /// Items up to `close`, over the comma that may follow the last one; how many commas there were.
    fn items(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<usize> {
        let mut commas = 0;
        loop {
            self.white_space();
            if self.peek()? == close {
                self.at += 1;
                return Some(commas);
            }
            if commas > 0 {
                self.out.push(',');
            }
            item(self)?;
            self.white_space();
            if self.eat(",").is_some() {
                commas += 1;
            } else if self.peek()? != close {
                return None;
            }
        }
    }

    fn string(&mut self, literal: Literal) -> Option<()> {
        let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quote| self.rest().starts_with(quote))?;
        // `''` is an empty string, not the beginning of `'''`.
        self.at += quote.len();
        let mut text = Vec::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(['\'', '"', '\\', '\n']).unwrap_or(rest.len());
            text.extend_from_slice(rest.get(..plain)?.as_bytes());
            self.at += plain;
            if self.eat(quote).is_some() {
                break;
            }
            match self.peek()? {
                b'\\' if literal != Literal::Raw => self.escape(literal, &mut text)?,
                b'\n' if quote.len() == 1 => return None,
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        if literal == Literal::Bytes && !text.is_ascii() && std::str::from_utf8(&text).is_err() {
            return None;
        }
        write_string(std::str::from_utf8(&text).ok()?, &mut self.out);
        Some(())
    }

    fn escape(&mut self, literal: Literal, text: &mut Vec<u8>) -> Option<()> {
        self.at += 1;
        let letter = self.peek()?;
        self.at += 1;
        let simple = match letter {
            b'\n' => return Some(()),
            b'\\' | b'\'' | b'"' => letter,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let mut number = u32::from(letter - b'0');
                while let (Some(digit @ b'0'..=b'7'), true) = (self.peek(), number < 0o40) {
                    number = number * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                return self.put(number, literal, text);
            }
            b'x' => return self.hex(2).and_then(|number| self.put(number, literal, text)),
            b'u' if literal == Literal::Text => {
                let unit = self.hex(4)?;
                let number = self.pair(unit).unwrap_or(unit);
                return self.put(number, literal, text);
            }
            b'U' if literal == Literal::Text => {
                return self.hex(8).and_then(|number| self.put(number, literal, text));
            }
            b'N' if literal == Literal::Text => return None,
            // Python keeps the backslash of an escape that it does not know.
            _ => {
                text.push(b'\\');
                self.at -= 1;
                return Some(());
            }
        };
        text.push(simple);
        Some(())
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let number = hex_number(self.text.as_bytes().get(self.at..self.at.checked_add(digits)?)?)?;
        self.at += digits;
        Some(number)
    }

    /// The character of a surrogate pair whose first half was read; moves over the second.
    fn pair(&mut self, high: u32) -> Option<u32> {
        let low = super::escape::hex_unit(self.rest().as_bytes())?;
        let units = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
        let character = char::decode_utf16(units).next()?.ok()?;
        if u32::from(character) < 0x10000 {
            return None;
        }
        self.at += 6;
        Some(u32::from(character))
    }

    /// A code point of a text, a byte of bytes. Half of a surrogate pair becomes U+FFFD.
    fn put(&self, number: u32, literal: Literal, text: &mut Vec<u8>) -> Option<()> {
        if literal == Literal::Bytes {
            text.push(u8::try_from(number).ok()?);
            return Some(());
        }
        if number > 0x10_ffff {
            return None;
        }
        let character = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_become_json() {
        let table = [
            ("None", "null"),
            ("[True, False, None]", "[true,false,null]"),
            ("''", "\"\""),
            ("\"\"", "\"\""),
            (r#"{'a': "it's", "b": 'say "hi"'}"#, r#"{"a":"it's","b":"say \"hi\""}"#),
            (r"'it\'s \\ \n \x41\u00e9\U0001F600\101\0'", "\"it's \\\\ \\n Aé😀A\\u0000\""),
            (r"'\ud83d\ude00 \ud83d'", "\"😀 \u{fffd}\""),
            (r"'\d \ü'", "\"\\\\d \\\\ü\""),
            (r"r'\d\n'", "\"\\\\d\\\\n\""),
            (r"b'abc\xc3\xa9'", "\"abcé\""),
            ("u'x'", "\"x\""),
            ("'''a'b\"\nc'''", "\"a'b\\\"\\nc\""),
            ("(1, 2.5, -3e-05)", "[1,2.5,-3e-05]"),
            ("(1,)", "[1]"),
            ("()", "[]"),
            ("(1)", "1"),
            ("('a')", "\"a\""),
            ("{}", "{}"),
            ("{1: 2, True: None, None: 'x', 2.5: []}", r#"{"1":2,"true":null,"null":"x","2.5":[]}"#),
            ("{'a', 'b'}", r#"["a","b"]"#),
            (" [ 1 , 2 , ] ", "[1,2]"),
            ("[[], [{}], ({'a': ()},)]", r#"[[],[{}],[{"a":[]}]]"#),
            ("{'n': 123456789012345678901234567890}", r#"{"n":123456789012345678901234567890}"#),
            ("'日本\\u2028'", "\"日本\u{2028}\""),
        ];
        for (python, json) in table {
            assert_eq!(to_json(python).as_deref(), Some(json), "{python}");
            assert!(super::super::json::parse(json).is_some(), "{json}");
        }
    }

    #[test]
    fn what_is_not_a_literal_is_refused() {
        let refused = [
            "",
            " ",
            "x",
            "nan",
            "[inf]",
            "Message(content='x')",
            "<Role.user: 'user'>",
            "{'a': <object>}",
            "[1 2]",
            "'a",
            "'a\nb'",
            "[1",
            "{'a': 1, 'b'}",
            "{'a', 'b': 1}",
            "{[1]: 2}",
            "'a' 'b'",
            "1j",
            "0x10",
            "1_000",
            "Nonesuch",
            "[True1]",
            r"'\N{DASH}'",
            r"b'\xff'",
            r"'\U00110000'",
            r"'\x4'",
            "[,]",
            "[1,,2]",
            "set()",
            "datetime.datetime(2024, 1, 1)",
            "[...]",
            "(1",
            "{'a': }",
            "{'a' 1}",
            "hello there",
        ];
        for text in refused {
            assert_eq!(to_json(text), None, "{text}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        for (open, close) in [("[", "]"), ("(", ",)"), ("{'a':", "}")] {
            let nested = |depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
            assert!(to_json(&nested(DEPTH)).is_some());
            assert_eq!(to_json(&nested(DEPTH + 1)), None);
        }
        assert_eq!(to_json(&"(".repeat(1 << 20)), None);
        assert_eq!(to_json(&format!("'{}'", "a".repeat(LONGEST))), None);
    }

    fn repr(text: &str) -> String {
        let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
        let mut out = String::from(quote);
        for character in text.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                control if control < ' ' => out.push_str(&format!("\\x{:02x}", control as u32)),
                same if same == quote => out.extend(['\\', same]),
                other => out.push(other),
            }
        }
        out.push(quote);
        out
    }

    proptest! {
        #[test]
        fn a_repr_is_read_back(text in ".{0,60}|[\\x00-\\x7f]{0,60}") {
            let json = to_json(&format!("[{{'k': {}}}]", repr(&text))).unwrap();
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(value[0]["k"].as_str().unwrap(), text);
        }

        #[test]
        fn whatever_is_accepted_is_json(text in "[\\[\\](){}'\"\\\\:, 0-9ubrNoneTrufals.x-]{0,24}|.{0,40}") {
            if let Some(json) = to_json(&text) {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{} -> {}", text, json);
            }
        }
    }
}

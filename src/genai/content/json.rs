//! JSON text as borrowed values: checked once, then walked where it stands.
//!
//! A [`Node`] is a piece of the source text, so what is only carried along (arguments, schemas,
//! results) keeps its exact number text and the order of its keys, and costs nothing. Accepts
//! what serde_json accepts as a value, to a depth of [`DEPTH`].

use std::borrow::Cow;

use super::escape::{plain_prefix, read_escape, unescape};

/// The deepest nesting that is read; deeper text is not taken for JSON.
pub const DEPTH: usize = 64;

/// One valid JSON value, without white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node<'a>(&'a str);

/// What a [`Node`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// `"..."`
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
}

/// Reads `text` if all of it is one JSON value.
pub fn parse(text: &str) -> Option<Node<'_>> {
    let mut scanner = Scanner::new(text);
    scanner.white_space();
    let start = scanner.at;
    scanner.value(DEPTH)?;
    let node = scanner.node_since(start)?;
    scanner.white_space();
    (scanner.at == text.len()).then_some(node)
}

impl<'a> Node<'a> {
    /// The value's JSON text, exactly as it stands in the source.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.kind() == Kind::Array
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether it says nothing: `null`, `""`, `[]` or `{}`.
    pub fn is_blank(self) -> bool {
        match self.kind() {
            Kind::Null => true,
            Kind::String => self.0.len() == 2,
            Kind::Array => self.elements().next().is_none(),
            Kind::Object => self.members().next().is_none(),
            Kind::Number | Kind::Bool => false,
        }
    }

    /// The text of a string.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let inside = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(unescape(inside))
    }

    /// The elements of an array; none of anything else.
    pub fn elements(self) -> Elements<'a> {
        Elements(Inside::of(self, Kind::Array))
    }

    /// The members of an object, in order; none of anything else.
    pub fn members(self) -> Members<'a> {
        Members(Inside::of(self, Kind::Object))
    }

    /// The object's last member named `key`, as of several of one name serde_json keeps the last.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        self.members().filter(|(name, _)| name == key).last().map(|(_, value)| value)
    }
}

/// See [`Node::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a>(Inside<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        self.0.node()
    }
}

/// See [`Node::members`].
#[derive(Debug, Clone)]
pub struct Members<'a>(Inside<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Node<'a>);

    fn next(&mut self) -> Option<(Cow<'a, str>, Node<'a>)> {
        let key = self.0.node()?.as_str()?;
        Some((key, self.0.node()?))
    }
}

/// What stands between the brackets of a checked value.
#[derive(Debug, Clone)]
struct Inside<'a>(Scanner<'a>);

impl<'a> Inside<'a> {
    fn of(node: Node<'a>, kind: Kind) -> Inside<'a> {
        let text = if node.kind() == kind { node.0 } else { "" };
        let mut scanner = Scanner::new(text);
        scanner.at = 1;
        Inside(scanner)
    }

    /// The next value, over the commas and colons before it.
    fn node(&mut self) -> Option<Node<'a>> {
        let scanner = &mut self.0;
        while matches!(scanner.peek(), Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')) {
            scanner.at += 1;
        }
        let start = scanner.at;
        scanner.skip_checked();
        scanner.node_since(start)
    }
}

#[derive(Debug, Clone)]
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    #[inline]
    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn node_since(&self, start: usize) -> Option<Node<'a>> {
        self.text.get(start..self.at).filter(|text| !text.is_empty()).map(Node)
    }

    /// Checks the value that begins here.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.list(b'}', depth, |scanner, depth| {
                scanner.string()?;
                scanner.white_space();
                scanner.eat(b':')?;
                scanner.white_space();
                scanner.value(depth)
            }),
            b'[' => self.list(b']', depth, Scanner::value),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn list(&mut self, close: u8, depth: usize, item: impl Fn(&mut Self, usize) -> Option<()>) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.at += 1;
        self.white_space();
        if self.eat(close).is_some() {
            return Some(());
        }
        loop {
            item(self, depth)?;
            self.white_space();
            if self.eat(close).is_some() {
                return Some(());
            }
            self.eat(b',')?;
            self.white_space();
        }
    }

    fn string(&mut self) -> Option<()> {
        self.eat(b'"')?;
        loop {
            self.at += plain_prefix(self.rest());
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += read_escape(self.rest())?.1,
                _ => return None,
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest().starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        self.eat(b'-').unwrap_or_default();
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Moves over a value that was checked before: only its end matters.
    fn skip_checked(&mut self) {
        let mut open = 0_usize;
        loop {
            match self.peek() {
                None => return,
                Some(b'"') => {
                    if self.string().is_none() {
                        return;
                    }
                }
                Some(b'{' | b'[') => {
                    open += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') => {
                    let Some(fewer) = open.checked_sub(1) else { return };
                    open = fewer;
                    self.at += 1;
                }
                Some(b',' | b':' | b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(_) => {
                    while !matches!(self.peek(), None | Some(b',' | b':' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'))
                    {
                        self.at += 1;
                    }
                }
            }
            if open == 0 {
                return;
            }
        }
    }
}

/// Replaces each half of a surrogate pair that stands alone (`\ud83d`, as left by a text cut in the
/// middle of an emoji) by U+FFFD, which strict JSON readers accept. `None` if there is none.
pub(super) fn mend_surrogates(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += next;
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        at += match read_escape(rest) {
            Some((_, length)) => length,
            None if super::escape::hex_unit(rest).is_some() => {
                mended.push_str(text.get(copied..at)?);
                mended.push_str("\\ufffd");
                copied = at + 6;
                6
            }
            None => return None,
        };
    }
    if copied == 0 {
        return None;
    }
    mended.push_str(text.get(copied..)?);
    Some(mended)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn number_text_and_key_order_survive() {
        let node = parse(r#" {"b": 1.50, "a": [1e400, 18446744073709551616], "é\n": null} "#).unwrap();
        let members: Vec<_> = node.members().map(|(key, value)| (key.into_owned(), value.text())).collect();
        assert_eq!(
            members,
            [("b".to_owned(), "1.50"), ("a".to_owned(), "[1e400, 18446744073709551616]"), ("é\n".to_owned(), "null")]
        );
        assert_eq!(
            node.get("a").unwrap().elements().map(Node::text).collect::<Vec<_>>(),
            ["1e400", "18446744073709551616"]
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(DEPTH)).is_some());
        assert!(parse(&nested(DEPTH + 1)).is_none());
        assert!(parse(&"[".repeat(1_000_000)).is_none());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "[1,]",
            "{\"a\":}",
            "{a:1}",
            "'x'",
            "01",
            "1.",
            "-",
            "NaN",
            "[1 2]",
            "\"a",
            "\"\n\"",
            "nul",
            "[] []",
            "\"\\ud83d\"",
            "\"\\x41\"",
            "{\"a\" 1}",
            "+1",
            ".5",
            "1e",
        ] {
            assert_eq!(parse(text), None, "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_surrogate_without_its_pair_is_mended_and_pairs_are_kept() {
        assert_eq!(mend_surrogates(r#""a\ud83d b\ud83d\ude00\\ud83d\udc""#), None);
        let mended = mend_surrogates(r#""a\ud83d b\ud83d\ude00\\ud83d\udc00""#).unwrap();
        assert_eq!(mended, r#""a\ufffd b\ud83d\ude00\\ud83d\ufffd""#);
        assert!(parse(&mended).is_some());
        assert_eq!(mend_surrogates(r#""\ud83d\ude00""#), None);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                proptest::collection::hash_map(".{0,6}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn rebuilt(node: Node<'_>) -> serde_json::Value {
        match node.kind() {
            Kind::Object => node.members().map(|(key, value)| (key.into_owned(), rebuilt(value))).collect(),
            Kind::Array => node.elements().map(rebuilt).collect(),
            Kind::String => node.as_str().unwrap().into(),
            _ => serde_json::from_str(node.text()).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn walking_finds_what_serde_json_finds(value in any_json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(rebuilt(parse(&text).unwrap()), value);
        }

        #[test]
        fn accepts_and_refuses_as_serde_json_does(text in "[\\[\\]{}\":,0-9.eE+ntrufalse \\\\-]{0,14}") {
            // serde_json refuses a number that overflows a double; here its text is all that matters.
            let accepted = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(parse(&text).is_some(), accepted);
        }
    }
}

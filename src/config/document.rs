//! One YAML text as a tree in which every node knows its place.
//!
//! The YAML library tells a place only with an error. So each node is numbered in the order in
//! which the text is read, and the line of a number is found, when a message needs it, by reading
//! the text again and raising an error exactly there. A third kind of reading fetches the text of
//! numbers and booleans as they were written (`1.10` in a header is not `1.1`).
//!
//! Merging is [`super::merge`]'s, the environment [`super::env`]'s.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::problem::{Finding, Report};

/// The most nodes of one document, aliases resolved: an alias bomb ends here.
const MAX_NODES: u32 = 50_000;

/// The deepest nesting of flow brackets. The YAML library allows 128 levels, but its scanner takes
/// quadratic time before it counts: 20,000 open brackets cost 2 s.
const MAX_BRACKETS: usize = 512;

/// The longest key. Attribute names are keys in some sections, and none is that long.
const MAX_KEY: usize = 1024;

/// A node's place: the source and the node's number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct At {
    pub(super) source: u16,
    /// From 1; 0 is the source as a whole.
    number: u32,
}

impl At {
    /// The source as a whole.
    pub(super) fn whole(source: u16) -> At {
        At { source, number: 0 }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Value,
    /// Came from the environment, at least in part: never shown.
    pub(super) secret: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar as it was written, and what YAML takes it for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
    /// What it would be could not be found out, and that was reported.
    Broken,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: At,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn nothing(at: At) -> Node {
        Node { at, value: Value::Scalar(Scalar { text: String::new(), kind: Kind::Null }), secret: false }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.kind == Kind::Null)
    }
}

/// A text that was read, kept to find lines in it.
#[derive(Debug)]
pub(super) struct Document {
    label: String,
    text: String,
    /// A syntax error's place; no node has one.
    broken_at: Option<(usize, usize)>,
    has_lines: bool,
    is_readable: bool,
}

impl Document {
    /// A source that could not be read.
    pub(super) fn unread(label: String) -> Document {
        Document { label, text: String::new(), broken_at: None, has_lines: true, is_readable: false }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Reads the text. A syntax error is reported and leaves nothing of the text.
    pub(super) fn parse(label: String, text: String, source: u16, report: &Report) -> (Document, Node) {
        let mut document = Document { label, text, broken_at: None, has_lines: true, is_readable: true };
        match read(&document.text, source, report) {
            Ok(node) => (document, node),
            Err(broken) => {
                let Broken { position, finding } = *broken;
                document.broken_at = position;
                document.is_readable = false;
                report.add(finding);
                (document, Node::nothing(At::whole(source)))
            }
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Nobody sees this text: its lines are not told.
    pub(super) fn hide_lines(&mut self) {
        self.has_lines = false;
    }

    /// Line and column of a node.
    pub(super) fn locate(&self, at: At) -> Option<(usize, usize)> {
        if !self.has_lines {
            return None;
        }
        if at.number == 0 {
            return self.broken_at;
        }
        let reading = Reading { stop_at: Some(at.number), ..Reading::new(at.source, None) };
        let error = reading.read(&self.text).err()?;
        position(&error)
    }
}

/// The scalar or collection that a text alone means, for what stands in an environment variable.
/// Its places are all `at`.
pub(super) fn parse_value(text: &str, at: At) -> Option<Node> {
    let report = Report::default();
    let mut node = read(text, at.source, &report).ok()?;
    if report.has_errors() {
        return None;
    }
    place_at(&mut node, at);
    Some(node)
}

fn place_at(node: &mut Node, at: At) {
    node.at = at;
    node.secret = true;
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| place_at(item, at)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_at = at;
                place_at(&mut entry.node, at);
            }
        }
    }
}

struct Broken {
    position: Option<(usize, usize)>,
    finding: Finding,
}

fn read(text: &str, source: u16, report: &Report) -> Result<Node, Box<Broken>> {
    if let Some(position) = too_deep(text) {
        let finding = Finding::error(At::whole(source), "", format!("more than {MAX_BRACKETS} brackets are open"));
        return Err(Box::new(Broken { position: Some(position), finding }));
    }
    let broken = |error: serde_yaml::Error| {
        Box::new(Broken { position: position(&error), finding: syntax(source, text, &error) })
    };
    let first = Reading::new(source, Some(report));
    let node = first.read(text).map_err(broken)?;
    let known = first.learned.into_inner();
    if known.is_empty() {
        return Ok(node);
    }
    Reading { known, ..Reading::new(source, None) }.read(text).map_err(broken)
}

/// Where more than [`MAX_BRACKETS`] flow brackets are open. Brackets in quotes and comments count
/// as well: nobody leaves that many open there either.
fn too_deep(text: &str) -> Option<(usize, usize)> {
    let mut open = 0usize;
    for (line, words) in text.lines().enumerate() {
        for (column, character) in words.chars().enumerate() {
            match character {
                '[' | '{' => open += 1,
                ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > MAX_BRACKETS {
                return Some((line + 1, column + 1));
            }
        }
    }
    None
}

fn position(error: &serde_yaml::Error) -> Option<(usize, usize)> {
    error.location().map(|location| (location.line(), location.column()))
}

/// A syntax error in one line, without the places that the library repeats in its text and
/// without a value that it quotes.
fn syntax(source: u16, text: &str, error: &serde_yaml::Error) -> Finding {
    let words = error.to_string();
    let line = position(error).and_then(|(line, _)| text.lines().nth(line.saturating_sub(1)));
    let begins_with_tab = line.is_some_and(|line| line.trim_start_matches(' ').starts_with('\t'));
    let message = if words.contains("more than one document") {
        "holds more than one YAML document; expected one".to_owned()
    } else if words.contains("repetition limit") || words.contains(TOO_MANY) {
        format!("has more than {MAX_NODES} values, aliases resolved")
    } else if words.contains("recursion limit") {
        "is nested too deeply".to_owned()
    } else if words.contains("invalid ") {
        // `invalid type: string "...", expected ...` quotes the value.
        "is not what its place or its tag allows".to_owned()
    } else if begins_with_tab && words.contains("cannot start any token") {
        // Nobody sees it.
        "is not valid YAML: a tab stands before the first word; expected spaces".to_owned()
    } else {
        let parts: Vec<&str> =
            words.split(", ").map(|part| part.split_once(" at line ").map_or(part, |(said, _)| said)).collect();
        format!("is not valid YAML: {}", parts.join(", "))
    };
    let finding = Finding::error(At::whole(source), "", message);
    if line.is_some_and(|line| line.contains("${")) {
        return finding.help("inside [ ] and { } a substitution needs quotes: \"${env:NAME}\"");
    }
    finding
}

const INSTEAD_OF_MERGE: &str = "write the keys out, or alias (*name) a whole value";
const STOP: &str = "stop";
const TOO_MANY: &str = "too many values";

/// One reading of a text from beginning to end. Every reading of one text numbers its nodes alike.
struct Reading<'r> {
    source: u16,
    report: Option<&'r Report>,
    next: Cell<u32>,
    /// Raise an error at this node.
    stop_at: Option<u32>,
    /// What an earlier reading took a node for: those scalars are now read as they were written.
    known: HashMap<u32, Kind>,
    /// The keys that lead to where this reading is.
    path: RefCell<String>,
    /// The numbers and booleans that this reading met.
    learned: RefCell<HashMap<u32, Kind>>,
}

impl<'r> Reading<'r> {
    fn new(source: u16, report: Option<&'r Report>) -> Self {
        Reading {
            source,
            report,
            next: Cell::new(0),
            stop_at: None,
            known: HashMap::new(),
            path: RefCell::default(),
            learned: RefCell::default(),
        }
    }

    fn read(&self, text: &str) -> Result<Node, serde_yaml::Error> {
        NodeSeed(self).deserialize(serde_yaml::Deserializer::from_str(text))
    }

    fn number<E: Error>(&self) -> Result<u32, E> {
        let number = self.next.get() + 1;
        if number > MAX_NODES {
            return Err(E::custom(TOO_MANY));
        }
        self.next.set(number);
        Ok(number)
    }

    fn at(&self, number: u32) -> At {
        At { source: self.source, number }
    }

    /// Goes one step down; the result is what [`Reading::leave`] wants back.
    fn enter(&self, step: fmt::Arguments<'_>) -> usize {
        let mut path = self.path.borrow_mut();
        let here = path.len();
        // Writing to a String does not fail.
        path.write_fmt(step).unwrap_or_default();
        here
    }

    fn leave(&self, here: usize) {
        self.path.borrow_mut().truncate(here);
    }

    fn refuse(&self, number: u32, message: impl Into<String>, help: Option<&str>) {
        if let Some(report) = self.report {
            let finding = Finding::error(self.at(number), self.path.borrow().clone(), message);
            report.add(Finding { help: help.map(str::to_owned), ..finding });
        }
    }
}

struct NodeSeed<'s, 'r>(&'s Reading<'r>);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let number = self.0.number()?;
        let known = self.0.known.get(&number).copied();
        let visitor = NodeVisitor { reading: self.0, number, known };
        match known {
            Some(_) => deserializer.deserialize_str(visitor),
            None => deserializer.deserialize_any(visitor),
        }
    }
}

/// A key: always text, whatever it looks like.
struct KeySeed<'s, 'r>(&'s Reading<'r>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = (String, At);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(String, At), D::Error> {
        let number = self.0.number()?;
        let visitor = NodeVisitor { reading: self.0, number, known: Some(Kind::Text) };
        let node = deserializer.deserialize_str(visitor)?;
        match node.value {
            Value::Scalar(scalar) => Ok((scalar.text, node.at)),
            Value::List(_) | Value::Map(_) => Err(D::Error::custom("a key that is not text")),
        }
    }
}

struct NodeVisitor<'s, 'r> {
    reading: &'s Reading<'r>,
    number: u32,
    known: Option<Kind>,
}

impl NodeVisitor<'_, '_> {
    fn stop_here<E: Error>(&self) -> Result<(), E> {
        match self.reading.stop_at {
            Some(number) if number == self.number => Err(E::custom(STOP)),
            _ => Ok(()),
        }
    }

    fn node<E: Error>(&self, value: Value) -> Result<Node, E> {
        self.stop_here()?;
        Ok(Node { at: self.reading.at(self.number), value, secret: false })
    }

    fn scalar<E: Error>(&self, text: String, kind: Kind) -> Result<Node, E> {
        if self.known.is_none() && !matches!(kind, Kind::Null | Kind::Text) {
            self.reading.learned.borrow_mut().insert(self.number, kind);
        }
        self.node(Value::Scalar(Scalar { text, kind: self.known.unwrap_or(kind) }))
    }
}

impl<'de> Visitor<'de> for NodeVisitor<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.scalar(String::new(), Kind::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.scalar(String::new(), Kind::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.scalar(value.to_string(), Kind::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.visit_i128(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.scalar(value.to_string(), Kind::Int(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        // Beyond every range that a key has; i128::MAX is refused like it.
        self.visit_i128(i128::try_from(value).unwrap_or(i128::MAX))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.scalar(value.to_string(), Kind::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.scalar(value.to_owned(), Kind::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        self.stop_here()?;
        let mut list = Vec::new();
        loop {
            let here = self.reading.enter(format_args!("[{}]", list.len()));
            let item = items.next_element_seed(NodeSeed(self.reading))?;
            self.reading.leave(here);
            match item {
                Some(item) => list.push(item),
                None => return self.node(Value::List(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.stop_here()?;
        let reading = self.reading;
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        while let Some((key, key_at)) = map.next_key_seed(KeySeed(reading))? {
            let dot = if reading.path.borrow().is_empty() { "" } else { "." };
            let here = reading.enter(format_args!("{dot}{key}"));
            if key == "<<" {
                reading.refuse(key_at.number, "merge keys are not supported", Some(INSTEAD_OF_MERGE));
            } else if key.len() > MAX_KEY {
                reading.leave(here);
                reading.refuse(key_at.number, format!("a key is longer than {MAX_KEY} bytes"), None);
            } else if keys.contains(&key) {
                reading.refuse(key_at.number, "the key stands twice in one mapping", None);
            }
            let node = map.next_value_seed(NodeSeed(reading))?;
            reading.leave(here);
            if key != "<<" && key.len() <= MAX_KEY && keys.insert(key.clone()) {
                entries.push(Entry { key, key_at, node });
            }
        }
        self.node(Value::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        self.stop_here()?;
        let (_, value) = tagged.variant::<String>()?;
        // Not shown: it may be the beginning of a password that should be quoted.
        const HELP: &str = "leave it out, or quote the value if it begins with !";
        self.reading.refuse(self.number, "a tag is not supported", Some(HELP));
        value.newtype_variant_seed(NodeSeed(self.reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Document, Node, Vec<Finding>) {
        let report = Report::default();
        let (document, node) = Document::parse("test".into(), text.into(), 0, &report);
        (document, node, report.into_findings())
    }

    fn child<'n>(node: &'n Node, key: &str) -> &'n Entry {
        let Value::Map(entries) = &node.value else { panic!("no mapping") };
        entries.iter().find(|entry| entry.key == key).unwrap()
    }

    #[test]
    fn every_node_knows_its_line_and_column() {
        let text = "a: 1\nlist:\n  - x\n  - {b: 'two', c: [3]}\nempty:\n";
        let (document, root, findings) = parse(text);
        assert!(findings.is_empty());
        assert_eq!(document.locate(root.at), Some((1, 1)));
        assert_eq!(document.locate(child(&root, "a").key_at), Some((1, 1)));
        assert_eq!(document.locate(child(&root, "a").node.at), Some((1, 4)));
        let Value::List(items) = &child(&root, "list").node.value else { panic!() };
        assert_eq!(document.locate(items[0].at), Some((3, 5)));
        assert_eq!(document.locate(items[1].at), Some((4, 5)));
        assert_eq!(document.locate(child(&items[1], "b").node.at), Some((4, 9)));
        assert_eq!(document.locate(child(&items[1], "c").node.at), Some((4, 19)));
        assert_eq!(document.locate(child(&root, "empty").key_at), Some((5, 1)));
    }

    #[test]
    fn an_aliased_value_is_placed_where_it_is_written() {
        let (document, root, findings) = parse("a: &x\n  b: 1\nc: *x\nd: 5\n");
        assert!(findings.is_empty());
        assert_eq!(document.locate(child(&child(&root, "c").node, "b").node.at), Some((2, 6)));
        assert_eq!(document.locate(child(&root, "d").node.at), Some((4, 4)));
    }

    #[test]
    fn numbers_keep_the_text_that_was_written() {
        let (_, root, _) = parse("a: 1.10\nb: 0x1F\nc: '7'\nd: True\ne: 007\nf: ~\n");
        let scalar = |key| match &child(&root, key).node.value {
            Value::Scalar(scalar) => (scalar.text.as_str(), scalar.kind),
            _ => panic!(),
        };
        assert_eq!(scalar("a"), ("1.10", Kind::Float(1.1)));
        assert_eq!(scalar("b"), ("0x1F", Kind::Int(31)));
        assert_eq!(scalar("c"), ("7", Kind::Text));
        assert_eq!(scalar("d"), ("True", Kind::Bool(true)));
        assert_eq!(scalar("e"), ("007", Kind::Text));
        assert_eq!(scalar("f"), ("", Kind::Null));
    }

    #[test]
    fn what_is_not_supported_is_said_and_the_rest_is_read() {
        let (document, root, findings) = parse("a: 1\na: 2\nb: !secret 3\nc:\n  <<: {d: 1}\n  e: 4\n");
        let told: Vec<_> =
            findings.iter().map(|f| (document.locate(f.at), f.path.as_str(), f.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (Some((2, 1)), "a", "the key stands twice in one mapping"),
                (Some((3, 4)), "b", "a tag is not supported"),
                (Some((5, 3)), "c.<<", "merge keys are not supported"),
            ]
        );
        assert_eq!(document.locate(child(&child(&root, "c").node, "e").node.at), Some((6, 6)));
    }

    #[test]
    fn a_syntax_error_has_a_place_and_no_value() {
        for (text, line, message) in [
            (
                "a: [1, 2\nb: 3\n",
                2,
                "is not valid YAML: did not find expected ',' or ']', while parsing a flow sequence",
            ),
            ("a: *nobody\n", 1, "is not valid YAML: unknown anchor"),
            ("a: 1\n\tb: 2\n", 2, "is not valid YAML"),
            ("a:\n\tb: 2\n", 2, "is not valid YAML: a tab stands before the first word; expected spaces"),
            ("a: !!int hunter2\n", 1, "is not what its place or its tag allows"),
            ("? [1]\n: 2\n", 1, "is not what its place or its tag allows"),
        ] {
            let (document, _, findings) = parse(text);
            let [finding] = &findings[..] else { panic!("{text}: {findings:?}") };
            assert!(finding.message.starts_with(message), "{text}: {}", finding.message);
            assert_eq!(document.locate(finding.at).map(|(line, _)| line), Some(line), "{text}");
        }
    }

    #[test]
    fn several_documents_are_refused_and_an_empty_one_is_nothing() {
        assert!(parse("a: 1\n---\nb: 2\n").2[0].message.contains("more than one YAML document"));
        assert!(parse("").1.is_null());
        assert!(parse("# only a comment\n").1.is_null());
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let list = |items: u32| format!("[{}]", "1,".repeat(items as usize));
        // The list itself is a value.
        assert!(parse(&list(MAX_NODES - 1)).2.is_empty());
        assert!(parse(&list(MAX_NODES)).2[0].message.contains("more than 50000 values"));
    }

    #[test]
    fn bombs_are_stopped() {
        let mut aliases = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
        for (name, before) in ('b'..='k').zip('a'..) {
            aliases += &format!("{name}: &{name} [*{before},*{before},*{before},*{before},*{before},*{before}]\n");
        }
        let wide = format!("a: &a [{}]\nb: [{}]\n", "1,".repeat(5_000), "*a,".repeat(5_000));
        let selfish = "a: &a [*a, *a]\n".to_owned();
        for (text, message) in [
            (aliases, "more than 50000 values"),
            (wide, "more than 50000 values"),
            (selfish, "nested too deeply"),
            ("[".repeat(100_000), "brackets are open"),
            (format!("{}x", "- ".repeat(20_000)), "nested too deeply"),
        ] {
            let (_, _, findings) = parse(&text);
            assert!(findings[0].message.contains(message), "{}", findings[0].message);
        }
    }
}

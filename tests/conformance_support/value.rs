//! What an attribute holds, as trees and leaves, read without a line of the product's readers: JSON
//! by `serde_json`, Python's `repr` by its quoted texts.

use std::borrow::Cow;
use std::collections::HashSet;

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Tree, json};

/// Text inside of text inside of text; nothing recorded goes deeper.
const DEPTH: usize = 8;

/// An attribute's value.
pub fn tree(value: Option<&AnyValue>) -> Tree {
    match value.and_then(|value| value.value.as_ref()) {
        None => Tree::Null,
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::BoolValue(flag)) => json!(flag),
        Some(Value::IntValue(number)) => json!(number),
        Some(Value::DoubleValue(number)) => json!(number),
        Some(Value::ArrayValue(list)) => list.values.iter().map(|value| tree(Some(value))).collect(),
        Some(Value::KvlistValue(list)) => {
            let entries = list.values.iter().map(|entry| (entry.key.clone(), tree(entry.value.as_ref())));
            Tree::Object(entries.collect())
        }
        // Text that was sent as bytes.
        Some(Value::BytesValue(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!(format!("{bytes:?}")),
        },
        Some(other) => json!(format!("{other:?}")),
    }
}

/// Attributes from the members of an object.
#[cfg(test)]
pub fn attributes(members: Tree) -> Vec<KeyValue> {
    fn any(tree: Tree) -> AnyValue {
        let value = match tree {
            Tree::Null => None,
            Tree::Bool(flag) => Some(Value::BoolValue(flag)),
            Tree::String(text) => Some(Value::StringValue(text)),
            Tree::Number(number) => Some(match number.as_i64() {
                Some(number) => Value::IntValue(number),
                None => Value::DoubleValue(number.as_f64().unwrap()),
            }),
            Tree::Array(items) => Some(Value::ArrayValue(ArrayValue { values: items.into_iter().map(any).collect() })),
            Tree::Object(members) => Some(Value::KvlistValue(KeyValueList { values: entries(members) })),
        };
        AnyValue { value }
    }
    fn entries(members: serde_json::Map<String, Tree>) -> Vec<KeyValue> {
        let entry = |(key, value)| KeyValue { key, value: Some(any(value)), ..KeyValue::default() };
        members.into_iter().map(entry).collect()
    }
    match members {
        Tree::Object(members) => entries(members),
        other => panic!("an object is expected: {other}"),
    }
}

/// The tree inside of a text, if it is JSON that holds more than a word or a number.
pub fn parsed(text: &str) -> Option<Tree> {
    let inner = text.trim_start();
    if !inner.starts_with(['{', '[', '"']) {
        return None;
    }
    serde_json::from_str(inner).ok()
}

/// The quoted texts of what Python's `repr` wrote, with the names of members before them; `None` for
/// anything else.
pub fn python(text: &str) -> Option<Vec<(String, String)>> {
    if !text.contains(['\'', '"']) || !text.contains(['{', '[', '(']) {
        return None;
    }
    let mut texts = Vec::new();
    let mut name = String::new();
    let mut rest = text.chars().peekable();
    while let Some(quote) = rest.next() {
        if quote != '\'' && quote != '"' {
            continue;
        }
        let mut quoted = String::new();
        loop {
            match rest.next()? {
                '\\' => quoted.push_str(&escape(&mut rest)?),
                end if end == quote => break,
                other => quoted.push(other),
            }
        }
        match rest.peek() {
            Some(':') => name = quoted,
            _ => texts.push((name.clone(), quoted)),
        }
    }
    Some(texts)
}

fn escape(rest: &mut impl Iterator<Item = char>) -> Option<String> {
    let digits = |count: usize, rest: &mut dyn Iterator<Item = char>| {
        let digits: String = rest.take(count).collect();
        u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).map(String::from)
    };
    Some(match rest.next()? {
        'n' => "\n".into(),
        't' => "\t".into(),
        'r' => "\r".into(),
        'x' => digits(2, rest)?,
        'u' => digits(4, rest)?,
        'U' => digits(8, rest)?,
        other => other.into(),
    })
}

/// All that a span says outside of its identity: what a text or a number is looked for in.
#[derive(Default)]
pub struct Said {
    texts: Vec<String>,
    whole: HashSet<String>,
    structures: HashSet<String>,
}

impl Said {
    /// What a span says: its attributes, its events, its name and status.
    pub fn by(span: &Span) -> Said {
        let mut said = Said::default();
        said.text(&span.name, 0);
        if let Some(status) = &span.status {
            said.text(&status.message, 0);
        }
        said.attributes(&span.attributes);
        for event in &span.events {
            said.text(&event.name, 0);
            said.attributes(&event.attributes);
        }
        said
    }

    /// What a span says under these names.
    pub fn under(span: &Span, names: &[&str]) -> Said {
        let mut said = Said::default();
        let entries = span.attributes.iter().filter(|entry| names.contains(&entry.key.as_str()));
        entries.for_each(|entry| said.add(&tree(entry.value.as_ref())));
        said
    }

    /// Adds a value.
    pub fn add(&mut self, value: &Tree) {
        self.tree(value, 0);
    }

    fn attributes(&mut self, attributes: &[KeyValue]) {
        for entry in attributes {
            // The key may say it too: a prompt variable's name is a part of one.
            self.text(&entry.key, DEPTH);
            self.tree(&tree(entry.value.as_ref()), 0);
        }
    }

    fn tree(&mut self, tree: &Tree, depth: usize) {
        match tree {
            Tree::Null => {}
            Tree::String(text) => self.text(text, depth),
            Tree::Array(items) => {
                self.structures.insert(even(tree));
                items.iter().for_each(|item| self.tree(item, depth));
            }
            Tree::Object(members) => {
                self.structures.insert(even(tree));
                members.values().for_each(|value| self.tree(value, depth));
            }
            Tree::Bool(_) | Tree::Number(_) => {
                self.whole.insert(scalar(tree).into_owned());
            }
        }
    }

    fn text(&mut self, text: &str, depth: usize) {
        if self.whole.insert(text.to_owned()) {
            self.texts.push(text.to_owned());
            if depth < DEPTH {
                if let Some(inner) = parsed(text) {
                    self.tree(&inner, depth + 1);
                } else {
                    python(text).into_iter().flatten().for_each(|(_, quoted)| self.text(&quoted, depth + 1));
                }
            }
        }
    }

    /// Whether a text stands somewhere.
    pub fn says(&self, text: &str) -> bool {
        self.whole.contains(text) || self.texts.iter().any(|said| said.contains(text))
    }

    /// Whether a number or a flag stands somewhere, as what it is or as text.
    pub fn says_scalar(&self, tree: &Tree) -> bool {
        self.whole.contains(&*scalar(tree))
    }

    /// Whether an object or a list stands somewhere, as what it is or as JSON text.
    pub fn says_structure(&self, tree: &Tree) -> bool {
        self.structures.contains(&even(tree))
    }
}

/// A tree as text that is the same for trees that say the same: members in the order of their names,
/// numbers as [`scalar`] has them, no members that are null.
fn even(tree: &Tree) -> String {
    match tree {
        Tree::Array(items) => format!("[{}]", items.iter().map(even).collect::<Vec<_>>().join(",")),
        Tree::Object(members) => {
            let mut members: Vec<(&String, &Tree)> = members.iter().filter(|(_, value)| !value.is_null()).collect();
            members.sort_by_key(|(name, _)| *name);
            let members = members.into_iter().map(|(name, value)| format!("{name:?}:{}", even(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Tree::String(text) => format!("{text:?}"),
        other => scalar(other).into_owned(),
    }
}

/// A number or flag as text; `1.0` is `1`.
pub fn scalar(tree: &Tree) -> Cow<'_, str> {
    match tree {
        Tree::String(text) => text.into(),
        Tree::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 && double.abs() < 1e15 => format!("{double:.0}").into(),
            _ => number.to_string().into(),
        },
        other => other.to_string().into(),
    }
}

/// The whole numbers of what Python's `repr` or a constructor call wrote, with the names before
/// them: `{'prompt_tokens': 3}`, `Usage(prompt_tokens=3)`, `prompt_tokens: 3`.
pub fn python_numbers(text: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut name = String::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            match word.parse::<u64>() {
                Ok(number) => found.push((name.clone(), number)),
                Err(_) => name = std::mem::take(&mut word),
            }
            word.clear();
        }
    }
    found
}

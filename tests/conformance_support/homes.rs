//! Which legacy keys have a home, said by a table of its own (`tests/expected/homes.tsv`) and not by
//! the program's.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Tree;

use super::shapes::{Type, type_of};
use super::value::{parsed, scalar, tree};

/// What must become of a key that has a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The key goes once the home says it.
    Move,
    /// The home says it; the key may stay, for it says more or is current in its own right.
    Copy,
}

/// A legacy key and its homes.
#[derive(Debug)]
pub struct Row {
    /// The pattern, with `{n}` for digits and `*` at the end for the rest.
    key: &'static str,
    /// A member of the JSON that the key holds, as a path of names.
    member: Option<&'static str>,
    homes: [Option<&'static str>; 2],
    how: How,
    when: Vec<When>,
}

#[derive(Debug)]
enum When {
    Scope(&'static str),
    Name(&'static str),
    Has(&'static str),
    Lacks(&'static str),
    Is(&'static str, Vec<&'static str>),
}

static TEXT: &str = include_str!("../expected/homes.tsv");
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| TEXT.lines().filter_map(row).collect());
static BY_KEY: LazyLock<Mutex<HashMap<String, &'static [usize]>>> = LazyLock::new(Default::default);

fn row(line: &'static str) -> Option<Row> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let columns: Vec<&str> = line.split('\t').collect();
    let [key, v1_41, main, how, when] = columns[..] else { panic!("homes.tsv: five columns are expected: {line}") };
    let (key, member) = key.split_once('#').map_or((key, None), |(key, member)| (key, Some(member)));
    let how = match how {
        "move" => How::Move,
        "copy" => How::Copy,
        _ => panic!("homes.tsv: move or copy is expected: {line}"),
    };
    let home = |column: &'static str| (column != "-").then_some(column);
    let when = when.split(" & ").filter(|when| *when != "-").map(condition).collect();
    Some(Row { key, member, homes: [home(v1_41), home(main)], how, when })
}

fn condition(text: &'static str) -> When {
    if let Some(scope) = text.strip_prefix("scope:") {
        When::Scope(scope)
    } else if let Some(name) = text.strip_prefix("span:") {
        When::Name(name)
    } else if let Some(key) = text.strip_prefix('!') {
        When::Lacks(key)
    } else if let Some((key, values)) = text.split_once('=') {
        When::Is(key, values.split('|').collect())
    } else {
        When::Has(text)
    }
}

/// The rows of a key, looked for once.
fn rows(key: &str) -> &'static [usize] {
    let mut known = BY_KEY.lock().unwrap();
    if let Some(rows) = known.get(key) {
        return rows;
    }
    let found: Vec<usize> = (0..ROWS.len()).filter(|row| matches(ROWS[*row].key, key)).collect();
    let found: &'static [usize] = found.leak();
    known.insert(key.to_owned(), found);
    found
}

fn matches(pattern: &str, key: &str) -> bool {
    if let Some((before, after)) = pattern.split_once("{n}") {
        let Some(rest) = key.strip_prefix(before) else { return false };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        return digits > 0 && matches(after, &rest[digits..]);
    }
    match pattern.strip_suffix('*') {
        Some(prefix) => key.starts_with(prefix),
        None => pattern == key,
    }
}

impl Row {
    /// The home for a target.
    pub fn home(&self, target: Target) -> Option<&'static str> {
        match target {
            Target::V1_41 => self.homes[0],
            Target::Main => self.homes[1],
        }
    }

    fn holds(&self, scope: &str, span: &Span) -> bool {
        self.when.iter().all(|when| match when {
            When::Scope(prefix) => scope.starts_with(prefix),
            When::Name(name) => matches(name, &span.name),
            When::Has(key) => get(&span.attributes, key).is_some(),
            When::Lacks(key) => !span.attributes.iter().any(|entry| matches(key, &entry.key)),
            When::Is(key, values) => get(&span.attributes, key).is_some_and(|value| {
                let value = scalar(&value).into_owned();
                values.contains(&value.trim_matches('"'))
            }),
        })
    }

    /// What the key says for its home: its value, or a member of it; `None` if that is nothing, or
    /// nothing of the home's type.
    fn said(&self, home: &str, value: &Tree) -> Option<Tree> {
        let said = match self.member {
            None => value.clone(),
            Some(path) => {
                let mut tree = match value {
                    Tree::String(text) => parsed(text)?,
                    other => other.clone(),
                };
                for name in path.split('.') {
                    tree = tree.get_mut(name)?.take();
                }
                tree
            }
        };
        fits(home, &said).then_some(said)
    }
}

/// The value of an attribute.
pub fn get(attributes: &[KeyValue], key: &str) -> Option<Tree> {
    attributes.iter().find(|entry| entry.key == key).map(|entry| tree(entry.value.as_ref()))
}

/// Whether a value says something that an attribute can hold: no empty text, no word for nothing,
/// no text where a number belongs.
fn fits(home: &str, value: &Tree) -> bool {
    let number = || match value {
        Tree::Number(number) => number.as_f64(),
        Tree::String(text) => text.trim().trim_matches('"').parse().ok(),
        _ => None,
    };
    let is_word_for_nothing = match value {
        Tree::Null => true,
        Tree::String(text) => {
            matches!(text.trim().trim_matches('"'), "" | "None" | "null" | "none" | "NaN" | "[]" | "{}")
        }
        Tree::Array(items) => items.is_empty(),
        Tree::Object(members) => members.is_empty(),
        _ => false,
    };
    !is_word_for_nothing
        && match type_of(home) {
            // One choice is what is asked for when nothing is said.
            Some(Type::Int) if home == "gen_ai.request.choice.count" => number().is_some_and(|number| number > 1.0),
            Some(Type::Int | Type::Number) => number().is_some_and(|number| number >= 0.0 && number.fract() == 0.0),
            Some(Type::Double) => number().is_some_and(f64::is_finite),
            _ => true,
        }
}

/// A key that stands where its home should, or whose home is missing.
#[derive(Debug)]
pub struct Left {
    /// The key, with its member.
    pub key: String,
    /// The home.
    pub home: &'static str,
    /// What is wrong.
    pub what: &'static str,
}

/// The rows that hold for an attribute of a span, with their homes for a target, where the value
/// says something for it.
pub fn homes<'s>(
    scope: &'s str,
    before: &'s Span,
    key: &str,
    value: &'s Tree,
    target: Target,
) -> impl Iterator<Item = (&'static Row, &'static str, Tree)> + 's {
    rows(key).iter().map(|row| &ROWS[*row]).filter(|row| row.holds(scope, before)).filter_map(move |row| {
        let home = row.home(target)?;
        Some((row, home, row.said(home, value)?))
    })
}

/// The keys of a span that were left although they have a home, and the homes that nobody filled.
pub fn left(scope: &str, before: &Span, after: &Span, target: Target) -> Vec<Left> {
    let mut found = Vec::new();
    for entry in &before.attributes {
        let value = tree(entry.value.as_ref());
        for (row, home, said) in homes(scope, before, &entry.key, &value, target) {
            let key = row.member.map_or_else(|| entry.key.clone(), |member| format!("{}#{member}", entry.key));
            let there = get(&after.attributes, home).is_some();
            let stays = get(&after.attributes, &entry.key).is_some();
            let what = match (row.how, row.member) {
                (How::Move, None) if stays && !says_otherwise(before, home, &said) => "is left",
                (How::Move, None) => continue,
                _ if !there => "has no home in the span",
                _ => continue,
            };
            found.push(Left { key, home, what });
        }
    }
    found
}

/// Whether the source said something else under the home's name, which wins.
fn says_otherwise(before: &Span, home: &str, said: &Tree) -> bool {
    let Some(current) = get(&before.attributes, home) else { return false };
    let mut other = super::value::Said::default();
    other.add(&current);
    !super::content::missing(said, &other).is_empty()
}

/// Whether a key is one of the target's own, which is repaired in place.
pub fn is_current(key: &str) -> bool {
    type_of(key).is_some() || super::content::CONTENT.contains(&key)
}

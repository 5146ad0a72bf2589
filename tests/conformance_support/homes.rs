//! Which legacy keys have a home, said by a table of its own (`tests/expected/homes.tsv`) and not by
//! the program's.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use dragoman::genai::settings::Target;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Tree, json};

use super::content;
use super::types::{Type, type_of};
use super::value::{Said, parsed, python_numbers, scalar, tree};

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
    key: &'static str,
    /// A member of what the key holds, as a path of names.
    member: Option<&'static str>,
    /// By target; any one will do.
    homes: [Vec<&'static str>; 2],
    how: How,
    when: Vec<When>,
}

#[derive(Debug)]
struct When {
    holds: bool,
    what: Condition,
}

#[derive(Debug)]
enum Condition {
    Scope(&'static str),
    Name(&'static str),
    Has(&'static str),
    Is(&'static str, Vec<&'static str>),
    Contains(&'static str, &'static str),
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
    let homes = [v1_41, main].map(|column| column.split('|').filter(|home| *home != "-").collect());
    let when = when.split(" & ").filter(|when| *when != "-").map(condition).collect();
    Some(Row { key, member, homes, how, when })
}

fn condition(text: &'static str) -> When {
    let (text, holds) = text.strip_prefix('!').map_or((text, true), |text| (text, false));
    let what = if let Some(scope) = text.strip_prefix("scope:") {
        Condition::Scope(scope)
    } else if let Some(name) = text.strip_prefix("span:") {
        Condition::Name(name)
    } else if let Some((key, part)) = text.split_once('~') {
        Condition::Contains(key, part)
    } else if let Some((key, values)) = text.split_once('=') {
        Condition::Is(key, values.split('|').collect())
    } else {
        Condition::Has(text)
    };
    When { holds, what }
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
    fn homes(&self, target: Target) -> &[&'static str] {
        match target {
            Target::V1_41 => &self.homes[0],
            Target::Main => &self.homes[1],
        }
    }

    fn holds(&self, scope: &str, span: &Span) -> bool {
        let text = |key: &str| get(&span.attributes, key).map(|value| scalar(&value).into_owned());
        self.when.iter().all(|when| {
            let holds = match &when.what {
                Condition::Scope(prefix) => scope.starts_with(prefix),
                Condition::Name(name) => matches(name, &span.name),
                Condition::Has(key) => span.attributes.iter().any(|entry| entry.key == *key),
                Condition::Is(key, values) => text(key).is_some_and(|text| values.contains(&text.trim_matches('"'))),
                Condition::Contains(key, part) => text(key).is_some_and(|text| text.contains(part)),
            };
            holds == when.holds
        })
    }

    /// What the key says for its home: its value, or a member of it; `None` if that is nothing, or
    /// nothing of the home's type.
    fn said(&self, home: &str, value: &Tree) -> Option<Tree> {
        let Some(path) = self.member else { return fits(home, value).then(|| value.clone()) };
        let parsed = match value {
            Tree::String(text) => parsed(text).or_else(|| python_number(text, path))?,
            other => other.clone(),
        };
        // The keys of an event's attributes have dots of their own.
        let member = parsed.get(path).or_else(|| path.split('.').try_fold(&parsed, |tree, name| tree.get(name)))?;
        // That nothing was cached or thought needs no word.
        (fits(home, member) && member.as_f64() != Some(0.0)).then(|| member.clone())
    }
}

/// A number of Python's `repr` by its name, in an object of its own.
fn python_number(text: &str, path: &str) -> Option<Tree> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let (_, number) = python_numbers(text).into_iter().find(|(known, _)| known == name)?;
    Some(json!({ path: number }))
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
            matches!(
                text.trim().trim_matches('"'),
                "" | "None" | "null" | "none" | "NaN" | "[]" | "{}" | "N/A" | "<not specified>"
            )
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
    pub home: String,
    /// What is wrong.
    pub what: &'static str,
}

/// The rows that hold for an attribute of a span, and for a target, where the value says something
/// for it; each with what that is.
pub fn rows_of<'s>(
    scope: &'s str,
    before: &'s Span,
    key: &str,
    value: &'s Tree,
    target: Target,
) -> impl Iterator<Item = (&'static Row, &'static [&'static str], Tree)> + 's {
    rows(key).iter().map(|row| &ROWS[*row]).filter(|row| row.holds(scope, before)).filter_map(move |row| {
        let homes = row.homes(target);
        Some((row, homes, row.said(homes.first()?, value)?))
    })
}

/// Whether a span says something under one of these names; `*` at the end is for any name.
pub fn is_there(span: &Span, homes: &[&str]) -> bool {
    homes.iter().any(|home| span.attributes.iter().any(|entry| matches(home, &entry.key)))
}

/// The keys of a span that were left although they have a home, and the homes that nobody filled.
pub fn left(scope: &str, before: &Span, after: &Span, target: Target) -> Vec<Left> {
    let mut found = Vec::new();
    let attributes = before.attributes.iter().map(|entry| {
        let stays = after.attributes.iter().any(|kept| kept.key == entry.key);
        (entry.key.clone(), tree(entry.value.as_ref()), stays)
    });
    let events = before.events.iter().map(|event| {
        let said = event.attributes.iter().filter(|entry| !ABOUT_AN_EVENT.contains(&entry.key.as_str()));
        let said = said.map(|entry| (entry.key.clone(), tree(entry.value.as_ref()))).collect();
        (format!("event:{}", event.name), Tree::Object(said), after.events.contains(event))
    });
    for (key, value, stays) in attributes.chain(events) {
        for (row, homes, said) in rows_of(scope, before, &key, &value, target) {
            let what = match row.how {
                How::Move if stays && !says_otherwise(before, homes, &said) => "is left",
                How::Copy if !is_there(after, homes) && !content::is_said_by_absence(homes, &said, target) => {
                    "is not said"
                }
                _ => continue,
            };
            let key = row.member.map_or_else(|| key.clone(), |member| format!("{key}#{member}"));
            found.push(Left { key, home: homes.join(" or "), what });
        }
    }
    found
}

/// Attributes of an event that are no content.
const ABOUT_AN_EVENT: [&str; 4] = ["gen_ai.system", "gen_ai.provider.name", "event.name", "gen_ai.operation.name"];

/// Whether the source said something else under the home's name, which wins.
fn says_otherwise(before: &Span, homes: &[&str], said: &Tree) -> bool {
    let mut other = Said::default();
    let current: Vec<Tree> = homes.iter().filter_map(|home| get(&before.attributes, home)).collect();
    current.iter().for_each(|current| other.add(current));
    !current.is_empty() && !content::missing(said, &other).is_empty()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::span::Event;

    use super::*;
    use crate::conformance_support::value::attributes;

    fn span(said: Tree) -> Span {
        Span { name: "call".into(), attributes: attributes(said), ..Span::default() }
    }

    /// What is left of a span that became another one.
    fn found(scope: &str, before: Tree, after: Tree) -> Vec<String> {
        let left = left(scope, &span(before), &span(after), Target::V1_41);
        left.into_iter().map(|left| format!("{} {}", left.key, left.what)).collect()
    }

    #[test]
    fn a_key_that_has_a_home_goes() {
        let legacy = json!({"llm.request.model": "m", "their.own": 1});
        assert_eq!(found("", legacy.clone(), legacy.clone()), ["llm.request.model is left"]);
        assert_eq!(found("", legacy, json!({"gen_ai.request.model": "m", "their.own": 1})), [""; 0]);
        let numbered = json!({"gen_ai.prompt.12.content": "hi"});
        assert_eq!(found("", numbered.clone(), numbered), ["gen_ai.prompt.12.content is left"]);
        let template = json!({"gen_ai.prompt.name": "greeting"});
        assert_eq!(found("", template.clone(), template), [""; 0]);
    }

    #[test]
    fn what_no_home_can_hold_stays() {
        for nothing in [json!(""), json!("None"), json!([]), Tree::Null, json!("many"), json!(-1)] {
            let legacy = json!({"llm.request.max_tokens": nothing});
            assert_eq!(found("", legacy.clone(), legacy), [""; 0]);
        }
        let other = json!({"gen_ai.system": "mine", "gen_ai.provider.name": "openai"});
        assert_eq!(found("", other.clone(), other), [""; 0]);
        let same = json!({"gen_ai.system": "openai", "gen_ai.provider.name": "openai"});
        assert_eq!(found("", same.clone(), same), ["gen_ai.system is left"]);
    }

    #[test]
    fn a_copy_may_stay_once_it_is_said() {
        let legacy = json!({"traceloop.span.kind": "tool", "traceloop.entity.name": "add"});
        let lacking = ["traceloop.entity.name is not said", "traceloop.span.kind is not said"];
        assert_eq!(found("", legacy.clone(), legacy.clone()), lacking);
        let mut said = legacy.clone();
        said["gen_ai.operation.name"] = json!("execute_tool");
        said["gen_ai.tool.name"] = json!("add");
        assert_eq!(found("", legacy, said), [""; 0]);
        let task = json!({"traceloop.span.kind": "task", "traceloop.entity.name": "add"});
        assert_eq!(found("", task.clone(), task), [""; 0]);
    }

    #[test]
    fn a_member_is_said_too() {
        for text in ["{\"input_tokens\": 3}", "Usage(input_tokens=3)", "{'input_tokens': 3}"] {
            let legacy = json!({"langsmith.usage_metadata": text, "langsmith.span.kind": "llm"});
            let left = found("", legacy.clone(), legacy);
            assert!(left.contains(&"langsmith.usage_metadata#input_tokens is not said".to_owned()), "{text}: {left:?}");
        }
        let zero = json!({"gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 0}"});
        assert_eq!(found("", zero.clone(), zero), [""; 0]);
    }

    #[test]
    fn a_condition_holds_or_not() {
        let bare = json!({"tool_arguments": "{}"});
        let said = json!({"tool_arguments": "{\"a\": 1}"});
        assert_eq!(found("pydantic-ai", said.clone(), said.clone()), ["tool_arguments is left"]);
        assert_eq!(found("pydantic-ai", bare.clone(), bare), [""; 0]);
        assert_eq!(found("another", said.clone(), said), [""; 0]);
    }

    #[test]
    fn an_event_is_left_or_not() {
        let event =
            |said: Tree| Event { name: "gen_ai.user.message".into(), attributes: attributes(said), ..Event::default() };
        let with = |said: Tree| Span { events: vec![event(said)], ..Span::default() };
        let says = with(json!({"content": "hi", "gen_ai.system": "openai"}));
        let found = left("", &says, &says, Target::Main);
        assert_eq!(found.iter().map(|left| left.key.as_str()).collect::<Vec<_>>(), ["event:gen_ai.user.message"]);
        assert!(left("", &says, &Span::default(), Target::Main).is_empty());
        let silent = with(json!({"gen_ai.system": "openai"}));
        assert!(left("", &silent, &silent, Target::Main).is_empty());
    }

    /// A home that has to go itself would never be reached.
    #[test]
    fn no_home_is_legacy_for_its_target() {
        for row in ROWS.iter() {
            for target in [Target::V1_41, Target::Main] {
                for home in row.homes(target) {
                    let moved = ROWS.iter().any(|other| {
                        other.how == How::Move
                            && matches(other.key, home)
                            && other.when.is_empty()
                            && other.member.is_none()
                            && !other.homes(target).is_empty()
                    });
                    assert!(!moved, "{} has the home {home}, which is legacy for {}", row.key, target.name());
                }
            }
        }
    }
}

//! Objects of which the members mean something: invocation parameters, usage objects, whole requests.
//!
//! Each member is read as if it were a key. What it makes are *parts*; they become one claim of the key
//! in the end (see [`merge_parts`]): a key goes only if every member of it is said elsewhere.

use std::borrow::Cow;

use super::{Given, Job};
use crate::genai::content::{self, json, write_value};
use crate::genai::dialect::{Reason, Rule};
use crate::genai::fold::text_of as attribute_text;
use crate::genai::index::Meaning;
use crate::genai::read::{About, Claim, From, Outcome, Work};
use crate::genai::values::ValueMap;
use crate::otlp::value::Value;

/// Objects in objects in objects are looked into, deeper ones are not.
const DEPTH: usize = 6;

/// The key of the rule that says what an object means that has none of the other rules' members.
const ANY_OTHER: &str = "*";

/// Variables of one prompt that are written at most.
const MAX_VARIABLES: usize = 64;

/// The value that a text is the JSON of: a string, a number or a boolean. Objects and lists stay text,
/// which is how they are read.
pub(super) fn decoded(value: &Value<'_>) -> Option<Value<'static>> {
    let node = json::parse(value.as_str()?)?;
    (!node.is_object() && !node.is_array()).then(|| value_of(node))
}

fn value_of(node: json::Node<'_>) -> Value<'static> {
    match node.kind() {
        json::Kind::String => Value::Str(Cow::Owned(node.as_str().unwrap_or_default().into_owned())),
        json::Kind::Number => match (node.text().parse::<i64>(), node.text().parse::<f64>()) {
            (Ok(number), _) => Value::Int(number),
            (_, Ok(number)) => Value::Double(number),
            _ => Value::Str(Cow::Owned(node.text().to_owned())),
        },
        json::Kind::Bool => Value::Bool(node.text() == "true"),
        json::Kind::Null => Value::Empty,
        json::Kind::Object | json::Kind::Array => Value::Str(Cow::Owned(node.text().to_owned())),
    }
}

/// The JSON text of an object, whether it came as JSON, as a Python literal or structured.
fn text_of<'v>(value: &'v Value<'_>, python: bool) -> Option<Cow<'v, str>> {
    match value {
        Value::Str(text) if json::parse(text).is_some() => Some(Cow::Borrowed(text)),
        Value::Str(text) if python => content::python::to_json(text).map(Cow::Owned),
        Value::KvList(_) => {
            let mut text = String::new();
            write_value(value, &mut text);
            Some(Cow::Owned(text))
        }
        _ => None,
    }
}

impl<'s> Job<'_, 's> {
    pub(super) fn members(&mut self, work: Work<'_>, rules: &'static [Rule], given: Given<'_, 's>) {
        let value = given.value();
        let text = text_of(value, self.python);
        let is_list = rules.iter().any(|rule| rule.key.starts_with(|first: char| first.is_ascii_digit()));
        let node = text.as_deref().and_then(json::parse);
        let Some(object) = node.filter(|node| node.is_object() || (is_list && node.is_array())) else {
            if let Some(rule) = rules.iter().find(|rule| rule.key.is_empty()) {
                return self.said(work, rule.action, given);
            }
            let outcome = match value.as_str().is_some_and(|text| matches!(text.trim(), "" | "null" | "None")) {
                true => Outcome::Discarded(Reason::Empty),
                false => Outcome::Kept(Reason::Shape),
            };
            self.claim(&work, About::Nothing, outcome, "an object was expected; anything else stays");
            return;
        };
        if let Some(rule) = rules.iter().find(|rule| rule.key == ANY_OTHER && !object.is_blank())
            && !rules.iter().any(|rule| at(object, rule.key).is_some_and(|node| !node.is_null()))
        {
            return self.said(work, rule.action, given);
        }
        let nested = std::mem::replace(&mut self.part, true);
        for (order, rule) in (0u16..).zip(rules) {
            let Some(node) = at(object, rule.key).filter(|node| !rule.key.is_empty() && !node.is_null()) else {
                continue;
            };
            let meaning = Meaning {
                dialect: work.meaning.dialect,
                order,
                action: rule.action,
                values: rule.values.map_or(ValueMap::None, ValueMap::Table),
                guarded: false,
                own: false,
                corrects: false,
            };
            let value = value_of(node);
            let given = match node.is_object() || node.is_array() {
                true => Given::Json(&value),
                false => Given::Made(&value),
            };
            self.said(Work { meaning: &meaning, ..work }, rule.action, given);
        }
        let stands = |name: &str, node: json::Node<'_>| self.stands_alone(name, node);
        if says_more(object, "", rules, 0, &stands) {
            self.claim(&work, About::Nothing, Outcome::Kept(Reason::SaysMore), SAYS_MORE);
        } else if !self.claims.iter().any(|claim| claim.part && claim.from == From::Attribute(work.attribute))
            && !self.pieces.iter().any(|piece| piece.attribute == work.attribute)
        {
            self.claim(&work, About::Nothing, Outcome::Discarded(Reason::Empty), "an empty object says nothing");
        }
        self.part = nested;
    }

    /// Whether a member stands on the span as an attribute of its own, too.
    fn stands_alone(&self, name: &str, node: json::Node<'_>) -> bool {
        self.source
            .get(name)
            .and_then(attribute_text)
            .is_some_and(|text| text == node.text() || node.as_str().is_some_and(|inner| text == inner))
    }

    /// Variables that have keys of their own, where the target has words for them.
    pub(super) fn variable_keys(&mut self) {
        let table = self.speakers.leader(self.index);
        let Some(prefixes) = table.map(|table| table.variables).filter(|_| self.convention.prompt_variables) else {
            return;
        };
        let source = self.source;
        for (number, (key, value)) in source.own_attributes().iter().enumerate() {
            let name = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix)).filter(|name| !name.is_empty());
            let (Some(name), Some(value)) = (name, value.as_str()) else { continue };
            if self.operation.variables.len() >= MAX_VARIABLES {
                return;
            }
            let claim = self.claims.iter_mut().find(|claim| claim.from == From::Attribute(number));
            if let Some(claim) = claim {
                self.foreign = true;
                self.operation.variables.push((name.to_owned(), value.to_owned()));
                claim.about = About::Variables;
                claim.outcome = Outcome::Expressed(Reason::None);
                claim.rule = "an attribute for each variable";
            }
        }
    }

    pub(super) fn variables(&mut self, work: Work<'_>, value: &Value<'s>) {
        let text = text_of(value, self.python);
        let object = text.as_deref().and_then(json::parse).and_then(object);
        let names: Vec<(String, String)> = object
            .into_iter()
            .flat_map(json::Node::members)
            .map(|(name, node)| (name.into_owned(), node.as_str().map_or(node.text().into(), Cow::into_owned)))
            .take(MAX_VARIABLES + 1)
            .collect();
        let (outcome, rule) = match (object, self.convention.prompt_variables) {
            (None, _) => (Outcome::Kept(Reason::Shape), "an object was expected; anything else stays"),
            (Some(_), false) => (Outcome::Kept(Reason::NoHome), "the target has no words for a prompt's variables"),
            (Some(_), true) if names.is_empty() => (Outcome::Discarded(Reason::Empty), "an empty object says nothing"),
            (Some(_), true) if names.len() > MAX_VARIABLES => {
                (Outcome::Kept(Reason::SaysMore), "more than 64 variables stay together")
            }
            (Some(_), true) => {
                self.foreign = true;
                self.operation.variables = names;
                (Outcome::Expressed(Reason::None), "an attribute for each variable")
            }
        };
        self.claim(&work, About::Variables, outcome, rule);
    }
}

const SAYS_MORE: &str = "what its members say is taken; it says more and stays";

/// An object, also one whose JSON stands in a JSON text.
fn object(node: json::Node<'_>) -> Option<json::Node<'_>> {
    node.is_object().then_some(node)
}

/// The value at a path of names, and of numbers in lists.
fn at<'n>(node: json::Node<'n>, path: &str) -> Option<json::Node<'n>> {
    if node.is_array() {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let element = node.elements().nth(first.parse().ok()?)?;
        return if rest.is_empty() { Some(element) } else { at(element, rest) };
    }
    match node.get(path) {
        Some(node) => Some(node),
        None => {
            let (first, rest) = path.split_once('.')?;
            at(node.get(first)?, rest)
        }
    }
}

/// Whether an object has a member that no rule reads and that does not stand elsewhere.
fn says_more(
    node: json::Node<'_>,
    path: &str,
    rules: &[Rule],
    depth: usize,
    stands: &impl Fn(&str, json::Node<'_>) -> bool,
) -> bool {
    let says = |name: &str, node: json::Node<'_>| {
        let path = format!("{path}{name}");
        if node.is_blank() || rules.iter().any(|rule| rule.key == path) {
            return false;
        }
        let inside = format!("{path}.");
        if depth < DEPTH && rules.iter().any(|rule| rule.key.starts_with(&inside)) {
            return says_more(node, &inside, rules, depth + 1, stands);
        }
        depth > 0 || !stands(name, node)
    };
    match node.kind() {
        json::Kind::Object => node.members().any(|(name, node)| says(&name, node)),
        json::Kind::Array => node.elements().enumerate().any(|(place, node)| says(&place.to_string(), node)),
        _ => true,
    }
}

/// Makes one claim of the parts of each key: it may go only if none of them stays.
pub(in crate::genai) fn merge_parts(claims: &mut Vec<Claim>) {
    if !claims.iter().any(|claim| claim.part) {
        return;
    }
    let mut merged: Vec<Claim> = Vec::with_capacity(claims.len());
    for claim in claims.drain(..) {
        let known = merged.iter_mut().find(|known| known.part && claim.part && known.from == claim.from);
        let Some(known) = known else {
            merged.push(claim);
            continue;
        };
        if known.about != claim.about {
            known.about = About::Nothing;
        }
        let (outcome, rule) = match (known.outcome, claim.outcome) {
            (Outcome::Kept(one), Outcome::Kept(other)) if one == other => (known.outcome, known.rule),
            (Outcome::Kept(_) | Outcome::Open, _) | (_, Outcome::Kept(_) | Outcome::Open) => {
                (Outcome::Kept(Reason::SaysMore), SAYS_MORE)
            }
            (Outcome::Discarded(_), outcome) => (outcome, claim.rule),
            (outcome, _) => (outcome, "all its members are said in the target's words"),
        };
        (known.outcome, known.rule) = (outcome, rule);
    }
    *claims = merged;
}

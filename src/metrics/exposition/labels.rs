//! Labels under Prometheus' names: every name once, none that the format needs for itself, no empty
//! value. One [`LabelSet`] is filled again and again, so that a page of many series allocates little.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::metrics::snapshot::{Exemplar, LONGEST_TEXT, Label, LabelValue, Scope, shortened};

use super::escaping::Escaping;
use super::name;
use super::style::{Style, Translation};

/// Characters that an exemplar's labels may have, names and values together (OpenMetrics 1.0,
/// "Exemplars").
const EXEMPLAR_CHARACTERS: usize = 128;

/// How a page's names are made, and the ones that were made before.
pub(super) struct Names {
    translation: Translation,
    escaping: Escaping,
    labels: HashMap<Box<str>, Arc<str>>,
    constants: Vec<(Arc<str>, String)>,
    hashers: [RandomState; 2],
}

impl Names {
    pub(super) fn new(style: &Style, escaping: Escaping) -> Self {
        let mut names = Names {
            translation: style.translation,
            escaping,
            labels: HashMap::new(),
            constants: Vec::new(),
            hashers: [RandomState::default(), RandomState::default()],
        };
        for (key, value) in &style.const_labels {
            let name = names.label(key);
            // Of two under one name the last is meant, as in any map.
            names.constants.retain(|(other, _)| *other != name);
            names.constants.push((name, value.clone()));
        }
        names
    }

    /// A label's name.
    fn label(&mut self, key: &str) -> Arc<str> {
        if let Some(name) = self.labels.get(key) {
            return Arc::clone(name);
        }
        let mut name = self.escaping.label(name::label(self.translation, key));
        if name.starts_with("__") {
            // An escaped underscore is two; what begins with two is Prometheus' own.
            name.insert_str(0, "key");
        }
        let name: Arc<str> = name.into();
        self.labels.insert(key.into(), Arc::clone(&name));
        name
    }

    /// The name of a label that gives way to another, as Prometheus calls it.
    fn exported(&mut self, name: &str) -> Arc<str> {
        self.label(&format!("exported_{name}"))
    }
}

struct Entry {
    name: Arc<str>,
    value: Range<usize>,
    /// Joined to another.
    gone: bool,
}

/// One set of labels.
#[derive(Default)]
pub(super) struct LabelSet {
    entries: Vec<Entry>,
    text: String,
    /// The entries in the order of their names.
    order: Vec<usize>,
}

impl LabelSet {
    /// The labels: names and values, not escaped.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let shown = self.entries.iter().filter(|entry| !entry.gone);
        shown.map(|entry| (&*entry.name, self.text.get(entry.value.clone()).unwrap_or_default()))
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        self.order.clear();
    }

    fn push(&mut self, name: Arc<str>, value: &dyn fmt::Display) {
        let start = self.text.len();
        // Writing to a string does not fail.
        let written = write!(self.text, "{value}").is_ok();
        if written && self.text.len() > start {
            self.entries.push(Entry { name, value: start..self.text.len(), gone: false });
        } else {
            self.text.truncate(start);
        }
    }

    /// Reads a series' labels in place of what was here. `reserved` is the name that the family's
    /// samples need for themselves, or empty.
    pub(super) fn read(&mut self, names: &mut Names, labels: &[Label], reserved: &str, scope: Option<Scope>) {
        self.clear();
        let mut sources = Vec::with_capacity(labels.len());
        for (source, label) in labels.iter().enumerate() {
            let mut name = names.label(&label.key);
            if *name == *reserved || names.constants.iter().any(|(constant, _)| *constant == name) {
                name = names.exported(&name);
            }
            let before = self.entries.len();
            self.push(name, &Shown(&label.value));
            sources.resize(self.entries.len(), source);
            debug_assert!(self.entries.len() - before <= 1, "a label is one entry");
        }
        if let Some(scope) = scope {
            for (key, value) in [("otel_scope_name", scope.name), ("otel_scope_version", scope.version)] {
                let name = names.label(key);
                self.push(name, &value);
            }
        }
        for at in 0..names.constants.len() {
            if let Some((name, value)) = names.constants.get(at) {
                self.push(Arc::clone(name), &Printable(value));
            }
        }
        self.join(&sources, labels);
    }

    /// Values of keys that became one name are joined with `;`, in the order of the keys.
    fn join(&mut self, sources: &[usize], labels: &[Label]) {
        let LabelSet { entries, text, order } = self;
        order.extend(0..entries.len());
        let name = |at: usize| entries.get(at).map(|entry| &entry.name);
        let key = |at: usize| sources.get(at).and_then(|source| labels.get(*source)).map(|label| &label.key);
        // What has no key of its own (the scope) stands behind what has.
        order.sort_by(|a, b| {
            let keys = || (key(*a).is_none(), key(*a)).cmp(&(key(*b).is_none(), key(*b)));
            name(*a).cmp(&name(*b)).then_with(keys)
        });
        let mut at = 0;
        while let Some(first) = order.get(at).copied() {
            let same = order.iter().skip(at).take_while(|other| {
                entries.get(**other).map(|entry| &entry.name) == entries.get(first).map(|entry| &entry.name)
            });
            let number = same.count().max(1);
            if number > 1 {
                let start = text.len();
                for (joined, other) in order.iter().skip(at).take(number).enumerate() {
                    let Some(entry) = entries.get_mut(*other) else { continue };
                    if joined > 0 {
                        text.push(';');
                    }
                    text.extend_from_within_checked(entry.value.clone());
                    entry.gone = joined > 0;
                }
                if let Some(entry) = entries.get_mut(first) {
                    entry.value = start..text.len();
                }
            }
            at += number;
        }
    }

    /// What tells the set from others, whatever the order of its labels: equal for equal sets, and
    /// for two others once in 2^128.
    pub(super) fn identity(&self, names: &Names) -> u128 {
        let [high, low] = names.hashers.each_ref().map(|hasher| {
            let mut state = hasher.build_hasher();
            for at in &self.order {
                if let Some(entry) = self.entries.get(*at).filter(|entry| !entry.gone) {
                    entry.name.hash(&mut state);
                    self.text.get(entry.value.clone()).hash(&mut state);
                }
            }
            u128::from(state.finish())
        });
        high << 64 | low
    }

    /// Reads an exemplar's labels: the ids first, an attribute only while there is room. Their names are
    /// underscored in every strategy: OpenMetrics has no others there, and the reference parser
    /// stumbles over quotes.
    pub(super) fn read_exemplar(&mut self, exemplar: &Exemplar) {
        self.clear();
        let mut room = EXEMPLAR_CHARACTERS;
        if let Some(id) = exemplar.trace_id {
            self.push("trace_id".into(), &id);
        }
        if let Some(id) = exemplar.span_id {
            self.push("span_id".into(), &id);
        }
        let characters = |set: &LabelSet, from: usize| -> usize {
            set.iter().skip(from).map(|(name, value)| name.chars().count() + value.chars().count()).sum()
        };
        room = room.saturating_sub(characters(self, 0));
        for attribute in &exemplar.attributes {
            let name: Arc<str> = name::label(Translation::default(), &attribute.key).into();
            let before = (self.entries.len(), self.text.len());
            if self.entries.iter().any(|entry| entry.name == name) {
                continue;
            }
            self.push(name, &Shown(&attribute.value));
            let more = characters(self, before.0);
            if more <= room {
                room -= more;
            } else {
                self.entries.truncate(before.0);
                self.text.truncate(before.1);
            }
        }
    }

    /// Whether there is no label.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Copies a part of a text to its end.
trait ExtendFromWithin {
    fn extend_from_within_checked(&mut self, range: Range<usize>);
}

impl ExtendFromWithin for String {
    fn extend_from_within_checked(&mut self, range: Range<usize>) {
        if let Some(part) = self.get(range).map(str::to_owned) {
            self.push_str(&part);
        }
    }
}

/// A label's value as it is shown.
struct Shown<'a>(&'a LabelValue);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            LabelValue::Text(text) => Printable(text).fmt(f),
            other => other.fmt(f),
        }
    }
}

/// A text without control characters: they are legal in a label's value by the letter, but
/// Prometheus' lexer takes a NUL for the end of the page. And not longer than [`LONGEST_TEXT`]: a histogram
/// repeats it on every line.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = shortened(Cow::Borrowed(self.0), LONGEST_TEXT);
        match shown.contains(|c: char| c.is_control() && c != '\n') {
            true => f.write_str(&name::printable(&shown)),
            false => f.write_str(&shown),
        }
    }
}

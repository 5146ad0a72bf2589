//! One mapping of the configuration, from which a component takes its keys, and a [`Field`], which
//! is one value with its place.
//!
//! Taking a key checks its value; what is wrong is reported and reads as if the key were not
//! there, so that one pass finds every mistake. A key that nobody took is reported as unknown when
//! the section is dropped. `null` and an absent key mean the same: the default.
//!
//! ```
//! # use dragoman::config::{Config, Section, Source};
//! fn read(section: &mut Section<'_>) -> (String, bool) {
//!     let endpoint = section.listener("endpoint").unwrap_or("127.0.0.1:4317".into());
//!     (endpoint, section.boolean("enabled").unwrap_or(true))
//! }
//! let source = Source::Yaml("{ endpoint: 'localhost:1', enabeld: true }".into());
//! let config = Config::load(&[source], &|_| None);
//! assert_eq!(read(&mut config.root()).0, "localhost:1");
//! assert!(config.finish().is_err_and(|problems| problems.to_string().contains("did you mean enabled?")));
//! ```

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::document::{At, Entry, Kind, Node, Scalar, Value};
use super::expression::{mistake, whole_value};
use super::nearest::nearest;
use super::problem::{Finding, Report};
use super::scalar;
use super::secret::Secret;

/// Texts longer than this are shortened in messages.
const MAX_SHOWN: usize = 60;

/// A mapping that is being read.
#[derive(Debug)]
pub struct Section<'c> {
    report: &'c Report,
    path: String,
    /// Where the section's name stands, for what is missing in it.
    at: At,
    entries: &'c [Entry],
    known: Vec<&'static str>,
    /// Known, but not proposed to anybody.
    refused: Vec<&'static str>,
    /// Its keys are the user's own words.
    is_open: bool,
    /// No message shows a value in it.
    hidden: bool,
}

impl<'c> Section<'c> {
    pub(super) fn root(report: &'c Report, node: &'c Node) -> Section<'c> {
        let field = Field { report, path: String::new(), key_at: node.at, node, hidden: false };
        field.section().unwrap_or_else(|| field.with_entries(&[]))
    }

    /// The keys that lead here.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value of `key`, checked by nobody yet; `None` if the key is absent.
    pub fn field(&mut self, key: &'static str) -> Option<Field<'c>> {
        self.known.push(key);
        self.get(key)
    }

    fn get(&self, key: &str) -> Option<Field<'c>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.entry(entry))
    }

    fn entry(&self, entry: &'c Entry) -> Field<'c> {
        let (report, hidden) = (self.report, self.hidden);
        Field { report, path: self.path_of(&entry.key), key_at: entry.key_at, node: &entry.node, hidden }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Every key with its value, for sections whose keys are the user's own words.
    pub fn entries(&mut self) -> Vec<(&'c str, Field<'c>)> {
        self.is_open = true;
        self.entries.iter().map(|entry| (entry.key.as_str(), self.entry(entry))).collect()
    }

    /// The value of `key`, which must be there.
    pub fn required(&mut self, key: &'static str, expected: &str) -> Option<Field<'c>> {
        let field = self.field(key);
        match field {
            Some(field) if !field.is_null() => Some(field),
            _ => {
                let at = field.map_or(self.at, |field| field.key_at);
                self.report.add(Finding::error(at, self.path_of(key), "is missing").expected(expected));
                None
            }
        }
    }

    /// The mapping under `key`. `key:` with nothing behind it is an empty one.
    pub fn section(&mut self, key: &'static str) -> Option<Section<'c>> {
        self.field(key)?.section()
    }

    /// The items of the list under `key`.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<Field<'c>>> {
        self.value(key)?.list()
    }

    /// Text, whatever YAML takes it for.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.value(key)?.text()
    }

    /// Text that no message shows.
    pub fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.value(key)?.hidden().text().map(Secret::from)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.value(key)?.boolean()
    }

    /// A whole number within `range`; `unit` says of what, such as `bytes`.
    pub fn whole(&mut self, key: &'static str, unit: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.value(key)?.whole(unit, range)
    }

    /// A whole number within `range`, as a count in memory.
    pub fn count(&mut self, key: &'static str, unit: &str, range: RangeInclusive<usize>) -> Option<usize> {
        let range = *range.start() as u64..=*range.end() as u64;
        usize::try_from(self.value(key)?.whole(unit, range)?).ok()
    }

    /// `key` in MiB, as bytes.
    pub fn mebibytes(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.value(key)?.whole("MiB", range)?.checked_mul(1 << 20)
    }

    /// A number within `range`.
    pub fn fraction(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        self.value(key)?.fraction(range)
    }

    /// A duration, zero included.
    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.value(key)?.duration()
    }

    /// A duration that is longer than zero.
    pub fn interval(&mut self, key: &'static str) -> Option<Duration> {
        self.value(key)?.interval()
    }

    /// One of `choices`.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        self.value(key)?.choice(choices)
    }

    /// `host:port` to listen on; `:port` is every address.
    pub fn listener(&mut self, key: &'static str) -> Option<String> {
        self.value(key)?.listener()
    }

    /// A file's path.
    pub fn file(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// Whether one of `keys` is there and not null.
    pub fn has_any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.get(key).is_some_and(|field| !field.is_null()))
    }

    /// Whether it has no keys at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A field that is there and not null.
    fn value(&mut self, key: &'static str) -> Option<Field<'c>> {
        self.field(key).filter(|field| !field.is_null())
    }

    /// Keys that a Collector's file may have and that change nothing here: a warning each, with
    /// the reason. Not if they are off (`null` or `false`).
    pub fn without_effect(&mut self, keys: &[(&'static str, &str)]) {
        for (field, why) in self.switched_on(keys) {
            field.warn(format!("has no effect here: {why}"));
        }
    }

    /// Keys that a Collector's file may have and that cannot be ignored: an error each, with what
    /// to do instead. Not if they are off (`null` or `false`).
    pub fn not_supported(&mut self, keys: &[(&'static str, &str)]) {
        for (field, instead) in self.switched_on(keys) {
            field.refuse_key("is not supported", instead);
        }
    }

    fn switched_on<'w>(&mut self, keys: &[(&'static str, &'w str)]) -> Vec<(Field<'c>, &'w str)> {
        self.refused.extend(keys.iter().map(|(key, _)| *key));
        // Nobody reads what is below them, and knows what of it is a secret.
        keys.iter().filter_map(|(key, _)| self.get(key)).for_each(|field| self.report.hide(field.node.at));
        keys.iter()
            .filter_map(|(key, why)| Some((self.get(key)?, *why)))
            .filter(|(field, _)| {
                !field.is_null() && field.scalar().map(|scalar| scalar.kind) != Some(Kind::Bool(false))
            })
            .collect()
    }

    /// Reports something about the section as a whole.
    pub fn refuse(&self, message: impl Into<String>, expected: impl Into<String>) {
        self.report.add(Finding::error(self.at, self.path.clone(), message).expected(expected));
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if self.is_open {
            return;
        }
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) || self.refused.contains(&key) {
                continue;
            }
            let finding = Finding::error(entry.key_at, self.path_of(&shortened(key)), "unknown key");
            self.report.add(match nearest(key, self.known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean {near}?")),
                None if self.known.is_empty() => finding.expected("no keys at all"),
                None => finding.expected(one_of(self.known.iter().copied())),
            });
        }
    }
}

/// One value with its place.
#[derive(Debug, Clone)]
pub struct Field<'c> {
    report: &'c Report,
    path: String,
    key_at: At,
    node: &'c Node,
    hidden: bool,
}

impl<'c> Field<'c> {
    /// The same field, of which no message shows a value, nor of anything in it: where secrets stand
    /// when all is right, one may stand in a wrong place.
    pub fn hidden(&self) -> Field<'c> {
        self.report.hide(self.node.at);
        Field { hidden: true, ..self.clone() }
    }

    /// Whether nothing stands there.
    pub fn is_null(&self) -> bool {
        self.node.is_null()
    }

    /// The keys that lead here.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is a mapping.
    pub fn is_section(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// What stands at `keys` below this one, for a place to point at: where a key is absent, its
    /// path has the place of the nearest one above. Nothing is taken and nothing is checked.
    pub fn below(&self, keys: &[&str]) -> Field<'c> {
        let mut field = self.clone();
        let mut is_there = true;
        for key in keys {
            field.path = format!("{}.{key}", field.path);
            let found = match &field.node.value {
                Value::Map(entries) if is_there => entries.iter().find(|entry| entry.key == *key),
                _ => None,
            };
            match found {
                Some(entry) => (field.key_at, field.node) = (entry.key_at, &entry.node),
                None => is_there = false,
            }
        }
        field
    }

    /// Whether it is a list without an item.
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.node.value, Value::List(items) if items.is_empty())
    }

    /// The mapping; nothing at all is an empty one.
    pub fn section(&self) -> Option<Section<'c>> {
        match &self.node.value {
            Value::Map(entries) => Some(self.with_entries(entries)),
            Value::Scalar(Scalar { kind: Kind::Null, .. }) => Some(self.with_entries(&[])),
            // One that stands in the place of a mapping may have slipped there from a secret's place.
            _ => self.hidden().wrong("a mapping of keys"),
        }
    }

    fn with_entries(&self, entries: &'c [Entry]) -> Section<'c> {
        Section {
            report: self.report,
            path: self.path.clone(),
            at: self.key_at,
            entries,
            known: Vec::new(),
            refused: Vec::new(),
            is_open: false,
            hidden: self.hidden,
        }
    }

    /// The items of a list.
    pub fn list(&self) -> Option<Vec<Field<'c>>> {
        let Value::List(items) = &self.node.value else { return self.wrong("a list") };
        let item = |(index, node): (usize, &'c Node)| Field {
            report: self.report,
            path: format!("{}[{index}]", self.path),
            key_at: node.at,
            node,
            hidden: self.hidden,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Text, whatever YAML takes it for: `1.10` is `1.10`.
    pub fn text(&self) -> Option<String> {
        match self.scalar() {
            Some(scalar) if scalar.kind != Kind::Null => Some(scalar.text.clone()),
            _ => self.wrong("text"),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match self.scalar() {
            Some(Scalar { kind: Kind::Bool(value), .. }) => Some(*value),
            _ => self.wrong("true or false"),
        }
    }

    /// A whole number within `range`.
    pub fn whole(&self, unit: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = match self.scalar() {
            Some(Scalar { kind: Kind::Int(value), .. }) => u64::try_from(*value).ok(),
            _ => None,
        };
        match value {
            Some(value) if range.contains(&value) => Some(value),
            _ => self.wrong(&match (*range.start(), *range.end()) {
                (0, u64::MAX) => format!("a whole number of {unit}"),
                (least, u64::MAX) => format!("a whole number of {unit}, at least {least}"),
                (least, most) => format!("a whole number of {unit} from {least} to {most}"),
            }),
        }
    }

    /// A number within `range`.
    #[allow(clippy::cast_precision_loss, reason = "numbers of this size are refused by the range")]
    pub fn fraction(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let value = match self.scalar() {
            Some(Scalar { kind: Kind::Float(value), .. }) => Some(*value),
            Some(Scalar { kind: Kind::Int(value), .. }) => Some(*value as f64),
            _ => None,
        };
        match value {
            Some(value) if range.contains(&value) => Some(value),
            _ => self.wrong(&format!("a number from {} to {}", range.start(), range.end())),
        }
    }

    /// A duration, zero included.
    pub fn duration(&self) -> Option<Duration> {
        let value = self.scalar().and_then(|scalar| scalar::duration(&scalar.text));
        value.or_else(|| self.wrong("a duration with its unit, such as 200ms, 5s or 1m30s"))
    }

    /// A duration that is longer than zero.
    pub fn interval(&self) -> Option<Duration> {
        let value = self.scalar().and_then(|scalar| scalar::duration(&scalar.text));
        let value = value.filter(|duration| !duration.is_zero());
        value.or_else(|| self.wrong("a duration longer than zero with its unit, such as 200ms, 5s or 1m30s"))
    }

    /// One of `choices`, case aside.
    pub fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.scalar().map_or("", |scalar| scalar.text.as_str());
        match choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, value)) => Some(*value),
            None => self.wrong(&one_of(choices.iter().map(|(name, _)| *name))),
        }
    }

    /// `host:port` to listen on; `:port` is every address, as in Go.
    pub fn listener(&self) -> Option<String> {
        const EXPECTED: &str = "host:port, such as 127.0.0.1:4317 or localhost:4317";
        let Some(text) = self.words() else { return self.wrong(EXPECTED) };
        if text.contains("://") {
            return self.refuse_with("has a scheme", EXPECTED);
        }
        match scalar::host_port(text) {
            Ok(("", port)) => Some(format!("0.0.0.0:{port}")),
            Ok(_) => Some(text.to_owned()),
            Err(wrong) => self.refuse_with(wrong, EXPECTED),
        }
    }

    /// `host:port` of a server; a port is needed and 0 is none.
    pub fn server(&self, expected: &str) -> Option<String> {
        let Some(text) = self.words() else { return self.wrong(expected) };
        if text.contains('?') {
            return self.hidden().refuse_with("is not host:port", expected);
        }
        match scalar::host_port(text) {
            Ok(("", _)) => self.refuse_with("has no host", expected),
            Ok((_, 0)) => self.refuse_with("has port 0, where nobody can be reached", expected),
            Ok(_) => Some(text.to_owned()),
            Err(wrong) => self.refuse_with(wrong, expected),
        }
    }

    /// An `http://` or `https://` URL without credentials.
    pub fn url(&self, expected: &str) -> Option<http::Uri> {
        let Some(text) = self.words() else { return self.wrong(expected) };
        let Ok(url) = text.parse::<http::Uri>() else { return self.refuse_with("is not a URL", expected) };
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return self.refuse_with("does not begin with http:// or https://", expected);
        }
        let Some(authority) = url.authority() else { return self.refuse_with("has no host", expected) };
        if authority.as_str().contains('@') {
            return self.refuse_with("has credentials, which every log of a URL would show", "them in headers");
        }
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or("");
        if authority.host().is_empty() {
            return self.refuse_with("has no host", expected);
        }
        if !port.is_empty() && !matches!(authority.port_u16(), Some(1..)) {
            return self.refuse_with("has a port that is not a number from 1 to 65535", expected);
        }
        Some(url)
    }

    /// A regular expression that must match a whole value.
    pub fn regex(&self) -> Option<Regex> {
        let expected = "a regular expression of the regex crate (as RE2: no look-around, no backreferences)";
        let Some(text) = self.words() else { return self.wrong(expected) };
        match whole_value(text) {
            Ok(regex) => Some(regex),
            Err(error) => self.refuse_with(format!("is not a regular expression: {}", mistake(&error)), expected),
        }
    }

    fn scalar(&self) -> Option<&'c Scalar> {
        if !self.hidden {
            self.report.see(self.node.at);
        }
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The text of a scalar in which something stands.
    fn words(&self) -> Option<&'c str> {
        self.scalar().filter(|scalar| !scalar.text.is_empty()).map(|scalar| scalar.text.as_str())
    }

    fn is_broken(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.kind == Kind::Broken)
    }

    /// Where to point: at the value, or at its key if there is no value to see.
    fn at(&self) -> At {
        if self.is_null() { self.key_at } else { self.node.at }
    }

    /// The value as messages may show it.
    fn shown(&self) -> String {
        match &self.node.value {
            _ if self.node.secret => "a value from the environment".to_owned(),
            Value::Scalar(scalar) if self.hidden && scalar.kind != Kind::Null => "a value".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar(scalar) if scalar.kind == Kind::Null => "nothing".to_owned(),
            // What looks like credentials in a URL, or can hold them.
            Value::Scalar(scalar) if scalar.text.contains('@') => "the value".to_owned(),
            Value::Scalar(Scalar { text, .. }) if text.contains("//") && text.contains('?') => {
                format!("{:?}", shortened(text.split('?').next().unwrap_or_default()) + "?...")
            }
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Text => format!("{:?}", shortened(&scalar.text)),
                _ => shortened(&scalar.text),
            },
        }
    }

    fn wrong<T>(&self, expected: &str) -> Option<T> {
        if self.is_broken() {
            return None;
        }
        let finding = Finding::error(self.at(), self.path.clone(), format!("found {}", self.shown()));
        let quoted = matches!(self.scalar(), Some(scalar) if scalar.kind == Kind::Text)
            && !self.node.secret
            && (expected.starts_with("true or") || expected.contains("number"))
            && self.words().is_some_and(|text| text.parse::<f64>().is_ok() || text == "true" || text == "false");
        let finding = finding.expected(expected);
        self.report.add(if quoted { finding.help("leave the quotes out") } else { finding });
        None
    }

    fn refuse_with<T>(&self, wrong: impl std::fmt::Display, expected: &str) -> Option<T> {
        self.refuse(wrong, expected);
        None
    }

    /// Reports the value: `wrong` follows it in the message.
    pub fn refuse(&self, wrong: impl std::fmt::Display, expected: impl Into<String>) {
        if !self.is_broken() {
            let message = format!("{} {wrong}", self.shown());
            self.report.add(Finding::error(self.at(), self.path.clone(), message).expected(expected));
        }
    }

    /// Reports the value with what to do about it instead of what was expected.
    pub fn refuse_help(&self, wrong: impl std::fmt::Display, help: impl Into<String>) {
        if !self.is_broken() {
            let message = format!("{} {wrong}", self.shown());
            self.report.add(Finding::error(self.at(), self.path.clone(), message).help(help));
        }
    }

    /// Reports the key, whatever its value is. The value is shown nowhere: it may be a slipped secret.
    pub fn refuse_key(&self, message: impl Into<String>, help: impl Into<String>) {
        self.scalar().inspect(|_| self.report.hide(self.node.at));
        self.refuse_place(message, help);
    }

    /// Reports the key of a value that is right by itself, and wrong beside others.
    pub fn refuse_place(&self, message: impl Into<String>, help: impl Into<String>) {
        self.report.add(Finding::error(self.key_at, self.path.clone(), message).help(help));
    }

    /// Reports a word that is none of `candidates`, with the nearest of them.
    pub fn refuse_word<'w>(&self, word: &str, wrong: &str, candidates: impl IntoIterator<Item = &'w str> + Clone) {
        if self.node.secret {
            return self.refuse(wrong, one_of(candidates));
        }
        let finding = Finding::error(self.at(), self.path.clone(), format!("{:?} {wrong}", shortened(word)));
        self.report.add(suggest(finding, word, candidates));
    }

    /// The same about the key.
    pub fn refuse_key_word<'w>(&self, word: &str, wrong: &str, candidates: impl IntoIterator<Item = &'w str> + Clone) {
        let finding = Finding::error(self.key_at, self.path.clone(), format!("{:?} {wrong}", shortened(word)));
        self.report.add(suggest(finding, word, candidates));
    }

    /// Warns about the key.
    pub fn warn(&self, message: impl Into<String>) {
        self.report.add(Finding::warning(self.key_at, self.path.clone(), message));
    }
}

fn suggest<'w>(finding: Finding, word: &str, candidates: impl IntoIterator<Item = &'w str> + Clone) -> Finding {
    match nearest(word, candidates.clone()) {
        Some(near) => finding.help(format!("did you mean {near}?")),
        None => match one_of(candidates) {
            all if all.is_empty() => finding,
            all => finding.expected(all),
        },
    }
}

/// `a`, `a or b`, `a, b or c`.
fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last.to_owned() } else { format!("{} or {last}", words.join(", ")) }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

//! A configuration written down again, as `print-config` shows it: merged, with secrets masked and
//! the environment left as it was written, or with everything put in; as YAML, or as the JSON that is YAML.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value as Json;

use super::document::{Entry, Kind, Node, Scalar, Value};
use super::problem::Report;
use super::secret::MASK;

/// How much of a configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Secrets are masked, and `${env:NAME}` stays what it is.
    Redacted,
    /// Everything, with the environment put in.
    Unredacted,
}

/// How a configuration is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// YAML, in the order of the sources.
    Yaml,
    /// JSON, keys in the order of their letters, as the Collector's `print-config` writes it.
    Json,
}

/// As it was written, without what was read as a secret, or by nobody.
pub(super) fn redacted(node: &Node, report: &Report, notation: Notation) -> String {
    let show = |node: &Node, scalar: &Scalar, is_hidden: bool| match !is_hidden && report.is_seen(node.at) {
        _ if scalar.kind == Kind::Null => scalar.clone(),
        true => with_text(scalar, without_credentials),
        false => Scalar { text: MASK.to_owned(), kind: Kind::Text },
    };
    write(node, notation, &show, &|node| report.is_hidden(node.at))
}

/// With the environment put in, so that it means the same anywhere.
pub(super) fn unredacted(node: &Node, notation: Notation) -> String {
    // What is put in is text: a `$` in it is one.
    write(node, notation, &|_, scalar, _| with_text(scalar, |text| text.replace('$', "$$")), &|_| false)
}

/// The scalar with another text, if it is one: a number's text is its number.
fn with_text(scalar: &Scalar, change: impl FnOnce(&str) -> String) -> Scalar {
    match scalar.kind {
        Kind::Text | Kind::Broken => Scalar { text: change(&scalar.text), kind: Kind::Text },
        _ => scalar.clone(),
    }
}

/// URLs may have credentials where nothing says that they are: before an `@`, in a query.
fn without_credentials(text: &str) -> String {
    match text.split_once('?') {
        _ if text.contains('@') => MASK.to_owned(),
        Some((url, _)) if text.contains("//") => format!("{url}?{MASK}"),
        _ => text.to_owned(),
    }
}

/// What is shown of a scalar; the flag is whether something around it is hidden.
type Show<'s> = &'s dyn Fn(&Node, &Scalar, bool) -> Scalar;

/// What is shown of a configuration.
#[derive(Clone, Copy)]
struct Policy<'s> {
    show: Show<'s>,
    is_hidden: &'s dyn Fn(&Node) -> bool,
}

fn write(node: &Node, notation: Notation, show: Show<'_>, is_hidden: &dyn Fn(&Node) -> bool) -> String {
    let policy = Policy { show, is_hidden };
    match notation {
        Notation::Json => format!("{:#}\n", json(node, policy, false)),
        Notation::Yaml => {
            let mut writer = Writer { out: String::new(), policy };
            writer.node(node, 0, false);
            // The document itself begins with no key in front of it.
            let text = writer.out.trim_start_matches(['\n', ' ']);
            format!("{text}\n")
        }
    }
}

/// A node as JSON. The depth is bounded by the reader's.
fn json(node: &Node, policy: Policy<'_>, is_hidden: bool) -> Json {
    let is_hidden = is_hidden || (policy.is_hidden)(node);
    match &node.value {
        Value::List(items) => items.iter().map(|item| json(item, policy, is_hidden)).collect(),
        Value::Map(entries) => {
            entries.iter().map(|Entry { key, node, .. }| (key.clone(), json(node, policy, is_hidden))).collect()
        }
        Value::Scalar(scalar) => {
            let scalar = (policy.show)(node, scalar, is_hidden);
            let number = match scalar.kind {
                Kind::Null => return Json::Null,
                Kind::Bool(flag) => return Json::Bool(flag),
                Kind::Text | Kind::Broken => None,
                Kind::Int(number) => serde_json::Number::from_i128(number),
                Kind::Float(number) => serde_json::Number::from_f64(number),
            };
            // What JSON has no number for is read from its text again.
            number.map_or(Json::String(scalar.text), Json::Number)
        }
    }
}

struct Writer<'s> {
    out: String,
    policy: Policy<'s>,
}

impl Writer<'_> {
    /// What follows a `key:` or a `-`. The depth is bounded by the reader's.
    fn node(&mut self, node: &Node, depth: usize, is_hidden: bool) {
        let is_hidden = is_hidden || (self.policy.is_hidden)(node);
        match &node.value {
            Value::Scalar(scalar) => {
                let scalar = (self.policy.show)(node, scalar, is_hidden);
                let text = scalar_of(&scalar);
                if !text.is_empty() {
                    self.out.push(' ');
                    self.out.push_str(&text);
                }
            }
            Value::List(items) if items.is_empty() => self.out.push_str(" []"),
            Value::Map(entries) if entries.is_empty() => self.out.push_str(" {}"),
            Value::List(items) => {
                for item in items {
                    self.line(depth);
                    self.out.push('-');
                    self.node(item, depth + 1, is_hidden);
                }
            }
            Value::Map(entries) => {
                for Entry { key, node, .. } in entries {
                    self.line(depth);
                    // Writing to a string does not fail.
                    write!(self.out, "{}:", word(key)).unwrap_or_default();
                    self.node(node, depth + 1, is_hidden);
                }
            }
        }
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", depth));
    }
}

fn scalar_of(scalar: &Scalar) -> Cow<'_, str> {
    match scalar.kind {
        Kind::Null => Cow::Borrowed(""),
        Kind::Text | Kind::Broken => word(&scalar.text).into(),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => Cow::Borrowed(&scalar.text),
    }
}

/// Text that YAML takes for that text.
fn word(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    // What YAML 1.1 or 1.2 takes for something else, and numbers such as `inf`.
    let is_other = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text));
    if is_plain && !is_other && text.parse::<f64>().is_err() { text.to_owned() } else { quoted(text) }
}

/// JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn parse(text: &str) -> Node {
        let report = Report::default();
        let (_, node) = Document::parse(String::new(), text.into(), 0, &report);
        assert!(!report.has_errors(), "{text}");
        node
    }

    /// Everything was read.
    fn see(node: &Node, report: &Report) {
        match &node.value {
            Value::Scalar(_) => report.see(node.at),
            Value::List(items) => items.iter().for_each(|item| see(item, report)),
            Value::Map(entries) => entries.iter().for_each(|entry| see(&entry.node, report)),
        }
    }

    const TEXT: &str = "\
a:
  b: \"true\"
  c: [1, 1.10, x y, [], {}, [p, q], {r: s, t: }]
  d: 0x1F
  on: \"a: b # c\\n\\t'\\\"\"
empty:
list:
- {}
- k/l.m: ~
  n: '007'
";

    #[test]
    fn what_is_printed_means_the_same() {
        let (node, report) = (parse(TEXT), Report::default());
        see(&node, &report);
        let printed = redacted(&node, &report, Notation::Yaml);
        assert_eq!(unredacted(&parse(&printed), Notation::Yaml), printed);
        let json = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(json(&printed), json(TEXT), "{printed}");
        assert!(printed.starts_with("a:\n  b: \"true\"\n"), "{printed}");
        assert!(printed.contains("- 1.10\n") && printed.contains("d: 0x1F\n"), "as it was written: {printed}");
        let printed = redacted(&node, &report, Notation::Json);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), json(TEXT), "{printed}");
        assert!(printed.starts_with("{\n  \"a\": {\n    \"b\": \"true\","), "{printed}");
        // It is YAML, too.
        assert_eq!(unredacted(&parse(&printed), Notation::Json), printed);
    }

    #[test]
    fn what_is_hidden_or_was_read_by_nobody_is_masked() {
        let text = "a: {b: secret, c: [secret, {d: 5, e: }]}\nf: 'http://u:secret@h'\ng: http://h/p?k=secret\n\
            h: $$x ${env:Y}\ni: secret\n";
        let (node, report) = (parse(text), Report::default());
        let Value::Map(entries) = &node.value else { panic!() };
        entries[..4].iter().for_each(|entry| see(&entry.node, &report));
        report.hide(entries[0].node.at);
        assert_eq!(
            redacted(&node, &report, Notation::Yaml),
            "a:\n  b: \"[REDACTED]\"\n  c:\n    - \"[REDACTED]\"\n    -\n      d: \"[REDACTED]\"\n      e:\n\
             f: \"[REDACTED]\"\ng: \"http://h/p?[REDACTED]\"\nh: \"$$x ${env:Y}\"\ni: \"[REDACTED]\"\n"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&redacted(&node, &report, Notation::Json)).unwrap(),
            serde_json::json!({
                "a": { "b": MASK, "c": [MASK, { "d": MASK, "e": null }] },
                "f": MASK,
                "g": format!("http://h/p?{MASK}"),
                "h": "$$x ${env:Y}",
                "i": MASK,
            })
        );
        assert!(unredacted(&parse("a: x$y"), Notation::Yaml).ends_with("\"x$$y\"\n"));
        assert!(unredacted(&parse("a: x$y"), Notation::Json).contains("\"x$$y\""));
        assert!(unredacted(&parse("a: [.inf, 99999999999999999999]"), Notation::Json).contains("\".inf\""));
    }
}

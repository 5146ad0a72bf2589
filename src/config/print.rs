//! A configuration written as YAML again, as `print-config` shows it: merged, with secrets masked and
//! the environment left as it was written, or with everything put in.

use std::fmt::Write;

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

/// As it was written, without what was read as a secret, or by nobody.
pub(super) fn redacted(node: &Node, report: &Report) -> String {
    let show = |node: &Node, scalar: &Scalar, is_hidden: bool| match !is_hidden && report.is_seen(node.at) {
        _ if scalar.kind == Kind::Null => String::new(),
        true => scalar_of(scalar, without_credentials(&scalar.text)),
        false => quoted(MASK),
    };
    write(node, &show, &|node| report.is_hidden(node.at))
}

/// With the environment put in, so that it means the same anywhere.
pub(super) fn unredacted(node: &Node) -> String {
    // What is put in is text: a `$` in it is one.
    write(node, &|_, scalar, _| scalar_of(scalar, scalar.text.replace('$', "$$")), &|_| false)
}

/// URLs may have credentials where nothing says that they are: before an `@`, in a query.
fn without_credentials(text: &str) -> String {
    match text.split_once('?') {
        _ if text.contains('@') => MASK.to_owned(),
        Some((url, _)) if text.contains("//") => format!("{url}?{MASK}"),
        _ => text.to_owned(),
    }
}

type Show<'s> = &'s dyn Fn(&Node, &Scalar, bool) -> String;

struct Writer<'s> {
    out: String,
    show: Show<'s>,
    is_hidden: &'s dyn Fn(&Node) -> bool,
}

fn write(node: &Node, show: Show<'_>, is_hidden: &dyn Fn(&Node) -> bool) -> String {
    let mut writer = Writer { out: String::new(), show, is_hidden };
    writer.node(node, 0, false);
    // The document itself begins with no key in front of it.
    let text = writer.out.trim_start_matches(['\n', ' ']);
    format!("{text}\n")
}

impl Writer<'_> {
    /// What follows a `key:` or a `-`. The depth is bounded by the reader's.
    fn node(&mut self, node: &Node, depth: usize, is_hidden: bool) {
        let is_hidden = is_hidden || (self.is_hidden)(node);
        match &node.value {
            Value::Scalar(scalar) => {
                let text = (self.show)(node, scalar, is_hidden);
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

fn scalar_of(scalar: &Scalar, text: String) -> String {
    match scalar.kind {
        Kind::Null => String::new(),
        Kind::Text | Kind::Broken => word(&text),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => text,
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
        let printed = redacted(&node, &report);
        assert_eq!(unredacted(&parse(&printed)), printed);
        let json = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(json(&printed), json(TEXT), "{printed}");
        assert!(printed.starts_with("a:\n  b: \"true\"\n"), "{printed}");
        assert!(printed.contains("- 1.10\n") && printed.contains("d: 0x1F\n"), "as it was written: {printed}");
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
            redacted(&node, &report),
            "a:\n  b: \"[REDACTED]\"\n  c:\n    - \"[REDACTED]\"\n    -\n      d: \"[REDACTED]\"\n      e:\n\
             f: \"[REDACTED]\"\ng: \"http://h/p?[REDACTED]\"\nh: \"$$x ${env:Y}\"\ni: \"[REDACTED]\"\n"
        );
        assert!(unredacted(&parse("a: x$y")).ends_with("\"x$$y\"\n"));
    }
}

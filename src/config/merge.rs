//! Several sources become one: mappings merge, everything else is replaced by the later source, as
//! in the Collector. A key `a::b` stands for `b` inside of `a`, which is how one line of
//! `--config=yaml:` reaches a nested key.

use super::document::{Entry, Node, Value};
use super::problem::{Finding, Report};

/// Between the keys of a path in one key.
const DELIMITER: &str = "::";

/// More parts than any configuration has levels; a longer one would nest without bound.
pub(super) const MAX_PARTS: usize = 16;

/// Puts `later` over `base`.
pub(super) fn into(base: &mut Node, later: Node) {
    match (&mut base.value, later) {
        (Value::Map(entries), Node { value: Value::Map(new), .. }) => {
            for entry in new {
                put(entries, entry);
            }
        }
        // A source that says nothing at all changes nothing.
        (Value::Map(_), later) if later.is_null() => {}
        (_, later) => *base = later,
    }
}

fn put(entries: &mut Vec<Entry>, entry: Entry) {
    match entries.iter_mut().find(|old| old.key == entry.key) {
        Some(old) if is_map(&old.node) && is_map(&entry.node) => into(&mut old.node, entry.node),
        Some(old) => *old = entry,
        None => entries.push(entry),
    }
}

fn is_map(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

/// Takes keys such as `exporters::debug::verbosity` apart.
pub(super) fn split_paths(node: Node, report: &Report) -> Node {
    let value = match node.value {
        Value::Scalar(scalar) => Value::Scalar(scalar),
        Value::List(items) => Value::List(items.into_iter().map(|item| split_paths(item, report)).collect()),
        Value::Map(entries) => {
            let mut split: Vec<Entry> = Vec::with_capacity(entries.len());
            for entry in entries {
                let inner = split_paths(entry.node, report);
                if !entry.key.contains(DELIMITER) {
                    let entry = Entry { node: inner, ..entry };
                    // `put` looks for the key in all others: only where a path came before.
                    if split.iter().any(|old| old.key == entry.key) {
                        put(&mut split, entry);
                    } else {
                        split.push(entry);
                    }
                    continue;
                }
                let parts: Vec<&str> = entry.key.split(DELIMITER).collect();
                if parts.len() > MAX_PARTS || parts.contains(&"") {
                    report.add(
                        Finding::error(entry.key_at, "", "is not a path of keys")
                            .expected(format!("at most {MAX_PARTS} keys with :: between them")),
                    );
                    continue;
                }
                let nested = parts.iter().rev().fold(inner, |node, part| Node {
                    at: entry.key_at,
                    value: Value::Map(vec![Entry { key: (*part).to_owned(), key_at: entry.key_at, node }]),
                    secret: false,
                });
                if let Value::Map(path) = nested.value {
                    path.into_iter().for_each(|entry| put(&mut split, entry));
                }
            }
            Value::Map(split)
        }
    };
    Node { value, ..node }
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn parse(text: &str) -> Node {
        let report = Report::default();
        let (_, node) = Document::parse(String::new(), text.into(), 0, &report);
        let node = split_paths(node, &report);
        assert!(!report.has_errors(), "{text}");
        node
    }

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Scalar(scalar) => scalar.text.clone(),
            Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
            Value::Map(entries) => {
                let inner: Vec<_> =
                    entries.iter().map(|entry| format!("{}:{}", entry.key, show(&entry.node))).collect();
                format!("{{{}}}", inner.join(" "))
            }
        }
    }

    #[test]
    fn maps_merge_and_lists_are_replaced() {
        for (base, later, merged) in [
            ("a: {b: 1, c: 2}", "a: {c: 3, d: 4}", "{a:{b:1 c:3 d:4}}"),
            ("a: [1, 2]", "a: [3]", "{a:[3]}"),
            ("a: {b: 1}", "a: 2", "{a:2}"),
            ("a: {b: 1}", "a:", "{a:}"),
            ("a: 1", "", "{a:1}"),
            ("a: {b: {c: 1}}", "a::b::d: 2", "{a:{b:{c:1 d:2}}}"),
        ] {
            let mut node = parse(base);
            into(&mut node, parse(later));
            assert_eq!(show(&node), merged, "{base} + {later}");
        }
    }

    #[test]
    fn a_path_in_a_key_meets_its_siblings() {
        assert_eq!(show(&parse("a::b: 1\na::c: 2\na: {d: 3}")), "{a:{b:1 c:2 d:3}}");
    }

    #[test]
    fn a_path_is_bounded() {
        let report = Report::default();
        let text = format!("{}x: 1", "a::".repeat(10_000));
        let (_, node) = Document::parse(String::new(), text, 0, &report);
        split_paths(node, &report);
        assert!(report.has_errors());
    }
}

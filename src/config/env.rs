//! The environment in a configuration, by the Collector's rules: `${env:NAME}`,
//! `${env:NAME:-default}`, `${NAME}`, and `$$` for a `$`. Substitution comes after parsing, in
//! values only. A value that is nothing but one substitution takes the type that YAML gives to the
//! variable's content; text around it makes it text. What a variable holds is taken as it is: a
//! `$` in a password is a `$`.

use super::document::{At, Kind, Node, Scalar, Value, parse_value};
use super::problem::{Finding, Report};

/// Looks a variable up. Injected, so that nothing below `main` reads the process's environment.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Substitutions inside of defaults inside of defaults.
const MAX_NESTING: usize = 8;

/// The longest text that substitution may build.
const MAX_EXPANDED: usize = 1 << 20;

/// Substitutes everywhere below `node`.
pub(super) fn expand(node: &mut Node, environment: Environment<'_>, report: &Report) {
    let mut left = MAX_EXPANDED;
    walk(node, &mut String::new(), &mut Expander { environment, report, left: &mut left });
}

struct Expander<'x> {
    environment: Environment<'x>,
    report: &'x Report,
    /// Bytes that may still be put in.
    left: &'x mut usize,
}

/// `path` is one buffer for the whole walk: only a mistake needs a copy of it.
fn walk(node: &mut Node, path: &mut String, expander: &mut Expander<'_>) {
    let here = path.len();
    match &mut node.value {
        Value::Scalar(scalar) if scalar.text.contains('$') => {
            let text = std::mem::take(&mut scalar.text);
            match expander.scalar(&text, node.at) {
                Ok(expanded) => *node = expanded,
                Err(mistake) => {
                    let finding = Finding::error(node.at, path.clone(), mistake.message);
                    expander.report.add(Finding { help: mistake.help, ..finding });
                    // Not null: the key's own check would call it missing.
                    scalar.kind = Kind::Broken;
                }
            }
        }
        Value::Scalar(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push_str(&format!("[{index}]"));
                walk(item, path, expander);
                path.truncate(here);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                if here > 0 {
                    path.push('.');
                }
                path.push_str(&entry.key);
                walk(&mut entry.node, path, expander);
                path.truncate(here);
            }
        }
    }
}

struct Mistake {
    message: String,
    help: Option<String>,
}

impl Mistake {
    fn new(message: impl Into<String>) -> Mistake {
        Mistake { message: message.into(), help: None }
    }
}

impl Expander<'_> {
    fn scalar(&mut self, text: &str, at: At) -> Result<Node, Mistake> {
        if let Some(inside) = text.strip_prefix("${")
            && let Some((reference, "")) = split_at_close(inside)
        {
            let value = self.reference(reference, 0)?;
            return Ok(typed(value, at));
        }
        let (text, secret) = self.text(text, 0)?;
        Ok(Node { at, value: Value::Scalar(Scalar { text, kind: Kind::Text }), secret })
    }

    /// Text with substitutions in it, and whether there was one.
    fn text(&mut self, text: &str, depth: usize) -> Result<(String, bool), Mistake> {
        let mut out = String::with_capacity(text.len());
        let mut substituted = false;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(inside) = after.strip_prefix('{') {
                let (reference, after) = split_at_close(inside).ok_or_else(|| Mistake::new("a ${ without its }"))?;
                out.push_str(&self.reference(reference, depth)?);
                substituted = true;
                rest = after;
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        Ok((out, substituted))
    }

    /// What stands for `env:NAME:-default`.
    fn reference(&mut self, reference: &str, depth: usize) -> Result<String, Mistake> {
        if depth >= MAX_NESTING {
            return Err(Mistake::new("defaults stand in defaults too deeply"));
        }
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        let name = match name.split_once(':') {
            None => name,
            Some(("env", name)) => name,
            Some((scheme, _)) => {
                return Err(Mistake {
                    message: format!("${{{scheme}:...}} is not supported"),
                    help: Some("only the environment can be put in: ${env:NAME} or ${env:NAME:-default}".to_owned()),
                });
            }
        };
        if !is_name(name) {
            return Err(Mistake::new(format!(
                "{name:?} is not the name of a variable; expected letters, digits and _, not beginning with a digit"
            )));
        }
        let value = match ((self.environment)(name), default) {
            (Some(value), _) => value,
            (None, Some(default)) => self.text(default, depth + 1)?.0,
            (None, None) => {
                return Err(Mistake {
                    message: format!("the environment variable {name} is not set"),
                    help: Some(format!("set it, or give a default: ${{env:{name}:-default}}")),
                });
            }
        };
        *self.left = self
            .left
            .checked_sub(value.len())
            .ok_or_else(|| Mistake::new(format!("the environment puts in more than {MAX_EXPANDED} bytes")))?;
        Ok(value)
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 256
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Splits what follows `${` at its `}`; a default may hold substitutions of its own.
fn split_at_close(inside: &str) -> Option<(&str, &str)> {
    let mut open = 0usize;
    let mut before = ' ';
    for (index, character) in inside.char_indices() {
        match character {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some((inside.get(..index)?, inside.get(index + 1..)?)),
            '}' => open -= 1,
            _ => {}
        }
        before = character;
    }
    None
}

/// What YAML makes of a variable's content. Only what is clearly a scalar, or a collection in
/// brackets, changes its type; the rest is text as it is.
fn typed(text: String, at: At) -> Node {
    let alone = text.trim();
    if alone.is_empty() {
        return Node { secret: true, ..Node::nothing(at) };
    }
    let as_text = |text, kind| Node { at, value: Value::Scalar(Scalar { text, kind }), secret: true };
    // `#`, quotes and `&` mean something in YAML, and nothing in a password.
    let is_plain = alone.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
    let is_collection = alone.starts_with(['[', '{']);
    if !is_plain && !is_collection {
        return as_text(text, Kind::Text);
    }
    match parse_value(alone, at) {
        Some(node) => match node.value {
            Value::Scalar(Scalar { kind, .. }) => as_text(text, kind),
            Value::List(_) | Value::Map(_) => node,
        },
        None => as_text(text, Kind::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "HOST" => "jaeger",
            "PORT" => "4317",
            "YES" => "true",
            "EMPTY" => "",
            "LIST" => "[otlp, debug]",
            "PASSWORD" => "pa$$wo#rd: ${env:HOST}",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn scalar(text: &str) -> Result<Node, String> {
        let report = Report::default();
        let at = At::default();
        let mut node = Node { at, value: Value::Scalar(Scalar { text: text.into(), kind: Kind::Text }), secret: false };
        expand(&mut node, &environment, &report);
        match report.into_findings().pop() {
            Some(finding) => Err(finding.message),
            None => Ok(node),
        }
    }

    fn text(text: &str) -> (String, Kind) {
        match scalar(text).unwrap().value {
            Value::Scalar(scalar) => (scalar.text, scalar.kind),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_collectors_forms() {
        for (written, expanded, kind) in [
            ("${env:HOST}", "jaeger", Kind::Text),
            ("${HOST}", "jaeger", Kind::Text),
            ("http://${env:HOST}:${env:PORT}/x", "http://jaeger:4317/x", Kind::Text),
            ("${env:PORT}", "4317", Kind::Int(4317)),
            ("${env:YES}", "true", Kind::Bool(true)),
            ("${env:NOBODY:-5s}", "5s", Kind::Text),
            ("${env:NOBODY:-12}", "12", Kind::Int(12)),
            ("${env:NOBODY:-}", "", Kind::Null),
            ("${env:NOBODY:-http://a:1}", "http://a:1", Kind::Text),
            ("${env:NOBODY:-${env:HOST}:1}", "jaeger:1", Kind::Text),
            // A variable that is set but empty is set.
            ("${env:EMPTY:-x}", "", Kind::Null),
            ("x${env:EMPTY}y", "xy", Kind::Text),
            ("$$", "$", Kind::Text),
            ("$${env:HOST}", "${env:HOST}", Kind::Text),
            ("$$$${env:HOST}", "$${env:HOST}", Kind::Text),
            ("a$b", "a$b", Kind::Text),
            ("100$", "100$", Kind::Text),
            ("${env:PASSWORD}", "pa$$wo#rd: ${env:HOST}", Kind::Text),
        ] {
            assert_eq!(text(written), (expanded.to_owned(), kind), "{written}");
        }
    }

    #[test]
    fn a_list_may_come_from_the_environment() {
        let node = scalar("${env:LIST}").unwrap();
        assert!(matches!(&node.value, Value::List(items) if items.len() == 2 && items[0].secret));
    }

    #[test]
    fn what_cannot_be_put_in_is_said() {
        for (written, message) in [
            ("${env:NOBODY}", "the environment variable NOBODY is not set"),
            ("${file:/etc/x}", "${file:...} is not supported"),
            ("${env:1X}", "\"1X\" is not the name of a variable"),
            ("${env:}", "\"\" is not the name of a variable"),
            ("x${env:HOST", "a ${ without its }"),
        ] {
            let said = scalar(written).unwrap_err();
            assert!(said.starts_with(message), "{written}: {said}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}x{}", "${env:N:-".repeat(5_000), "}".repeat(5_000));
        assert!(scalar(&deep).unwrap_err().contains("too deeply"));
    }
}

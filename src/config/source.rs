//! Where a configuration comes from: the forms that `--config` takes. What is in it is
//! [`super::document`]'s.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::env::Environment;
use super::merge::MAX_PARTS;

/// The longest configuration. A large Collector configuration has some 100 KiB; the bound keeps
/// the time of `validate` and the memory of a hostile file small.
pub(super) const MAX_BYTES: usize = 512 << 10;

/// One `--config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `path` or `file:path`.
    File(PathBuf),
    /// `env:NAME`: the variable holds the YAML itself.
    Env(String),
    /// `yaml:text`: the YAML itself, `exporters::debug::verbosity: detailed` in one line.
    Yaml(String),
    /// What a file held when it was looked at, or why that cannot be said.
    Seen {
        /// The file.
        path: PathBuf,
        /// The YAML.
        text: Result<String, String>,
    },
    /// `--set key.path=value`, as a document of that one value.
    Set {
        /// The keys, as they were given.
        path: String,
        /// The YAML.
        text: String,
    },
    /// A text of the program's own.
    Embedded {
        /// How messages name it.
        name: &'static str,
        /// The YAML.
        text: &'static str,
    },
    /// A text that the program made of something else, so that its lines mean nothing to people.
    Made {
        /// What it was made of.
        of: &'static str,
        /// The YAML.
        text: String,
    },
}

impl Source {
    /// Reads an argument of `--config`.
    ///
    /// # Errors
    /// A scheme that is not one of `file:`, `env:`, `yaml:`.
    pub fn parse(argument: &str) -> Result<Source, String> {
        match argument.split_once(':') {
            Some(("file", path)) => Ok(Source::File(path.into())),
            Some(("env", name)) => Ok(Source::Env(name.to_owned())),
            Some(("yaml", text)) => Ok(Source::Yaml(text.to_owned())),
            Some((scheme @ ("http" | "https"), _)) => Err(format!(
                "--config={scheme}:...: a configuration is not fetched from the network; expected a path, file:, env: or yaml:"
            )),
            // A single letter is a drive, not a scheme.
            _ => Ok(Source::File(argument.into())),
        }
    }

    /// Reads an argument of `--set`, by the Collector's rules: keys with `.` (or `::`) between them, and the
    /// value as it would stand behind the last key's `:`. Beyond them, `\.`, `\=` and `\\` in a key are
    /// the character itself, without which nothing could be set in `otlp/eu.west`.
    ///
    /// # Errors
    /// No `=`, no path of keys, more than one line.
    pub fn parse_set(argument: &str) -> Result<Source, String> {
        const EXPECTED: &str = "expected key.path=value, such as processors.memory_limiter.limit_mib=512";
        let (keys, value) = split_set(argument).ok_or_else(|| format!("--set {argument}: has no =; {EXPECTED}"))?;
        let path = argument.get(..argument.len() - value.len() - 1).unwrap_or_default().trim().to_owned();
        if keys.len() > MAX_PARTS || keys.iter().any(String::is_empty) {
            return Err(format!("--set {path}: is not a path of keys; {EXPECTED}"));
        }
        let value = value.trim();
        if value.contains(['\n', '\r']) {
            return Err(format!(
                "--set {path}: the value has more than one line; lists are [a, b], mappings {{ a: b }}"
            ));
        }
        let mut text = String::new();
        for (depth, key) in keys.iter().enumerate() {
            // JSON's strings are YAML's.
            let line = if depth == 0 { "" } else { "\n" };
            text += &format!("{line}{}{}:", " ".repeat(depth), serde_json::Value::from(key.as_str()));
        }
        Ok(Source::Set { path, text: format!("{text} {value}\n") })
    }

    /// Whether it is a `--set`, which stands on a configuration rather than being one.
    pub fn is_set(&self) -> bool {
        matches!(self, Source::Set { .. })
    }

    /// Whether its lines mean nothing to people.
    pub(super) fn is_made(&self) -> bool {
        matches!(self, Source::Made { .. } | Source::Set { .. })
    }

    /// The source as it is at this moment: of a file, what is in it, wherever symlinks lead now. Two
    /// looks at a file are equal if it held the same.
    #[must_use]
    pub fn seen(&self) -> Source {
        match self {
            Source::File(path) | Source::Seen { path, .. } => {
                Source::Seen { path: path.clone(), text: read_file(path) }
            }
            other => other.clone(),
        }
    }

    /// Whether it may hold something else later.
    pub fn is_file(&self) -> bool {
        matches!(self, Source::File(_) | Source::Seen { .. })
    }

    /// How messages name it.
    pub fn label(&self) -> String {
        match self {
            Source::File(path) | Source::Seen { path, .. } => path.display().to_string(),
            Source::Env(name) => format!("env:{name}"),
            Source::Yaml(_) => "yaml:".to_owned(),
            Source::Set { path, .. } => format!("--set {path}"),
            Source::Embedded { name, .. } => (*name).to_owned(),
            Source::Made { of, .. } => (*of).to_owned(),
        }
    }

    /// The text, without a byte-order mark.
    pub(super) fn read(&self, environment: Environment<'_>) -> Result<String, String> {
        let text = match self {
            Source::File(path) => read_file(path)?,
            Source::Seen { text, .. } => text.clone()?,
            Source::Env(name) => environment(name).ok_or("the variable is not set; expected a configuration in it")?,
            Source::Yaml(text) | Source::Set { text, .. } | Source::Made { text, .. } => text.clone(),
            Source::Embedded { text, .. } => (*text).to_owned(),
        };
        if text.len() > MAX_BYTES {
            return Err(format!("more than {MAX_BYTES} bytes; a configuration is smaller than that"));
        }
        Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        })
    }
}

/// The keys of a `--set`, and what is behind its first `=`.
fn split_set(argument: &str) -> Option<(Vec<String>, &str)> {
    let mut keys = vec![String::new()];
    let mut characters = argument.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let key = keys.last_mut()?;
        match (character, next) {
            ('\\', Some(escaped @ ('.' | '=' | '\\'))) => {
                characters.next();
                key.push(escaped);
            }
            ('=', _) => {
                keys.iter_mut().for_each(|key| *key = key.trim().to_owned());
                return Some((keys, argument.get(at + 1..)?));
            }
            ('.', _) => keys.push(String::new()),
            (':', Some(':')) => {
                characters.next();
                keys.push(String::new());
            }
            (character, _) => key.push(character),
        }
    }
    None
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    // One byte more than allowed, so that the caller sees that there was more.
    match file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err("is not UTF-8 text; expected YAML in UTF-8".to_owned())
        }
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collectors_schemes() {
        assert_eq!(Source::parse("a.yaml"), Ok(Source::File("a.yaml".into())));
        assert_eq!(Source::parse("file:a.yaml"), Ok(Source::File("a.yaml".into())));
        assert_eq!(Source::parse("env:OTEL_CONFIG"), Ok(Source::Env("OTEL_CONFIG".into())));
        assert_eq!(Source::parse("yaml:a: b"), Ok(Source::Yaml("a: b".into())));
        assert_eq!(Source::parse(r"C:\a.yaml"), Ok(Source::File(r"C:\a.yaml".into())));
        assert_eq!(Source::parse("env:A:B"), Ok(Source::Env("A:B".into())));
        assert!(Source::parse("https://example.com/a.yaml").is_err_and(|error| error.contains("not fetched")));
    }

    #[test]
    fn a_set_is_a_document_of_one_value() {
        let set = |argument: &str| match Source::parse_set(argument) {
            Ok(Source::Set { path, text }) => Ok((path, text)),
            Ok(other) => panic!("{other:?}"),
            Err(problem) => Err(problem),
        };
        for (argument, path, text) in [
            ("a.b.c=1", "a.b.c", "\"a\":\n \"b\":\n  \"c\": 1\n"),
            ("a::b = [x, y] ", "a::b", "\"a\":\n \"b\": [x, y]\n"),
            (
                r"exporters.otlp/eu\.west.endpoint=a:1",
                r"exporters.otlp/eu\.west.endpoint",
                "\"exporters\":\n \"otlp/eu.west\":\n  \"endpoint\": a:1\n",
            ),
            (r"a.b\=c=d=e", r"a.b\=c", "\"a\":\n \"b=c\": d=e\n"),
            ("a.\"b=", "a.\"b", "\"a\":\n \"\\\"b\": \n"),
        ] {
            assert_eq!(set(argument), Ok((path.to_owned(), text.to_owned())), "{argument}");
        }
        for (argument, problem) in [
            ("a.b", "--set a.b: has no =; "),
            ("=1", "--set : is not a path of keys; "),
            ("a..b=hunter2", "--set a..b: is not a path of keys; "),
            ("a.b=1\nc: 2", "--set a.b: the value has more than one line; "),
        ] {
            let said = set(argument).unwrap_err();
            assert!(said.starts_with(problem) && !said.contains("hunter2"), "{said}");
        }
        assert!(set(&format!("{}=1", "a.".repeat(1 << 20))).is_err());
    }
}

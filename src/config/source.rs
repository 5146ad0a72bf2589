//! Where a configuration comes from: the forms that `--config` takes. What is in it is
//! [`super::document`]'s.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::env::Environment;

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
    pub(super) fn label(&self) -> String {
        match self {
            Source::File(path) | Source::Seen { path, .. } => path.display().to_string(),
            Source::Env(name) => format!("env:{name}"),
            Source::Yaml(_) => "yaml:".to_owned(),
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
            Source::Yaml(text) | Source::Made { text, .. } => text.clone(),
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
        assert!(Source::parse("https://example.com/a.yaml").is_err_and(|error| error.contains("not fetched")));
    }
}

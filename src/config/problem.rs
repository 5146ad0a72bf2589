//! What is wrong with a configuration, and where: one line each, as `validate` prints it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use super::document::{At, Document};

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's path as it was given, or `env:NAME`, or `yaml:`.
    pub source: String,
    /// Line and column, from 1; `None` if the source as a whole is meant.
    pub position: Option<(usize, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        Ok(())
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The keys that lead there, such as `exporters.otlp/jaeger.sending_queue.queue_size`; empty
    /// if the source as a whole is meant.
    pub path: String,
    /// What is wrong. Never holds a value of the environment or of a header.
    pub message: String,
    /// What was expected.
    pub expected: Option<String>,
    /// What to do about it, such as `did you mean endpoint?`.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        self.write_rest(f)
    }
}

impl Problem {
    fn write_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

/// Something that works but probably not as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub Problem);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: warning: ", self.0.place)?;
        self.0.write_rest(f)
    }
}

/// Every mistake that was found; a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// In the order of the sources and of the places in them. Never empty.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Error,
    Warning,
}

/// A problem or warning whose line is not known yet: lines are found only for what is told.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) at: At,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) expected: Option<String>,
    pub(super) help: Option<String>,
}

impl Finding {
    pub(super) fn error(at: At, path: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            at,
            path: path.into(),
            message: message.into(),
            expected: None,
            help: None,
        }
    }

    pub(super) fn warning(at: At, path: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, ..Finding::error(at, path, message) }
    }

    pub(super) fn expected(self, expected: impl Into<String>) -> Finding {
        Finding { expected: Some(expected.into()), ..self }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Finding {
        Finding { help: Some(help.into()), ..self }
    }

    pub(super) fn placed(self, documents: &[Document]) -> Problem {
        let place = match documents.get(usize::from(self.at.source)) {
            Some(document) => Place { source: document.label().to_owned(), position: document.locate(self.at) },
            None => Place { source: "configuration".to_owned(), position: None },
        };
        Problem { place, path: self.path, message: self.message, expected: self.expected, help: self.help }
    }
}

/// How many findings are held at most; a hostile file has a mistake in every node.
const MOST_HELD: usize = 1000;

/// Where everything that reads the configuration puts what it finds.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: RefCell<Vec<Finding>>,
    /// Where secrets stand, or may.
    hidden: RefCell<HashSet<At>>,
    /// What somebody read as no secret.
    seen: RefCell<HashSet<At>>,
    errors: Cell<bool>,
}

impl Report {
    pub(super) fn add(&self, finding: Finding) {
        self.errors.set(self.errors.get() || finding.severity == Severity::Error);
        let mut findings = self.findings.borrow_mut();
        if findings.len() < MOST_HELD {
            findings.push(finding);
        }
    }

    /// What stands there, and below, is never shown.
    pub(super) fn hide(&self, at: At) {
        self.hidden.borrow_mut().insert(at);
    }

    /// What stands there is no secret, unless it is hidden as well.
    pub(super) fn see(&self, at: At) {
        self.seen.borrow_mut().insert(at);
    }

    pub(super) fn is_hidden(&self, at: At) -> bool {
        self.hidden.borrow().contains(&at)
    }

    pub(super) fn is_seen(&self, at: At) -> bool {
        self.seen.borrow().contains(&at)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors.get()
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        findings.sort_by_key(|finding| finding.at);
        findings
    }
}

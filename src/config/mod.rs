//! YAML as people write it, read with the place of every value, so that every mistake is reported
//! at once with file, line, column and path.
//!
//! [`Config`] loads the sources of `--config`, merges them and puts the environment in; a
//! [`Section`] is one mapping of it, from which a component takes its keys. This floor knows no
//! component: each component reads its own section in its own `settings` file, and
//! `service::plan` puts the sections together.

mod document;
mod env;
mod expression;
mod merge;
mod nearest;
mod print;
mod problem;
mod scalar;
mod secret;
mod section;
mod source;

pub use env::Environment;
pub use nearest::nearest;
pub use print::{Notation, Shown};
pub use problem::{Place, Problem, Problems, Warning};
pub use scalar::duration;
pub use secret::Secret;
pub use section::{Field, Section};
pub use source::Source;

use document::{At, Document, Node};
use problem::{Finding, Report, Severity};

/// The most problems and the most warnings that are told of one configuration. Finding the line of
/// one costs a parse of its file, and nobody mends more in one go.
const MOST_TOLD: usize = 50;

/// A loaded configuration: the sources merged, the environment put in, nothing checked yet.
#[derive(Debug)]
pub struct Config {
    documents: Vec<Document>,
    /// Before the environment was put in.
    written: Node,
    root: Node,
    report: Report,
    is_readable: bool,
}

impl Config {
    /// Reads, merges and expands `sources`; later ones win. What is wrong with them is told by
    /// [`Config::finish`], together with everything that is found in between.
    pub fn load(sources: &[Source], environment: Environment<'_>) -> Config {
        let report = Report::default();
        let mut documents = Vec::new();
        let mut root = Node::nothing(At::default());
        for source in sources {
            let number = u16::try_from(documents.len()).unwrap_or(u16::MAX);
            let label = source.label();
            match source.read(environment) {
                Ok(text) => {
                    let (mut document, node) = Document::parse(label, text, number, &report);
                    if source.is_made() {
                        document.hide_lines();
                    }
                    documents.push(document);
                    merge::into(&mut root, merge::split_paths(node, &report));
                }
                Err(message) => {
                    documents.push(Document::unread(label));
                    report.add(Finding::error(At::whole(number), "", message));
                }
            }
        }
        if documents.is_empty() {
            report.add(Finding::error(At::default(), "", "there is no configuration"));
        }
        let written = root.clone();
        env::expand(&mut root, environment, &report);
        let is_readable = !documents.is_empty() && documents.iter().all(Document::is_readable);
        Config { documents, written, root, report, is_readable }
    }

    /// The whole configuration as a section.
    pub fn root(&self) -> Section<'_> {
        Section::root(&self.report, &self.root)
    }

    /// Whether every source could be read and parsed. Of one that could not, nothing is known, so
    /// that looking for missing parts would only find consequences.
    pub fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// The merged configuration. Without secrets that is what was read as none, so that it shows
    /// something only after every section was read.
    pub fn print(&self, shown: Shown, notation: Notation) -> String {
        match shown {
            Shown::Redacted => print::redacted(&self.written, &self.report, notation),
            Shown::Unredacted => print::unredacted(&self.root, notation),
        }
    }

    /// The warnings, in the order of the sources.
    ///
    /// # Errors
    /// The problems, if there is one.
    pub fn finish(self) -> Result<Vec<Warning>, Problems> {
        match self.told() {
            (problems, warnings) if problems.problems.is_empty() => Ok(warnings),
            (problems, _) => Err(problems),
        }
    }

    /// What is wrong with a configuration that is not readable.
    pub fn into_problems(self) -> Problems {
        self.told().0
    }

    fn told(self) -> (Problems, Vec<Warning>) {
        let (errors, warnings): (Vec<_>, Vec<_>) =
            self.report.into_findings().into_iter().partition(|finding| finding.severity == Severity::Error);
        let more = errors.len().saturating_sub(MOST_TOLD);
        let placed = |finding: Finding| finding.placed(&self.documents);
        let problems = errors.into_iter().take(MOST_TOLD).map(placed).collect();
        let warnings = warnings.into_iter().take(MOST_TOLD).map(placed).map(Warning).collect();
        (Problems { problems, more }, warnings)
    }
}

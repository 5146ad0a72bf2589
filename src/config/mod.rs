//! YAML as people write it, read with the place of every value, so that every mistake is reported
//! at once with file, line, column and path.
//!
//! [`Config`] loads the sources of `--config`, merges them and puts the environment in; a
//! [`Section`] is one mapping of it, from which a component takes its keys. This floor knows no
//! component: each component reads its own section in its own `settings` file, and
//! `service::plan` puts the sections together.

mod document;
mod env;
mod merge;
mod nearest;
mod problem;
mod scalar;
mod section;
mod source;

pub use env::Environment;
pub use nearest::nearest;
pub use problem::{Place, Problem, Problems, Warning};
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
    root: Node,
    report: Report,
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
                    let (document, node) = Document::parse(label, text, number, &report);
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
        env::expand(&mut root, environment, &report);
        Config { documents, root, report }
    }

    /// The whole configuration as a section.
    pub fn root(&self) -> Section<'_> {
        Section::root(&self.report, &self.root)
    }

    /// Whether nothing wrong was found so far.
    pub fn is_sound(&self) -> bool {
        !self.report.has_errors()
    }

    /// Everything that was found, in the order of the files.
    ///
    /// # Errors
    /// The problems, if there is one.
    pub fn finish(self) -> Result<Vec<Warning>, Problems> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let (mut more_problems, mut more_warnings) = (0, 0);
        for finding in self.report.into_findings() {
            let (told, more) = match finding.severity {
                Severity::Error => (&mut problems, &mut more_problems),
                Severity::Warning => (&mut warnings, &mut more_warnings),
            };
            if told.len() < MOST_TOLD {
                told.push(finding.placed(&self.documents));
            } else {
                *more += 1;
            }
        }
        if problems.is_empty() {
            return Ok(warnings.into_iter().map(Warning).collect());
        }
        Err(Problems { problems, more: more_problems })
    }
}

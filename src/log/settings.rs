//! `service.telemetry.logs`: the Collector's keys, as far as they mean something here, and `levels`.

use tracing::level_filters::LevelFilter;

use super::form::{Encoding, KEYS};
use super::levels::{LEVELS, Levels};
use super::output::To;
use super::repeats::Sampling;
use super::targets;
use crate::config::{Field, Section};

/// The section, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// `level` and `levels`.
    pub levels: Levels,
    /// `encoding`.
    pub encoding: Encoding,
    /// `output_paths`.
    pub outputs: Vec<To>,
    /// `sampling`.
    pub sampling: Sampling,
    /// `initial_fields`, each with its text.
    pub initial_fields: Vec<(String, String)>,
}

impl Default for Logs {
    fn default() -> Self {
        Logs {
            levels: Levels { general: Some(LevelFilter::INFO), parts: Vec::new() },
            encoding: Encoding::default(),
            outputs: vec![To::Stderr],
            sampling: Sampling::default(),
            initial_fields: Vec::new(),
        }
    }
}

/// A log has one or two.
const MOST_OUTPUTS: usize = 8;
const MOST_FIELDS: usize = 32;
const ENCODINGS: &[(&str, Encoding)] = &[("console", Encoding::Console), ("json", Encoding::Json)];

impl Logs {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> Logs {
        let default = Logs::default();
        let general = section.choice("level", LEVELS).or(default.levels.general);
        let parts = section.section("levels").map(|mut section| parts(&mut section)).unwrap_or_default();
        let logs = Logs {
            levels: Levels { general, parts },
            encoding: section.choice("encoding", ENCODINGS).unwrap_or(default.encoding),
            outputs: outputs(section).unwrap_or(default.outputs),
            sampling: section.section("sampling").map_or(default.sampling, |mut section| sampling(&mut section)),
            initial_fields: section
                .section("initial_fields")
                .map(|mut section| fields(&mut section))
                .unwrap_or_default(),
        };
        section.without_effect(&[
            ("error_output_paths", "what is wrong with the log itself is said on standard error"),
            ("development", "there is one form of logs for each encoding"),
            ("disable_caller", "lines have no caller"),
            ("disable_stacktrace", "lines have no stack trace"),
            ("disable_zap_resource", "lines carry no resource"),
            ("processors", "logs go to output_paths"),
        ]);
        logs
    }
}

fn parts(section: &mut Section<'_>) -> Vec<(usize, LevelFilter)> {
    let mut parts = Vec::new();
    for (name, field) in section.entries() {
        match targets::named(name) {
            Some(part) => parts.extend(field.choice(LEVELS).map(|level| (part, level))),
            None => field.refuse_key_word(name, "is no part of the program that writes lines", targets::names()),
        }
    }
    parts
}

fn outputs(section: &mut Section<'_>) -> Option<Vec<To>> {
    let field = section.field("output_paths").filter(|field| !field.is_null())?;
    let paths = field.list()?;
    if paths.is_empty() || paths.len() > MOST_OUTPUTS {
        field.refuse(
            format!("has {} places", paths.len()),
            format!("1 to {MOST_OUTPUTS}: stderr, stdout, or a file's path"),
        );
        return None;
    }
    paths.iter().map(output).collect()
}

fn output(field: &Field<'_>) -> Option<To> {
    let text = field.text()?;
    let path = match text.split_once("://") {
        Some(("file", path)) => path,
        Some(_) => {
            field.refuse("is not a place for a log", "stderr, stdout, a file's path, or file:///path");
            return None;
        }
        None => &text,
    };
    match path {
        "stderr" => Some(To::Stderr),
        "stdout" => Some(To::Stdout),
        "" => {
            field.refuse("is not a place for a log", "stderr, stdout, or a file's path");
            None
        }
        path => Some(To::File(path.into())),
    }
}

fn sampling(section: &mut Section<'_>) -> Sampling {
    let default = Sampling::default();
    let sampling = Sampling {
        enabled: section.boolean("enabled").unwrap_or(default.enabled),
        tick: section.interval("tick").unwrap_or(default.tick),
        initial: section.whole("initial", "lines", 1..=10_000).unwrap_or(default.initial),
    };
    section
        .without_effect(&[("thereafter", "the same line is counted, and the count is said at the end of each tick")]);
    sampling
}

fn fields(section: &mut Section<'_>) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (name, field) in section.entries() {
        if KEYS.contains(&name) {
            field.refuse_key("is a key that every line has of its own", "give it another name");
        } else if fields.len() == MOST_FIELDS {
            field.refuse_key("is one field too many", format!("{MOST_FIELDS} at most"));
            break;
        } else {
            fields.extend(field.text().map(|text| (name.to_owned(), text)));
        }
    }
    fields
}

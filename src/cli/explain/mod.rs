//! `dragoman explain`: recorded telemetry before and after translation, key by key, with the rule.
//!
//! [`input`] reads what was recorded, [`report`] sends it through the stages of a pipeline and says what
//! they note, as data, [`text`] tells it to people with the [`values`] in their words. The stages are those
//! that a running program is made of ([`Trial`]).

mod input;
pub(super) mod keys;
mod metric_text;
mod metrics;
mod record_text;
mod records;
pub(super) mod report;
mod spans;
pub(super) mod text;
pub(super) mod values;

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use super::paint::Paint;
use super::{ConfigOptions, EXIT_CONFIGURATION, Explain, Format, load};
use crate::service::plan::{Plan, ProcessorSettings};
use crate::service::trial::Trial;
use report::Report;

const FROM_TERMINAL: &str = "\
dragoman explain reads recorded OTLP from a file or from standard input, which is a terminal here:
  dragoman explain traces.pb
  dragoman explain telemetry.jsonl
  curl -s https://example.com/trace.json | dragoman explain -";

pub(super) fn run(explain: &Explain, config: &ConfigOptions) -> ExitCode {
    let plan = match plan(explain, config) {
        Ok(plan) => plan,
        Err(problems) => return refuse(&problems),
    };
    let file = explain.file.as_deref().filter(|path| *path != Path::new("-"));
    if explain.file.is_none() && io::stdin().is_terminal() {
        return refuse(FROM_TERMINAL);
    }
    let name = file.map_or("standard input".to_owned(), |path| path.display().to_string());
    let report = input::read(file).and_then(|input| {
        report::report(&input.requests, &Trial::of(&plan), explain.all).map_err(|error| error.to_string())
    });
    let report = match report {
        Ok(report) => report,
        Err(problem) => return refuse(&format!("{name}: {problem}")),
    };
    let written = match explain.format {
        Format::Text => write_text(&report, &name, BufWriter::new(io::stdout().lock())),
        Format::Json => write_json(&report, BufWriter::new(io::stdout().lock())),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        // `| head` has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => refuse(&format!("standard output: {error}")),
    }
}

fn refuse(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(EXIT_CONFIGURATION)
}

/// The configuration's, or else the embedded default; `--target` wins.
fn plan(explain: &Explain, config: &ConfigOptions) -> Result<Plan, String> {
    let mut plan = match config.config.is_empty() && config.set.is_empty() {
        true => default_plan()?,
        false => load(config)?.0,
    };
    let stages = plan.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.stages);
    let mut translations: Vec<_> = stages
        .filter_map(|stage| match &mut stage.settings {
            ProcessorSettings::Genai(settings) => Some(settings),
            _ => None,
        })
        .collect();
    if translations.is_empty() {
        return Err("the configuration has no pipeline with a genai processor: nothing is translated".to_owned());
    }
    if let Some(target) = explain.target {
        translations.iter_mut().for_each(|settings| settings.target = target.into());
    }
    Ok(plan)
}

/// The embedded default, whatever the environment says.
pub(super) fn default_plan() -> Result<Plan, String> {
    Plan::load(&[], &|_| None).map(|(plan, _)| plan).map_err(|problems| problems.to_string())
}

fn write_text(report: &Report, name: &str, mut out: impl Write) -> io::Result<()> {
    let paint = Paint::stdout();
    out.write_all(text::head(report, name, paint).as_bytes())?;
    for span in &report.spans {
        out.write_all(text::span(span, report.target, paint).as_bytes())?;
    }
    out.write_all(record_text::records(report, paint).as_bytes())?;
    out.write_all(metric_text::metrics(report, paint).as_bytes())?;
    out.write_all(text::foot(report, paint).as_bytes())?;
    out.flush()
}

fn write_json(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    out.write_all(b"\n")?;
    out.flush()
}

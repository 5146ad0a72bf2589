//! `dragoman explain`: recorded spans before and after translation, key by key, with the rule.
//!
//! [`input`] reads what was recorded, [`report`] says what translation does to it as data, [`text`]
//! tells it to people with the [`values`] in their words. The translation itself is
//! [`Translator::explain`]: the one that a pipeline runs.

mod input;
pub(super) mod report;
pub(super) mod text;
pub(super) mod values;

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use super::paint::Paint;
use super::{ConfigOptions, EXIT_CONFIGURATION, Explain, Format, load};
use crate::genai::settings::Genai as Settings;
use crate::genai::translate::Translator;
use crate::otlp::Signal;
use crate::service::plan::ProcessorSettings;
use report::Report;

const FROM_TERMINAL: &str = "\
dragoman explain reads recorded OTLP from a file or from standard input, which is a terminal here:
  dragoman explain traces.pb
  dragoman explain traces.jsonl
  curl -s https://example.com/trace.json | dragoman explain -";

pub(super) fn run(explain: &Explain, config: &ConfigOptions) -> ExitCode {
    let settings = match settings(explain, config) {
        Ok(settings) => settings,
        Err(problems) => return refuse(&problems),
    };
    let file = explain.file.as_deref().filter(|path| *path != Path::new("-"));
    if explain.file.is_none() && io::stdin().is_terminal() {
        return refuse(FROM_TERMINAL);
    }
    let name = file.map_or("standard input".to_owned(), |path| path.display().to_string());
    let report = input::read(file).and_then(|input| {
        let report = report::report(&input.traces, &Translator::new(&settings), explain.all);
        let mut report = report.map_err(|error| error.to_string())?;
        (report.counts.data_points, report.counts.log_records) = (input.data_points, input.log_records);
        Ok(report)
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

/// Those of the first `genai` stage of the configuration, if one is given; `--target` wins.
fn settings(explain: &Explain, config: &ConfigOptions) -> Result<Settings, String> {
    let mut settings = Settings::default();
    if !config.config.is_empty() || !config.set.is_empty() {
        let (plan, _) = load(config)?;
        let traces = plan.pipelines.iter().filter(|pipeline| pipeline.signal == Signal::Traces);
        let found = traces.flat_map(|pipeline| &pipeline.stages).find_map(|stage| match &stage.settings {
            ProcessorSettings::Genai(settings) => Some(settings.clone()),
            _ => None,
        });
        settings =
            found.ok_or("the configuration has no pipeline of traces with a genai processor: nothing is translated")?;
    }
    if let Some(target) = explain.target {
        settings.target = target.into();
    }
    Ok(settings)
}

fn write_text(report: &Report, name: &str, mut out: impl Write) -> io::Result<()> {
    let paint = Paint::stdout();
    out.write_all(text::head(report, name, paint).as_bytes())?;
    for span in &report.spans {
        out.write_all(text::span(span, report.target, paint).as_bytes())?;
    }
    out.write_all(text::foot(report, paint).as_bytes())?;
    out.flush()
}

fn write_json(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    out.write_all(b"\n")?;
    out.flush()
}

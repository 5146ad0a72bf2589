//! The command line: what each command does with the library below it, and how it ends.
//!
//! | command | does | exit code |
//! |---|---|---|
//! | `dragoman` | runs until a signal asks for the end; SIGHUP reads the configuration again | 0; 1 if it cannot start; 3 if telemetry was lost; 4 if a defect ended it |
//! | `validate` | says everything that is wrong with a configuration | 0; 1 if anything is |
//! | `explain` | explains recorded spans, before and after, key by key | 0; 1 for what is no recorded OTLP |
//! | `demo` | sends recorded traffic into a sidecar of its own | 0; 1 if a number is not what was billed |
//! | `config` | prints the embedded default | 0 |
//!
//! Wrong arguments end with 2. What people read goes to standard output, what is wrong to standard
//! error; `paint` knows columns and when colors are wanted.

mod demo;
mod explain;
mod files;
mod log;
mod paint;
mod run;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{Source, Warning};
use crate::genai::settings::Target;
use crate::service::plan::Plan;

/// The configuration or the input is wrong, or the program cannot start with it.
const EXIT_CONFIGURATION: u8 = 1;
/// Telemetry was still undelivered when the program had to end.
const EXIT_LOST: u8 = 3;
/// A part of the program ended by a defect, and the rest of it in good order.
const EXIT_DEFECT: u8 = 4;

/// Kubernetes gives 30 s between SIGTERM and SIGKILL.
const SHUTDOWN_TIMEOUT: &str = "25s";

const ABOUT: &str = "\
Stands beside an application, takes whatever LLM telemetry it emits over OTLP, and hands on one
language: the current OpenTelemetry GenAI semantic conventions.";

const AFTER: &str = "\
Without a command dragoman runs. Without --config it runs the embedded default (`dragoman config`
prints it): OTLP on 127.0.0.1:4317 and :4318, the derived metrics on http://127.0.0.1:9464/metrics.
With OTEL_EXPORTER_OTLP_ENDPOINT set, the default exports there, too.";

#[derive(Debug, Parser)]
#[command(name = "dragoman", version, about = ABOUT, after_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// A configuration; may be given several times, later ones win. A path, file:PATH, env:NAME or
    /// yaml:TEXT
    #[arg(long, value_name = "FILE", global = true)]
    config: Vec<String>,

    #[command(flatten)]
    run: Run,
}

/// How it runs, without a command.
#[derive(Debug, clap::Args)]
struct Run {
    /// How long the end may take: a fifth of it for requests in flight, the rest for what is queued.
    /// Keep it below what the platform gives between SIGTERM and SIGKILL
    #[arg(long, value_name = "DURATION", default_value = SHUTDOWN_TIMEOUT, value_parser = duration)]
    shutdown_timeout: Duration,
    /// Do not look whether files of the configuration changed; SIGHUP reads them again all the same
    #[arg(long)]
    no_config_watch: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = crate::config::duration(text).filter(|duration| *duration <= Duration::from_secs(86_400));
    duration.ok_or_else(|| "expected a duration with a unit, a day at most, such as 25s or 1m30s".to_owned())
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says everything that is wrong with a configuration, with line and path; exit code 1 then
    Validate,
    /// Shows recorded spans before and after translation, key by key, with the rule
    Explain(Explain),
    /// Shows what dragoman does, on recorded traffic of real emitters; needs nothing
    Demo,
    /// Prints the embedded default configuration
    Config,
}

#[derive(Debug, clap::Args)]
struct Explain {
    /// Recorded OTLP traces: protobuf, JSON, or a JSON document a line; gzip or zstd, too. `-` or
    /// nothing for standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The conventions to translate to; 1.41 if neither this nor --config says it
    #[arg(long, value_enum)]
    target: Option<TargetName>,
    /// Show every span, those that are no LLM operation, too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TargetName {
    #[value(name = "1.41")]
    V1_41,
    Main,
}

impl From<TargetName> for Target {
    fn from(name: TargetName) -> Target {
        match name {
            TargetName::V1_41 => Target::V1_41,
            TargetName::Main => Target::Main,
        }
    }
}

/// Does what the arguments say.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => run::run(&arguments.config, &arguments.run),
        Some(Command::Validate) => validate(&arguments.config),
        Some(Command::Explain(explain)) => explain::run(&explain, &arguments.config),
        Some(Command::Demo) => demo::run(),
        Some(Command::Config) => print(Plan::default_yaml()),
    }
}

/// Prints a result. Whoever stopped reading it, as `head` does, has what was wanted.
fn print(text: &str) -> ExitCode {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("cannot write to standard output: {error}");
            ExitCode::from(EXIT_CONFIGURATION)
        }
        _ => ExitCode::SUCCESS,
    }
}

fn validate(config: &[String]) -> ExitCode {
    match load(config) {
        Ok((plan, warnings)) => {
            warnings.iter().for_each(|warning| eprintln!("{warning}"));
            if let Some(lines) = plan.advice() {
                eprintln!(
                    "# to translate and count: these lines in a file of their own, as a second --config\n{lines}"
                );
            }
            let (pipelines, exporters) = (plan.pipelines.len(), plan.exporters.len());
            print(&format!("valid: {pipelines} pipelines, {exporters} exporters\n"))
        }
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::from(EXIT_CONFIGURATION)
        }
    }
}

/// The plan that `--config` names, or everything that is wrong with it, in sentences.
fn load(config: &[String]) -> Result<(Plan, Vec<Warning>), String> {
    plan(&sources(config)?)
}

/// What `--config` names.
fn sources(config: &[String]) -> Result<Vec<Source>, String> {
    config.iter().map(|text| Source::parse(text)).collect()
}

fn plan(sources: &[Source]) -> Result<(Plan, Vec<Warning>), String> {
    Plan::load(sources, &|name| std::env::var(name).ok()).map_err(|problems| problems.to_string())
}

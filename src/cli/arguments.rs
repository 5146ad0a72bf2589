//! The command line as clap knows it: commands, options, and the words of `--help`, from which the
//! completions and the man pages are made, too. What a command does is in the file of its name.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{Notation, Shown};
use crate::genai::settings::Target;

/// Kubernetes gives 30 s between SIGTERM and SIGKILL.
pub(super) const SHUTDOWN_TIMEOUT: &str = "25s";

const ABOUT: &str = "\
Stands beside an application, takes whatever LLM telemetry it emits over OTLP, and hands on one
language: the current OpenTelemetry GenAI semantic conventions.";

const AFTER: &str = "\
Without a command dragoman runs. Without --config it runs the embedded default (`dragoman config`
prints it): OTLP on 127.0.0.1:4317 and :4318, metrics to scrape on http://127.0.0.1:9464/metrics.
With OTEL_EXPORTER_OTLP_ENDPOINT set, the default exports there, too.";

#[derive(Debug, Parser)]
#[command(name = "dragoman", version, about = ABOUT, after_help = AFTER)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) configuration: ConfigOptions,

    #[command(flatten)]
    pub(super) run: Run,
}

/// Where the configuration comes from, for every command alike.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigOptions {
    /// A configuration; may be given several times, later ones win. A path, file:PATH, env:NAME or
    /// yaml:TEXT
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Vec<String>,
    /// One value of it, such as exporters.debug.verbosity=detailed; may be given several times, and wins
    /// over every --config. Write \. for a dot inside of a key
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    pub(super) set: Vec<String>,
}

/// How it runs, without a command.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// How long the end may take: a fifth of it for requests in flight, the rest for what is queued.
    /// Keep it below what the platform gives between SIGTERM and SIGKILL
    #[arg(long, value_name = "DURATION", default_value = SHUTDOWN_TIMEOUT, value_parser = duration)]
    pub(super) shutdown_timeout: Duration,
    /// Do not look whether files of the configuration changed; SIGHUP reads them again all the same
    #[arg(long)]
    pub(super) no_config_watch: bool,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = crate::config::duration(text).filter(|duration| *duration <= Duration::from_secs(86_400));
    duration.ok_or_else(|| "expected a duration with a unit, a day at most, such as 25s or 1m30s".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration(text)?;
    if timeout.is_zero() { Err("expected a duration longer than zero".to_owned()) } else { Ok(timeout) }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Says everything that is wrong with a configuration, with line and path; exit code 1 then
    Validate(Validate),
    /// Shows recorded spans, log records and metrics before and after translation, key by key, with the
    /// rule, and what is counted and dropped
    Explain(Explain),
    /// Shows what dragoman does, on recorded traffic of real emitters; needs nothing
    Demo,
    /// Prints the embedded default configuration
    Config,
    /// Prints the configuration that --config and --set make together, merged and checked
    #[command(alias = "print-initial-config")]
    PrintConfig(PrintConfig),
    /// Lists the components that a configuration may name, as YAML
    Components,
    /// Asks the health page of a running dragoman, for images in which there is no shell; exit code 0 if
    /// it takes requests, 1 if not
    Healthcheck(Healthcheck),
    /// Prints a script that completes this command line; your shell's manual says where it belongs
    Completions {
        /// The shell that reads it
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Prints a man page, for `man -l`
    Man(Man),
}

#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    /// Do not open the files that it names, such as certificates and keys: for a machine that has others
    #[arg(long)]
    pub(super) no_file_check: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct PrintConfig {
    /// Whether secrets are masked and the environment is left out, or everything is shown as it is
    #[arg(long, value_enum, ignore_case = true, default_value_t = Mode::Redacted)]
    pub(super) mode: Mode,
    /// In what it is written; the JSON has its keys in alphabetical order
    #[arg(long, value_enum, ignore_case = true, default_value_t = WrittenAs::Yaml)]
    pub(super) format: WrittenAs,
    /// Whether nothing is printed if anything is wrong. With --validate=false what is wrong is said on
    /// standard error, and the exit code is 0; a value that nobody could read is masked
    #[arg(
        long,
        value_name = "BOOLEAN",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub(super) validate: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Healthcheck {
    /// The page, such as http://127.0.0.1:13133/. Without it that of the configuration's health_check
    /// extension: give the same --config as to the program that runs
    #[arg(long, value_name = "URL")]
    pub(super) endpoint: Option<String>,
    /// How long the answer may take, from the look-up of the name to the last byte
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = timeout)]
    pub(super) timeout: Duration,
}

#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// The command whose page it is; without it that of dragoman as a whole
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub(super) command: Option<String>,
    /// Writes every page into this folder instead, as dragoman.1, dragoman-validate.1, ...
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// Recorded OTLP, of any signal: protobuf, JSON, or a JSON document a line; gzip or zstd, too. `-` or
    /// nothing for standard input
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// The conventions to translate to; 1.41 if neither this nor --config says it
    #[arg(long, value_enum)]
    pub(super) target: Option<TargetName>,
    /// Show every span, log record and metric, those that have nothing to do with LLMs, too
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum TargetName {
    #[value(name = "1.41")]
    V1_41,
    Main,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Mode {
    Redacted,
    Unredacted,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum WrittenAs {
    Yaml,
    Json,
}

impl From<WrittenAs> for Notation {
    fn from(format: WrittenAs) -> Notation {
        match format {
            WrittenAs::Yaml => Notation::Yaml,
            WrittenAs::Json => Notation::Json,
        }
    }
}

impl From<Mode> for Shown {
    fn from(mode: Mode) -> Shown {
        match mode {
            Mode::Redacted => Shown::Redacted,
            Mode::Unredacted => Shown::Unredacted,
        }
    }
}

impl From<TargetName> for Target {
    fn from(name: TargetName) -> Target {
        match name {
            TargetName::V1_41 => Target::V1_41,
            TargetName::Main => Target::Main,
        }
    }
}

//! The command line: what each command does with the library below it, and how it ends.
//!
//! | command | does | exit code |
//! |---|---|---|
//! | `dragoman` | runs until a signal asks for the end; SIGHUP reads the configuration again | 0; 1 if it cannot start; 3 if telemetry was lost; 4 if a defect ended it |
//! | `validate` | says everything that is wrong with a configuration and its files | 0; 1 if anything is |
//! | `explain` | explains recorded telemetry, before and after, key by key | 0; 1 for what is no recorded OTLP |
//! | `demo` | sends recorded traffic into a sidecar of its own | 0; 1 if a number is not what was billed |
//! | `config` | prints the embedded default | 0 |
//! | `print-config` | prints what is in force, secrets masked | 0; 1 if anything is wrong with it |
//! | `components` | lists what a configuration may name | 0 |
//! | `healthcheck` | asks the health page of a running one | 0; 1 if it takes no requests |
//! | `completions`, `man` | print what is made of the command line itself | 0 |
//!
//! Wrong arguments end with 2. What people read goes to standard output, what is wrong to standard
//! error; `paint` knows columns and when colors are wanted.

mod arguments;
mod components;
mod demo;
mod explain;
mod files;
mod generated;
mod healthcheck;
mod paint;
mod run;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::config::{Environment, Source, Warning};
use crate::log;
use crate::service::plan::Plan;
use crate::service::rehearsal::rehearse;

use arguments::{Arguments, Command, ConfigOptions, Explain, Format, PrintConfig, Run, Validate};

/// The configuration or the input is wrong, or the program cannot start with it.
const EXIT_CONFIGURATION: u8 = 1;
/// Telemetry was still undelivered when the program had to end.
const EXIT_LOST: u8 = 3;
/// A part of the program ended by a defect, and the rest of it in good order.
const EXIT_DEFECT: u8 = 4;

/// Does what the arguments say.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let configuration = &arguments.configuration;
    match arguments.command {
        None => run::run(configuration, &arguments.run),
        Some(Command::Validate(options)) => validate(&options, configuration),
        Some(Command::Explain(explain)) => explain::run(&explain, configuration),
        Some(Command::Demo) => demo::run(),
        Some(Command::Config) => print(Plan::default_yaml().as_bytes()),
        Some(Command::PrintConfig(options)) => print_config(&options, configuration),
        Some(Command::Components) => print(components::yaml().as_bytes()),
        Some(Command::Healthcheck(options)) => healthcheck::run(&options, configuration),
        Some(Command::Completions { shell }) => generated::completions(shell),
        Some(Command::Man(options)) => generated::man(&options),
    }
}

/// Prints a result. Whoever stopped reading it, as `head` does, has what was wanted.
fn print(text: &[u8]) -> ExitCode {
    let mut output = std::io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("cannot write to standard output: {error}");
            ExitCode::from(EXIT_CONFIGURATION)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// `1 pipeline`, `2 pipelines`.
fn of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn validate(options: &Validate, config: &ConfigOptions) -> ExitCode {
    let read = sources(config).map(|sources| (read_from(&sources), plan(&sources)));
    let (read, checked) = match read {
        Ok((read, checked)) => (read, checked),
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    match checked {
        Ok((plan, warnings)) => {
            log::mistakes(ENVIRONMENT).iter().for_each(|mistake| eprintln!("warning: {mistake}"));
            warnings.iter().for_each(|warning| eprintln!("{warning}"));
            if let Some(lines) = plan.advice() {
                eprintln!(
                    "# to translate and count: these lines in a file of their own, as a second --config\n{lines}"
                );
            }
            let mistakes = if options.no_file_check { Vec::new() } else { files(&plan) };
            if !mistakes.is_empty() {
                mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
                eprintln!(
                    "not valid on this machine: dragoman would not start here (--no-file-check leaves the files to the \
                     machine that has them); read: {read}"
                );
                return ExitCode::from(EXIT_CONFIGURATION);
            }
            let (pipelines, exporters) = (plan.pipelines.len(), plan.exporters.len());
            let counts = format!("{}, {}", of(pipelines, "pipeline"), of(exporters, "exporter"));
            print(format!("valid: {counts}\nread: {read}\n").as_bytes())
        }
        Err(problems) => {
            eprintln!("{problems}\nnot valid; read: {read}");
            ExitCode::from(EXIT_CONFIGURATION)
        }
    }
}

/// What a start would say of the files that a configuration names.
fn files(plan: &Plan) -> Vec<String> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![format!("the system gives no event loop: {error}")],
    };
    let _inside = runtime.enter();
    rehearse(plan).iter().map(ToString::to_string).collect()
}

/// What a configuration was read from, for people.
fn read_from(sources: &[Source]) -> String {
    let names = Plan::read_from(sources, ENVIRONMENT).join(", ");
    match sources.iter().all(Source::is_set) {
        true => format!("{names} (no --config was given)"),
        false => names,
    }
}

fn print_config(options: &PrintConfig, config: &ConfigOptions) -> ExitCode {
    let printed = sources(config).and_then(|sources| {
        Plan::print(&sources, ENVIRONMENT, options.mode.into(), options.format.into())
            .map_err(|problems| problems.to_string())
    });
    match printed {
        Ok((text, None)) => print(text.as_bytes()),
        Ok((text, Some(problems))) if !options.validate => {
            eprintln!("{problems}\nnot valid; printed all the same, as --validate=false says");
            print(text.as_bytes())
        }
        Ok((_, Some(problems))) => {
            eprintln!("{problems}\nnot printed, because it is not valid; --validate=false prints it all the same");
            ExitCode::from(EXIT_CONFIGURATION)
        }
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::from(EXIT_CONFIGURATION)
        }
    }
}

/// The plan that `--config` and `--set` name, or everything that is wrong with it, in sentences.
fn load(config: &ConfigOptions) -> Result<(Plan, Vec<Warning>), String> {
    plan(&sources(config)?)
}

/// What `--config` names, and what `--set` puts over it.
fn sources(config: &ConfigOptions) -> Result<Vec<Source>, String> {
    let configurations = config.config.iter().map(|text| Source::parse(text));
    configurations.chain(config.set.iter().map(|text| Source::parse_set(text))).collect()
}

fn plan(sources: &[Source]) -> Result<(Plan, Vec<Warning>), String> {
    Plan::load(sources, ENVIRONMENT).map_err(|problems| problems.to_string())
}

/// The process's own.
const ENVIRONMENT: Environment<'static> = &|name| std::env::var(name).ok();

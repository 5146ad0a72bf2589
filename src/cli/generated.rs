//! `dragoman completions` and `dragoman man`: what is made of the command line itself, so that it
//! cannot say anything else than `--help`.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::arguments::{Arguments, Man};
use super::{EXIT_CONFIGURATION, print};
use crate::config::nearest;

/// `dragoman completions SHELL`.
pub(super) fn completions(shell: Shell) -> ExitCode {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script)
}

/// `dragoman man`.
pub(super) fn man(options: &Man) -> ExitCode {
    let done = match &options.out {
        Some(folder) => pages(folder).map(|()| ExitCode::SUCCESS),
        None => page(options.command.as_deref()).map(|page| print(&page)),
    };
    done.unwrap_or_else(|problem| {
        eprintln!("{problem}");
        ExitCode::from(EXIT_CONFIGURATION)
    })
}

/// The command line, with the options that every command has in each of them.
fn command() -> clap::Command {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    command
}

fn pages(folder: &Path) -> Result<(), String> {
    let command = command();
    for page in command.get_subcommands().chain([&command]) {
        let failed =
            |error| format!("--out {}: cannot be written: {error}; expected a folder that is there", folder.display());
        written(page).generate_to(folder).map_err(failed)?;
    }
    Ok(())
}

fn written(page: &clap::Command) -> clap_mangen::Man {
    clap_mangen::Man::new(page.clone()).source(concat!("dragoman ", env!("CARGO_PKG_VERSION")))
}

fn page(of: Option<&str>) -> Result<Vec<u8>, String> {
    let command = command();
    let command = match of {
        None => &command,
        Some(name) => command.find_subcommand(name).ok_or_else(|| {
            let names = command.get_subcommands().map(clap::Command::get_name);
            let near = nearest(name, names).map_or(String::new(), |near| format!("; did you mean {near}?"));
            format!("dragoman has no command {name:?}{near}")
        })?,
    };
    let mut page = Vec::new();
    // Writing to memory does not fail.
    written(command).render(&mut page).map_err(|error| error.to_string())?;
    Ok(page)
}

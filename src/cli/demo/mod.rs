//! `dragoman demo`: recorded traffic of real emitters into a sidecar of its own, and what came of it.
//!
//! [`cases`] are embedded; [`play`] sends them over real sockets to a [`sidecar`] that exports to a
//! [`backend`] in this process, and judges what arrived; [`story`] tells it. Nothing of it is faked:
//! what is shown as exported was read from what the backend received, and a number that is not what
//! the provider bills is told as wrong, with exit code 1.

mod backend;
mod cases;
mod play;
mod sidecar;
mod spans;
mod story;
mod tokens;
mod tree;

use std::io::{self, Write};
use std::process::ExitCode;

use super::EXIT_CONFIGURATION;
use super::paint::Paint;

pub(super) fn run() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the system gives no threads: {error}")),
    };
    let played = match runtime.block_on(play::play()) {
        Ok(played) => played,
        Err(error) => return failed(&error),
    };
    let told = io::stdout().write_all(story::tell(&played, Paint::stdout()).as_bytes());
    match told {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&format!("standard output: {error}")),
        _ if played.problems.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::from(EXIT_CONFIGURATION),
    }
}

fn failed(problem: &str) -> ExitCode {
    eprintln!("the demo could not be played: {problem}");
    ExitCode::from(EXIT_CONFIGURATION)
}

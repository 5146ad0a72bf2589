//! The command line's entry; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    dragoman::cli::main()
}

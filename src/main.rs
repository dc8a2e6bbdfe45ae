//! The `tidemark` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidemark::run(std::env::args_os())
}

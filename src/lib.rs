//! The command line of Tidemark: one composition root per command, nothing else.
//!
//! What an event is lives in `tidemark-schemas`, what it means in `tidemark-projections`, folding
//! in `tidemark-processor`, the read API in `tidemark-api`. This library exists so that the
//! top-level tests can use the same private Postgres and the same import mapping as the binary.

mod cli;
mod commands;
pub mod config;
pub mod database;
mod definitions_log;
mod failure;
pub mod generate;
pub mod import;
mod importing;
pub mod kafka;
mod output;
mod progress;
mod secrets;
mod services;
mod telemetry;
pub mod up;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use failure::Usage;

/// Runs one command line to its end.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(complaint) => return output::complaint(&complaint),
    };
    let result = commands::run(cli);
    if let Err(error) = &result {
        output::error(error);
    }
    failure::exit_code(&result)
}

//! The command line of Tidemark: one composition root per command.
//!
//! Events are defined in `tidemark-schemas`, their meaning in `tidemark-projections`, folding in
//! `tidemark-processor`, the read API in `tidemark-api`. This library exists so that the top-level
//! tests and benches share the private Postgres and the generator with the binary.
//!
//! Modules depend on each other one way: `cli` on `commands`, those on [`up`], [`generate`],
//! [`import`] and `services`, and all of them on [`database`], [`config`] and `output`. [`generate`]
//! and [`import`] are pure: no I/O, no clock.

mod cli;
mod commands;
pub mod config;
pub mod database;
mod definitions_log;
mod failure;
pub mod generate;
pub mod import;
pub mod kafka;
mod lag;
mod output;
mod progress;
mod secrets;
mod services;
mod telemetry;
pub mod up;
mod up_file;

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
    let result = cli.run();
    if let Err(error) = &result {
        output::error(error);
    }
    failure::exit_code(&result)
}

//! The command line, as clap reads it.

use clap::{Parser, Subcommand};

use crate::commands;
use crate::config::ConfigFlags;

/// An event-sourced stream processor for customer intelligence: Kafka in, projections in Postgres,
/// a read API out.
#[derive(Debug, Parser)]
#[command(
    name = "tidemark",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line or configuration.\n\
    Begin with: tidemark demo"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) config: ConfigFlags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process, for trying out and developing
    Up(commands::up::Arguments),
    /// `up` with four sample tenants, months of their history and a live stream
    Demo(commands::demo::Arguments),
    /// Fold events from Kafka into Postgres
    Process(commands::process::Arguments),
    /// Serve the read API
    Serve(commands::serve::Arguments),
    /// Make or bring up to date the tables in Postgres
    Migrate(commands::migrate::Arguments),
    /// Publish events, a JSON object a line
    Publish(commands::publish::Arguments),
    /// Publish the rows of a delimited file, by a mapping
    Import(commands::import::Arguments),
    /// Tenants, segments and journeys
    #[command(subcommand)]
    Define(commands::define::Command),
    /// Events that could not be folded: look at them, fold them again, let them go
    #[command(subcommand)]
    Parked(commands::parked::Command),
    /// Position, lag, clock and parked events
    Status(commands::status::Arguments),
    /// Fit the models to the customers there are, and put them in force
    Train(commands::train::Arguments),
    /// Why a customer is in a segment, or not
    Why(commands::why::Arguments),
    /// Make a development token for the read API
    Token(commands::token::Arguments),
    /// Print what invented customers did, a JSON object a line
    Generate(commands::generate::Arguments),
    /// Print the description of the read API, as openapi.json
    Openapi(commands::openapi::Arguments),
    /// The configuration
    #[command(subcommand)]
    Config(commands::config::Command),
}

//! The command line: its grammar for clap, and the dispatch of each command to its module.

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::commands;
use crate::config::{Config, ConfigFlags};
use crate::failure::Usage;
use crate::telemetry::{self, Audience};
use crate::up::fixed_keys;
use crate::up_file::UpFile;

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
    /// Run all parts in one process, for trying out and developing
    Up(commands::up::Arguments),
    /// Run `up` with four sample tenants, six months of history and a live stream
    Demo(commands::demo::Arguments),
    /// Fold events from Kafka into Postgres
    Process(commands::process::Arguments),
    /// Serve the read API
    Serve(commands::serve::Arguments),
    /// Create or update the tables in Postgres
    Migrate(commands::migrate::Arguments),
    /// Publish events, one JSON object a line
    Publish(commands::publish::Arguments),
    /// Publish the rows of a delimited file, by a mapping
    Import(commands::import::Arguments),
    /// Apply, compare and print definitions: tenants, segments, journeys
    #[command(subcommand)]
    Define(commands::define::Command),
    /// Inspect, retry or discard the events that could not be folded
    #[command(subcommand)]
    Parked(commands::parked::Command),
    /// List or resume the tenants and customers that are not folded now
    #[command(subcommand)]
    Deferred(commands::deferred::Command),
    /// List tenants
    #[command(subcommand)]
    Tenants(commands::tenants::Command),
    /// Print position, lag, clock and parked events
    Status(commands::status::Arguments),
    /// Fit the models to the customers, and apply them
    Train(commands::train::Arguments),
    /// Explain why a customer is in a segment, or not
    Why(commands::why::Arguments),
    /// Issue a development token for the read API
    Token(commands::token::Arguments),
    /// Print the events of simulated customers, one JSON object a line
    Generate(commands::generate::Arguments),
    /// Print the Avro schema of events, for producers
    Schema(commands::schema::Arguments),
    /// Print the description of the read API, openapi.json
    Openapi(commands::openapi::Arguments),
    /// Print the configuration
    #[command(subcommand)]
    Config(commands::config::Command),
}

impl Cli {
    /// Reads the configuration, starts the log and runs the command.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.refuse_fixed_keys()?;
        let config = Config::load(&self.config)?;
        telemetry::start(&config.log, audience(&self.command))?;
        let up = self.config.up.as_deref();
        let up = up.map(UpFile::read_running).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        runtime.block_on(dispatch(self.command, config, up))
    }
}

impl Cli {
    /// Refuses `--set` of what the command sets itself.
    fn refuse_fixed_keys(&self) -> Result<(), Usage> {
        match &self.command {
            Command::Up(arguments) => {
                fixed_keys::refuse(&self.config.set, arguments.kafka.is_some())
            }
            Command::Demo(_) => fixed_keys::refuse(&self.config.set, false),
            _ => Ok(()),
        }
    }
}

async fn dispatch(command: Command, config: Config, up: Option<UpFile>) -> anyhow::Result<()> {
    match command {
        Command::Up(arguments) => Box::pin(commands::up::run(arguments, config)).await,
        Command::Demo(arguments) => Box::pin(commands::demo::run(arguments, config)).await,
        Command::Process(arguments) => Box::pin(commands::process::run(arguments, config)).await,
        Command::Serve(arguments) => Box::pin(commands::serve::run(arguments, config)).await,
        Command::Migrate(arguments) => commands::migrate::run(arguments, config).await,
        Command::Publish(arguments) => commands::publish::run(arguments, config, up).await,
        Command::Import(arguments) => commands::import::run(arguments, config, up).await,
        Command::Define(command) => commands::define::run(command, config).await,
        Command::Parked(command) => Box::pin(commands::parked::run(command, config)).await,
        Command::Deferred(command) => Box::pin(commands::deferred::run(command, config)).await,
        Command::Tenants(command) => commands::tenants::run(command, config).await,
        Command::Status(arguments) => commands::status::run(arguments, config).await,
        Command::Train(arguments) => Box::pin(commands::train::run(arguments, config)).await,
        Command::Why(arguments) => commands::why::run(arguments, config).await,
        Command::Token(arguments) => commands::token::run(&arguments, &config),
        Command::Generate(arguments) => commands::generate::run(&arguments),
        Command::Schema(arguments) => commands::schema::run(&arguments),
        Command::Openapi(arguments) => {
            commands::openapi::run(&arguments);
            Ok(())
        }
        Command::Config(command) => commands::config::run(&command, &config),
    }
}

fn audience(command: &Command) -> Audience {
    match command {
        Command::Up(_) | Command::Process(_) | Command::Serve(_) => Audience::Service,
        Command::Demo(_) => Audience::Demo,
        Command::Migrate(_)
        | Command::Publish(_)
        | Command::Import(_)
        | Command::Define(_)
        | Command::Parked(_)
        | Command::Deferred(_)
        | Command::Tenants(_)
        | Command::Status(_)
        | Command::Train(_)
        | Command::Why(_)
        | Command::Token(_)
        | Command::Generate(_)
        | Command::Schema(_)
        | Command::Openapi(_)
        | Command::Config(_) => Audience::Tool,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    /// The width at which help is wrapped.
    const WIDTH: usize = 100;

    fn check(command: &clap::Command) {
        for text in [command.get_after_help(), command.get_after_long_help()] {
            for line in text.map(ToString::to_string).unwrap_or_default().lines() {
                let length = line.chars().count();
                assert!(length <= WIDTH, "{}: {line}", command.get_name());
            }
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn no_line_below_the_options_is_wrapped() {
        check(&Cli::command());
    }
}

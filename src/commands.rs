//! One composition root per command.

pub(crate) mod config;
pub(crate) mod define;
pub(crate) mod demo;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod parked;
pub(crate) mod process;
pub(crate) mod publish;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod train;
pub(crate) mod up;
pub(crate) mod why;

use anyhow::Context as _;

use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::telemetry::{self, Audience};
use crate::up::state_file::UpFile;

/// Reads the configuration, starts the log and runs the command.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let config = Config::load(&cli.config)?;
    telemetry::start(&config.log, audience(&cli.command))?;
    let up = cli
        .config
        .up
        .as_deref()
        .map(UpFile::read_running)
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(dispatch(cli.command, config, up))
}

async fn dispatch(command: Command, config: Config, up: Option<UpFile>) -> anyhow::Result<()> {
    match command {
        Command::Up(arguments) => Box::pin(up::run(arguments, config)).await,
        Command::Demo(arguments) => Box::pin(demo::run(arguments, config)).await,
        Command::Process(arguments) => Box::pin(process::run(arguments, config)).await,
        Command::Serve(arguments) => Box::pin(serve::run(arguments, config)).await,
        Command::Migrate(arguments) => migrate::run(arguments, config).await,
        Command::Publish(arguments) => publish::run(arguments, config, up).await,
        Command::Import(arguments) => import::run(arguments, config, up).await,
        Command::Define(command) => define::run(command, config).await,
        Command::Parked(command) => Box::pin(parked::run(command, config)).await,
        Command::Status(arguments) => status::run(arguments, config).await,
        Command::Train(arguments) => Box::pin(train::run(arguments, config)).await,
        Command::Why(arguments) => why::run(arguments, config).await,
        Command::Token(arguments) => token::run(&arguments, &config),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Openapi(arguments) => {
            openapi::run(&arguments);
            Ok(())
        }
        Command::Config(command) => config::run(&command, &config),
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
        | Command::Status(_)
        | Command::Train(_)
        | Command::Why(_)
        | Command::Token(_)
        | Command::Generate(_)
        | Command::Openapi(_)
        | Command::Config(_) => Audience::Tool,
    }
}

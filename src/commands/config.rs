//! `tidemark config show`

use crate::config::Config;
use crate::output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the effective configuration, secrets masked
    #[command(after_help = "Example:\n  TIDEMARK_KAFKA__TOPIC=events tidemark config show")]
    Show {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    let Command::Show { json } = command;
    if *json {
        return output::json(config);
    }
    output::line(toml::to_string_pretty(config)?.trim_end());
    Ok(())
}

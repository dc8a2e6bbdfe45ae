//! `tidemark schema`

use tidemark_schemas::codec::SCHEMAS;

use crate::failure::Usage;
use crate::output;

#[derive(Debug, clap::Args)]
#[command(
    disable_version_flag = true,
    after_help = "Example:\n  tidemark schema > customer_event.avsc\n\n\
    docs/producers.md says how to register it and how to publish by it."
)]
pub(crate) struct Arguments {
    /// The version to print [default: the newest]
    #[arg(long, value_name = "N")]
    version: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let newest = SCHEMAS.len();
    let version = arguments.version.unwrap_or(newest);
    let Some(schema) = version.checked_sub(1).and_then(|at| SCHEMAS.get(at)) else {
        let known = format!("there is no version {version} of the schema: the newest is {newest}");
        return Err(Usage::new(known).into());
    };
    output::line(schema.trim_end());
    Ok(())
}

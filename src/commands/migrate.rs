//! `tidemark migrate`

use tidemark_kafka::topics::require_partitions;

use crate::config::Config;
use crate::database;
use crate::output;
use crate::services::prepare_database;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    TIDEMARK_DATABASE__URL=postgres://admin@db/tidemark tidemark migrate\n\n\
    Needs a login that may create roles and schemas, and the topic of events: the first generation\n\
    has as many partitions. Running it again changes nothing.")]
pub(crate) struct Arguments {}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let Arguments {} = arguments;
    let kafka = config.kafka.connection();
    let url = database::url(&config.database)?;
    let partitions =
        tokio::task::spawn_blocking(move || require_partitions(&kafka, &kafka.topic)).await??;
    let generation = prepare_database(&url, &config, partitions).await?;
    output::line(format!("generation {generation} is active"));
    Ok(())
}

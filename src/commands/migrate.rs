//! `tidemark migrate`

use anyhow::bail;
use tidemark_kafka::topics::require_partitions;
use tidemark_kafka::{KafkaConfig, retention};

use crate::config::Config;
use crate::database;
use crate::output;
use crate::services::prepare_database;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    TIDEMARK_DATABASE__URL=postgres://admin@db/tidemark tidemark migrate\n\n\
    Needs a login that may create roles and schemas, and the topic of events: the first generation\n\
    has as many partitions. Running it again changes nothing.")]
pub(crate) struct Arguments {
    /// Make the tables although a topic loses records by its retention
    #[arg(long)]
    accept_retention: bool,
}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let kafka = config.kafka.connection();
    check_retention(&kafka, arguments.accept_retention).await?;
    let url = database::url(&config.database)?;
    let partitions =
        tokio::task::spawn_blocking(move || require_partitions(&kafka, &kafka.topic)).await??;
    let generation = prepare_database(&url, &config, partitions).await?;
    output::line(format!("generation {generation} is active"));
    Ok(())
}

/// Fails if a topic loses records, unless that is accepted.
async fn check_retention(kafka: &KafkaConfig, is_accepted: bool) -> anyhow::Result<()> {
    let found = match retention::check(kafka).await {
        Ok(found) => found.unwrap_or_default(),
        Err(error) => {
            output::note(format!("not checked: {error}"));
            return Ok(());
        }
    };
    let limited: Vec<_> = found.iter().filter(|topic| topic.is_limited()).collect();
    for topic in &limited {
        output::note(topic.to_string());
    }
    if limited.is_empty() || is_accepted {
        return Ok(());
    }
    bail!("nothing was changed: correct the topics named above, or add --accept-retention")
}

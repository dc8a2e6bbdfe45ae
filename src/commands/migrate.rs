//! `tidemark migrate`

use tidemark_processor::migrate::{GenerationSpec, ensure_generation, migrate};

use crate::config::Config;
use crate::database;
use crate::kafka::require_partitions;
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    TIDEMARK_DATABASE__URL=postgres://admin@db/tidemark tidemark migrate\n\n\
    Needs a role that may make roles and schemas, and the topic, whose partitions become part of\n\
    the first generation. Again is harmless.")]
pub(crate) struct Arguments {}

pub(crate) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    let Arguments {} = arguments;
    let kafka = config.kafka.clone();
    let url = database::url(&config.database)?;
    let partitions =
        tokio::task::spawn_blocking(move || require_partitions(&kafka, &kafka.topic)).await??;
    let generation = prepare(&url, &config, partitions).await?;
    output::line(format!("generation {generation} is active"));
    Ok(())
}

/// Makes what is missing in the database, and returns the active generation.
pub(crate) async fn prepare(url: &str, config: &Config, partitions: i32) -> anyhow::Result<i32> {
    migrate(url).await?;
    let spec = GenerationSpec {
        topic: config.kafka.topic.clone(),
        partitions,
        partitioner: config.kafka.partitioner,
    };
    Ok(ensure_generation(url, &spec).await?)
}

//! Kafka as the command line needs it: clients made from the configuration, topics, publishing.
//!
//! Folding has its own consumer in `tidemark-processor`; nothing here reads `customer-events`.

pub mod broker;
pub mod events;
pub mod pace;
pub mod producer;
pub mod topics;

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tidemark_processor::refusal::{Heard, explain};

use crate::config;

/// How long a broker may take to answer before it counts as away.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// A client's configuration: ours first, then what the user passes through.
pub fn client_config(kafka: &config::Kafka) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("client.id", &kafka.client_id);
    for (name, value) in &kafka.properties {
        client.set(name, value);
    }
    client
}

/// A consumer that belongs to no group, for looking things up. It never makes a topic by asking
/// for it, as a producer might, and knows why a broker did not let it in.
pub(crate) fn lookup_consumer(kafka: &config::Kafka) -> anyhow::Result<BaseConsumer<Heard>> {
    client_config(kafka)
        .set("group.id", format!("{}-lookup", kafka.group))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        .set("isolation.level", "read_committed")
        .set_log_level(RDKafkaLogLevel::Info)
        .create_with_context(Heard::default())
        .map_err(|error| wrong_property(&error))
}

/// How many partitions a topic has; `None` where there is no such topic. Blocks.
pub fn partition_count(kafka: &config::Kafka, topic: &str) -> anyhow::Result<Option<i32>> {
    let consumer = lookup_consumer(kafka)?;
    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER)
        .map_err(|error| unreachable_broker(&explain(&consumer, &error), kafka))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => Ok(None),
        Some(code) => Err(anyhow!("topic {topic}: {code}")),
        None => {
            let count = i32::try_from(found.partitions().len()).context("partition count")?;
            Ok((count > 0).then_some(count))
        }
    }
}

/// How many partitions a topic has; an error that says what to do where there is no such topic.
pub fn require_partitions(kafka: &config::Kafka, topic: &str) -> anyhow::Result<i32> {
    partition_count(kafka, topic)?.ok_or_else(|| {
        anyhow!(
            "there is no topic {topic} on {}: create it (with \
             message.timestamp.type=LogAppendTime), or name another in the configuration",
            kafka.bootstrap_servers
        )
    })
}

/// Says which broker does not answer.
pub(crate) fn unreachable_broker(reason: &str, kafka: &config::Kafka) -> anyhow::Error {
    anyhow!(
        "no Kafka broker answers at {}: {reason}",
        kafka.bootstrap_servers
    )
}

/// Says that librdkafka refuses a property.
pub(crate) fn wrong_property(error: &KafkaError) -> anyhow::Error {
    match error {
        KafkaError::ClientConfig(_, description, key, value) => crate::Usage::new(format!(
            "kafka.properties: {description} (property `{key}`{})",
            if value.is_empty() {
                String::new()
            } else {
                ", as given".to_owned()
            }
        ))
        .into(),
        other => anyhow!("cannot make a Kafka client: {other}"),
    }
}

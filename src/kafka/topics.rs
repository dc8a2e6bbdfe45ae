//! Creating our topics on a real broker.

use anyhow::{Context as _, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use super::{ANSWER, client_config, partition_count, unreachable_broker, wrong_property};
use crate::config;

/// Leaves the number of copies to the broker's own default.
const BROKER_DEFAULT: TopicReplication<'static> = TopicReplication::Fixed(-1);

/// Bytes of one definitions record the broker accepts: 1 MiB of bundle and what wraps it.
const DEFINITIONS_MAX_BYTES: &str = "1114112";

/// Makes the topics that are not there yet and returns the number of partitions of the events'.
/// Those that are there are left as they are.
pub async fn ensure(kafka: &config::Kafka, partitions: i32) -> anyhow::Result<i32> {
    let (events, definitions) = {
        let kafka = kafka.clone();
        tokio::task::spawn_blocking(move || {
            let events = partition_count(&kafka, &kafka.topic)?;
            let definitions = partition_count(&kafka, &kafka.definitions_topic)?;
            anyhow::Ok((events, definitions))
        })
        .await??
    };
    if definitions.is_some_and(|count| count != 1) {
        bail!(
            "topic {} must have exactly one partition",
            kafka.definitions_topic
        );
    }
    let mut missing = Vec::new();
    if events.is_none() {
        missing.push(kept_for_good(NewTopic::new(
            &kafka.topic,
            partitions,
            BROKER_DEFAULT,
        )));
    }
    if definitions.is_none() {
        let topic = NewTopic::new(&kafka.definitions_topic, 1, BROKER_DEFAULT)
            .set("max.message.bytes", DEFINITIONS_MAX_BYTES);
        missing.push(kept_for_good(topic));
    }
    if !missing.is_empty() {
        create(kafka, &missing).await?;
    }
    Ok(events.unwrap_or(partitions))
}

fn kept_for_good(topic: NewTopic<'_>) -> NewTopic<'_> {
    topic
        .set("message.timestamp.type", "LogAppendTime")
        .set("cleanup.policy", "delete")
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
}

async fn create(kafka: &config::Kafka, topics: &[NewTopic<'_>]) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = client_config(kafka)
        .create()
        .map_err(|error| wrong_property(&error))?;
    let options = AdminOptions::new()
        .operation_timeout(Some(ANSWER))
        .request_timeout(Some(ANSWER));
    let results = admin
        .create_topics(topics, &options)
        .await
        .map_err(|error| unreachable_broker(&error.to_string(), kafka))?;
    for result in results {
        match result {
            // Somebody else was faster.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(code).with_context(|| format!("cannot create topic {topic}"));
            }
        }
    }
    Ok(())
}

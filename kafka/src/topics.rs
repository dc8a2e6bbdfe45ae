//! Topics: their partition counts, and their creation.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use crate::config::{ANSWER_WITHIN, KafkaConfig};
use crate::error::ConnectError;

/// Leaves the number of replicas to the broker's own default.
const BROKER_DEFAULT: TopicReplication<'static> = TopicReplication::Fixed(-1);
/// The largest record of the definitions topic: 1 MiB of bundle and its wrapping.
const DEFINITIONS_MAX_BYTES: &str = "1114112";

/// Returns the number of partitions of a topic; `None` if the topic does not exist. Blocks.
pub fn partition_count(kafka: &KafkaConfig, topic: &str) -> Result<Option<i32>, ConnectError> {
    let consumer = kafka.lookup_consumer()?;
    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER_WITHIN)
        .map_err(|error| kafka.unreachable(&consumer, &error))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => Ok(None),
        Some(code) => Err(refused(topic, &code)),
        None => {
            let count = i32::try_from(found.partitions().len());
            let count = count.map_err(|error| refused(topic, &error))?;
            Ok((count > 0).then_some(count))
        }
    }
}

/// Returns the number of partitions of a topic that must exist. Blocks.
pub fn require_partitions(kafka: &KafkaConfig, topic: &str) -> Result<i32, ConnectError> {
    partition_count(kafka, topic)?.ok_or_else(|| no_topic(kafka, topic))
}

/// Returns the number of partitions of the topic of events, if the topic of definitions exists too, with
/// one partition. Blocks.
fn require_both(kafka: &KafkaConfig) -> Result<i32, ConnectError> {
    match existing(kafka)? {
        (Some(partitions), Some(_)) => Ok(partitions),
        (events, _) => {
            let missing = match events {
                None => &kafka.topic,
                Some(_) => &kafka.definitions_topic,
            };
            Err(no_topic(kafka, missing))
        }
    }
}

/// Returns the partition count of the topic of events if both topics exist, and the id of the cluster,
/// if it has one. Blocks.
pub fn identify(kafka: &KafkaConfig) -> Result<(i32, Option<String>), ConnectError> {
    let partitions = require_both(kafka)?;
    let cluster = kafka
        .lookup_consumer()?
        .client()
        .fetch_cluster_id(ANSWER_WITHIN);
    Ok((partitions, cluster))
}

/// The partition counts of the topics of events and of definitions, where they exist. Blocks.
pub fn existing(kafka: &KafkaConfig) -> Result<(Option<i32>, Option<i32>), ConnectError> {
    let events = partition_count(kafka, &kafka.topic)?;
    let definitions = partition_count(kafka, &kafka.definitions_topic)?;
    if definitions.is_some_and(|count| count != 1) {
        let reason = "must have exactly one partition";
        return Err(refused(&kafka.definitions_topic, &reason));
    }
    Ok((events, definitions))
}

/// Creates the topics that do not exist, and leaves the others as they are.
pub async fn create_missing(
    kafka: &KafkaConfig,
    (events, definitions): (Option<i32>, Option<i32>),
    partitions: i32,
) -> Result<(), ConnectError> {
    let mut missing = Vec::new();
    if events.is_none() {
        let topic = NewTopic::new(&kafka.topic, partitions, BROKER_DEFAULT);
        missing.push(kept_for_good(topic));
    }
    if definitions.is_none() {
        let topic = NewTopic::new(&kafka.definitions_topic, 1, BROKER_DEFAULT)
            .set("max.message.bytes", DEFINITIONS_MAX_BYTES);
        missing.push(kept_for_good(topic));
    }
    if missing.is_empty() {
        return Ok(());
    }
    create(kafka, &missing).await
}

fn kept_for_good(topic: NewTopic<'_>) -> NewTopic<'_> {
    topic
        .set("message.timestamp.type", "LogAppendTime")
        .set("cleanup.policy", "delete")
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
}

async fn create(kafka: &KafkaConfig, topics: &[NewTopic<'_>]) -> Result<(), ConnectError> {
    let admin: AdminClient<DefaultClientContext> = kafka
        .client()
        .create()
        .map_err(ConnectError::from_creation)?;
    let options = AdminOptions::new()
        .operation_timeout(Some(ANSWER_WITHIN))
        .request_timeout(Some(ANSWER_WITHIN));
    let results = admin.create_topics(topics, &options).await;
    let results = results.map_err(|error| ConnectError::Unreachable {
        servers: kafka.bootstrap_servers.clone(),
        reason: error.to_string(),
    })?;
    for result in results {
        match result {
            // A topic created in the meantime serves as well.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(refused(&topic, &format_args!("cannot be created: {code}")));
            }
        }
    }
    Ok(())
}

fn no_topic(kafka: &KafkaConfig, topic: &str) -> ConnectError {
    ConnectError::NoTopic {
        topic: topic.to_owned(),
        servers: kafka.bootstrap_servers.clone(),
    }
}

fn refused(topic: &str, reason: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::Topic {
        topic: topic.to_owned(),
        reason: reason.to_string(),
    }
}

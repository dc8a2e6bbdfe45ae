//! Reads of whole topics, by a consumer without a group.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tidemark_projections::definitions::Definitions;
use tidemark_schemas::Instant;

use super::kafka::Kafka;
use super::wait::wait_until;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// One record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) appended_at: Instant,
    pub(crate) value: Vec<u8>,
}

/// Returns the end of each partition: the offset of its next record.
pub(crate) fn ends(kafka: &Kafka, topic: &str) -> Vec<(i32, i64)> {
    let consumer: BaseConsumer = consumer(kafka);
    let mut ends = Vec::new();
    // A broker that is starting or stopping answers a later attempt.
    wait_until(ANSWER_WITHIN, "the ends of the topic", || {
        let Ok(metadata) = consumer.fetch_metadata(Some(topic), ANSWER_WITHIN) else {
            return false;
        };
        let partitions = metadata.topics()[0].partitions();
        ends = partitions
            .iter()
            .filter_map(|partition| {
                let marks = consumer.fetch_watermarks(topic, partition.id(), ANSWER_WITHIN);
                Some((partition.id(), marks.ok()?.1))
            })
            .collect();
        !partitions.is_empty() && ends.len() == partitions.len()
    });
    ends.sort_unstable();
    ends
}

/// Returns all records of the topic, each partition in order. Aborted records are absent and leave
/// gaps.
pub(crate) fn records(kafka: &Kafka, topic: &str) -> Vec<Record> {
    let ends = ends(kafka, topic);
    let consumer: BaseConsumer = consumer(kafka);
    let mut assignment = TopicPartitionList::new();
    for (partition, _) in &ends {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut unread: BTreeSet<i32> = ends.iter().map(|(partition, _)| *partition).collect();
    let mut records = Vec::new();
    wait_until(Duration::from_mins(2), "every record of the topic", || {
        while let Some(polled) = consumer.poll(Duration::from_millis(10)) {
            match polled {
                Ok(message) => records.push(record(&message)),
                Err(KafkaError::PartitionEOF(partition)) => {
                    unread.remove(&partition);
                }
                // The broker comes back, or another takes over.
                Err(_) => {}
            }
        }
        unread.is_empty()
    });
    records
}

/// Returns the definitions that the records of a definitions topic amount to. Rejected records
/// change nothing.
pub(crate) fn definitions(kafka: &Kafka, topic: &str) -> Definitions {
    records(kafka, topic)
        .iter()
        .fold(Definitions::default(), |definitions, record| {
            definitions
                .apply(record.offset, record.appended_at, &record.value)
                .unwrap_or(definitions)
        })
}

fn consumer(kafka: &Kafka) -> BaseConsumer {
    kafka
        .client()
        .set("group.id", "reads without a group")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap()
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    Record {
        partition: message.partition(),
        offset: message.offset(),
        appended_at: Instant::from_millis_clamped(message.timestamp().to_millis().unwrap()),
        value: message.payload().unwrap_or_default().to_vec(),
    }
}

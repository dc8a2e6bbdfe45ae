//! The search of a topic for a record that arrived lately under a key.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::{ANSWER_WITHIN, KafkaConfig};
use crate::diagnostics::LastError;
use crate::error::ConnectError;
use crate::topics::require_partitions;

/// The longest wait for the next record.
const POLL: Duration = Duration::from_millis(100);

/// A record that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Its time, in milliseconds since 1970.
    pub at: i64,
}

/// Reads the records of the topic of events since an instant (milliseconds since 1970), until one has a key
/// that begins with a prefix. Blocks: without such a record, for as long as reading takes.
pub fn find_arrival(
    kafka: &KafkaConfig,
    key_prefix: &str,
    since: i64,
    mut count: impl FnMut(),
) -> Result<Option<Arrival>, ConnectError> {
    let consumer = kafka.lookup_consumer()?;
    let unreachable = |error: KafkaError| kafka.unreachable(&consumer, &error);
    let mut unread = BTreeMap::new();
    let assignment = since_instant(kafka, &consumer, since, &mut unread)?;
    consumer.assign(&assignment).map_err(unreachable)?;
    while !unread.is_empty() {
        let message = match consumer.poll(POLL) {
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
                continue;
            }
            // The client retries by itself.
            Some(Err(error)) => {
                tracing::debug!(%error, "Kafka");
                continue;
            }
            None => continue,
        };
        count();
        let (partition, offset) = (message.partition(), message.offset());
        let at = message.timestamp().to_millis().unwrap_or(since);
        let key = message.key().unwrap_or_default();
        if at >= since && key.starts_with(key_prefix.as_bytes()) {
            return Ok(Some(Arrival {
                partition,
                offset,
                at,
            }));
        }
        if unread.get(&partition).is_some_and(|&end| offset + 1 >= end) {
            unread.remove(&partition);
        }
    }
    Ok(None)
}

/// Returns where the records since an instant begin; adds the ends of those partitions that have any.
fn since_instant(
    kafka: &KafkaConfig,
    consumer: &BaseConsumer<LastError>,
    since: i64,
    unread: &mut BTreeMap<i32, i64>,
) -> Result<TopicPartitionList, ConnectError> {
    let unreachable = |error: KafkaError| kafka.unreachable(consumer, &error);
    let mut times = TopicPartitionList::new();
    for partition in 0..require_partitions(kafka, &kafka.topic)? {
        times
            .add_partition_offset(&kafka.topic, partition, Offset::Offset(since))
            .map_err(unreachable)?;
    }
    let found = consumer
        .offsets_for_times(times, ANSWER_WITHIN)
        .map_err(unreachable)?;
    let mut assignment = TopicPartitionList::new();
    for element in found.elements() {
        element.error().map_err(unreachable)?;
        let partition = element.partition();
        let Offset::Offset(first) = element.offset() else {
            continue; // no record is that young
        };
        let (_, end) = consumer
            .fetch_watermarks(&kafka.topic, partition, ANSWER_WITHIN)
            .map_err(unreachable)?;
        if first < end {
            unread.insert(partition, end);
            assignment
                .add_partition_offset(&kafka.topic, partition, Offset::Offset(first))
                .map_err(unreachable)?;
        }
    }
    Ok(assignment)
}

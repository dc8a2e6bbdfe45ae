//! The mark of a forwarded record, and the search of a topic for such records.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::{ANSWER_WITHIN, KafkaConfig};
use crate::diagnostics::LastError;
use crate::error::ConnectError;
use crate::headers::{self, Header};
use crate::topics::require_partitions;

/// The header of a forwarded record. Its value is the position of the record that it repeats, as
/// `topic/partition@offset`.
pub const FORWARDED_FROM: &str = "tidemark-forwarded-from";

/// The longest wait for the next record.
const POLL: Duration = Duration::from_millis(100);

/// The positions of the records that a topic repeats in other partitions, each with a hash of the
/// repeated value. A mark alone proves nothing: in a topic that was copied from another cluster it names
/// the position of another record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardedPositions(BTreeMap<i32, BTreeSet<(i64, u64)>>);

impl ForwardedPositions {
    /// Returns whether the topic repeats the record at a position, with this value.
    pub fn contains(&self, partition: i32, offset: i64, value: Option<&[u8]>) -> bool {
        let copies = self.0.get(&partition);
        copies.is_some_and(|copies| copies.contains(&(offset, hash(value))))
    }

    fn insert(&mut self, partition: i32, offset: i64, value: Option<&[u8]>) {
        let copies = self.0.entry(partition).or_default();
        copies.insert((offset, hash(value)));
    }

    /// Returns the number of positions.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Returns whether the topic repeats no record.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn hash(value: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns the value of the header for a record at a position.
pub fn mark(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}/{partition}@{offset}")
}

/// Returns the position from which a record of a topic was forwarded. A record that was copied from
/// another topic was not.
pub fn forwarded_from(topic: &str, headers: &[Header]) -> Option<(i32, i64)> {
    let is_mark = |header: &&Header| header.name == FORWARDED_FROM.as_bytes();
    let value = headers.iter().find(is_mark)?.value.as_deref()?;
    let position = std::str::from_utf8(value).ok()?.strip_prefix(topic)?;
    let (partition, offset) = position.strip_prefix('/')?.split_once('@')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// Reads the topic of events to its end, and returns the positions from which its records were
/// forwarded; `None` when stopped. Blocks, for as long as reading the topic takes.
pub fn find_forwarded(
    kafka: &KafkaConfig,
    is_stopped: impl Fn() -> bool,
) -> Result<Option<ForwardedPositions>, ConnectError> {
    let partitions = require_partitions(kafka, &kafka.topic)?;
    let consumer = kafka.lookup_consumer()?;
    let unreachable = |error: KafkaError| kafka.unreachable(&consumer, &error);
    let mut assignment = TopicPartitionList::new();
    let mut unread = BTreeMap::new();
    for partition in 0..partitions {
        let (low, end) = consumer
            .fetch_watermarks(&kafka.topic, partition, ANSWER_WITHIN)
            .map_err(unreachable)?;
        if low < end {
            unread.insert(partition, end);
            assignment
                .add_partition_offset(&kafka.topic, partition, Offset::Beginning)
                .map_err(unreachable)?;
        }
    }
    consumer.assign(&assignment).map_err(unreachable)?;
    let mut found = ForwardedPositions::default();
    while !unread.is_empty() {
        if is_stopped() {
            return Ok(None);
        }
        read_one(&consumer, &kafka.topic, &mut unread, &mut found);
    }
    Ok(Some(found))
}

/// Reads one record; removes its partition from the unread ones at its end.
fn read_one(
    consumer: &BaseConsumer<LastError>,
    topic: &str,
    unread: &mut BTreeMap<i32, i64>,
    found: &mut ForwardedPositions,
) {
    match consumer.poll(POLL) {
        Some(Ok(mut message)) => {
            let headers = headers::read(&mut message);
            if let Some((partition, offset)) = forwarded_from(topic, &headers) {
                found.insert(partition, offset, message.payload());
            }
            let (partition, next) = (message.partition(), message.offset() + 1);
            if unread.get(&partition).is_some_and(|&end| next >= end) {
                unread.remove(&partition);
            }
        }
        Some(Err(KafkaError::PartitionEOF(partition))) => {
            unread.remove(&partition);
        }
        // The client retries by itself.
        Some(Err(error)) => tracing::debug!(%error, "Kafka"),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header {
            name: name.as_bytes().to_vec(),
            value: Some(value.as_bytes().to_vec()),
        }
    }

    #[test]
    fn mark_is_read_as_it_is_written() {
        let written = header(FORWARDED_FROM, &mark("events", 3, 1_207));
        let headers = [header("traceparent", "00-1"), written];
        assert_eq!(forwarded_from("events", &headers), Some((3, 1_207)));
    }

    #[test]
    fn mark_with_another_value_repeats_no_record() {
        let mut found = ForwardedPositions::default();
        found.insert(3, 7, Some(b"an event"));
        assert!(found.contains(3, 7, Some(b"an event")));
        for value in [Some(&b"another event"[..]), None] {
            assert!(!found.contains(3, 7, value), "{value:?}");
        }
        assert!(!found.contains(3, 8, Some(b"an event")));
    }

    #[test]
    fn mark_of_another_topic_or_form_is_no_mark() {
        for value in ["other/3@7", "events-2/3@7", "events/3", "events/x@7", ""] {
            let headers = [header(FORWARDED_FROM, value)];
            assert_eq!(forwarded_from("events", &headers), None, "{value}");
        }
        assert_eq!(forwarded_from("events", &[]), None);
    }
}

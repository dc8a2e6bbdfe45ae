//! Which partition is a customer's home: the partitioners that Kafka's clients use.

use serde::{Deserialize, Serialize};

/// A partitioner of a topic, as its clients name it.
///
/// Part of the topic's configuration: a customer whose records land in two partitions would have
/// two owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioner {
    /// Java clients' default for keyed records; librdkafka's `murmur2_random`.
    #[default]
    Murmur2,
    /// librdkafka's default, `consistent_random`.
    Crc32,
    /// librdkafka's `fnv1a_random` (Sarama's default).
    Fnv1a,
}

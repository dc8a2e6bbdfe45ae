//! What the intake hands to a partition's task.

use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Message};
use tidemark_kafka::headers::{self, Header};
use tidemark_schemas::Instant;
use xxhash_rust::xxh3::Xxh3;

use crate::store::LastRecord;

/// A record as it came, detached from librdkafka's buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its place in the partition.
    pub(crate) offset: i64,
    /// The broker's timestamp, or the producer's where the topic keeps those.
    pub(crate) timestamp: Timestamp,
    /// As it came.
    pub(crate) key: Option<Vec<u8>>,
    /// As it came.
    pub(crate) value: Option<Vec<u8>>,
    /// As they came; names may repeat.
    pub(crate) headers: Vec<Header>,
}

impl Record {
    /// Copies a message out of librdkafka.
    pub(crate) fn detach(message: &mut BorrowedMessage<'_>) -> Self {
        let headers = headers::read(message);
        Self {
            offset: message.offset(),
            timestamp: message.timestamp(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers,
        }
    }

    /// Returns the time that the log tells of the record, if it does.
    pub(crate) fn told_time(&self) -> Option<Instant> {
        self.timestamp.to_millis().map(Instant::from_millis_clamped)
    }

    /// Returns what tells the record from another at its offset.
    pub(crate) fn identity(&self) -> LastRecord {
        let mut hash = Xxh3::new();
        let mut add = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            hash.update(&length.to_le_bytes());
            hash.update(bytes.unwrap_or_default());
        };
        add(self.key.as_deref());
        add(self.value.as_deref());
        for header in &self.headers {
            add(Some(&header.name));
            add(header.value.as_deref());
        }
        LastRecord {
            offset: self.offset,
            appended_at: self
                .timestamp
                .to_millis()
                .map(|millis| millis.saturating_mul(1_000)),
            hash: hash.digest().cast_signed(),
        }
    }

    /// About how many bytes of memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        const FIXED: usize = size_of::<Record>();
        let headers: usize = self.headers.iter().map(Header::bytes).sum();
        FIXED
            + self.key.as_ref().map_or(0, Vec::len)
            + self.value.as_ref().map_or(0, Vec::len)
            + headers
    }
}

/// What a partition's task is told, in order.
#[derive(Debug)]
pub(crate) enum Input {
    /// The next record.
    Record(Record),
    /// Everything before this position was handed over; the log ended there.
    EndOfPartition {
        /// The next offset to be read.
        position: i64,
    },
    /// The broker said where the log ends.
    LogEnd {
        /// The next offset to be written.
        end: i64,
        /// What the wall clock said before the broker was asked.
        asked_at: Instant,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a record with this key and value and one header.
    fn record(key: Option<&[u8]>, value: Option<&[u8]>) -> Record {
        Record {
            offset: 7,
            timestamp: Timestamp::LogAppendTime(1_000),
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: vec![Header {
                name: b"trace".to_vec(),
                value: None,
            }],
        }
    }

    #[test]
    fn identity_of_a_record_is_a_stored_format_and_does_not_change() {
        let identity = record(Some(b"acme/c-17"), Some(b"value")).identity();
        assert_eq!(
            (identity.offset, identity.appended_at),
            (7, Some(1_000_000))
        );
        assert_eq!(identity.hash, 7_814_627_275_160_791_590);
    }

    #[test]
    fn identity_tells_apart_where_bytes_are_and_whether_there_are_any() {
        let records = [
            record(Some(b"ab"), Some(b"c")),
            record(Some(b"a"), Some(b"bc")),
            record(Some(b"abc"), Some(b"")),
            record(Some(b"abc"), None),
            record(None, Some(b"abc")),
        ];
        let hashes: std::collections::BTreeSet<i64> = records
            .iter()
            .map(|record| record.identity().hash)
            .collect();
        assert_eq!(hashes.len(), records.len());
    }
}

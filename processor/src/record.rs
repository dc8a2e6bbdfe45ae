//! What the intake hands to a partition's task.

use rdkafka::message::{BorrowedMessage, Message};
use tidemark_kafka::headers::{self, Header};
use tidemark_schemas::Instant;

/// A record as it came, detached from librdkafka's buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its place in the partition.
    pub(crate) offset: i64,
    /// The broker's timestamp (the producer's where the topic keeps those); `None` where the
    /// record carries none.
    pub(crate) appended_at: Option<Instant>,
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
            appended_at: message
                .timestamp()
                .to_millis()
                .map(Instant::from_millis_clamped),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers,
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

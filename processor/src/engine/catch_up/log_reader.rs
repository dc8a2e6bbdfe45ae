//! A reader of one partition's log, beside the intake: for scopes that catch up.

use std::collections::VecDeque;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tidemark_kafka::KafkaConfig;
use tidemark_kafka::diagnostics::LastError;
use tokio::sync::mpsc;

use crate::engine::context::Context;
use crate::memory::{MemoryReservation, prefetch_bytes};
use crate::record::Record;
use crate::threads;

const POLL: Duration = Duration::from_millis(100);
/// The pause before a client that could not be created is created again.
const RETRY: Duration = Duration::from_secs(1);
/// The number of records read ahead of librdkafka's own queue.
const AHEAD: usize = 256;

/// What the reader's thread hands over, in order.
#[derive(Debug)]
enum Read {
    Record(Record),
    /// Everything before this position was handed over; the log ended there.
    End(i64),
    /// The records from the position on are gone from the log.
    Gone,
}

/// See the module.
#[derive(Debug)]
pub(super) struct LogReader {
    reads: mpsc::Receiver<Read>,
    ahead: VecDeque<Read>,
    /// The first offset not taken.
    position: i64,
    /// What the client holds.
    _reservation: MemoryReservation,
}

/// The next records are gone from the log.
#[derive(Debug)]
pub(super) struct Gone;

impl LogReader {
    /// Reads a partition from an offset on, on a thread of its own.
    pub(super) fn start(shared: &Context, partition: i32, from: i64) -> Self {
        let (sender, reads) = mpsc::channel(AHEAD);
        let (kafka, topic) = (shared.kafka.borrow().clone(), shared.topic.clone());
        let prefetch = (prefetch_bytes(shared.limits.memory_bytes) / 4).max(64 * 1024);
        let read = move || read(&kafka, prefetch, &topic, partition, from, &sender);
        if let Err(error) = threads::spawn("tidemark-catch-up", read) {
            // The channel is closed then, and the reader is started again.
            tracing::warn!(partition, %error, "cannot read the log again");
        }
        Self {
            reads,
            ahead: VecDeque::new(),
            position: from,
            _reservation: MemoryReservation::new(&shared.budget, 2 * prefetch),
        }
    }

    /// Returns the first offset not taken.
    pub(super) const fn position(&self) -> i64 {
        self.position
    }

    /// Returns whether the thread has ended: another reader is to be started.
    pub(super) fn has_ended(&self) -> bool {
        self.ahead.is_empty() && self.reads.is_closed() && self.reads.is_empty()
    }

    /// Waits until there is something to take before an offset.
    pub(super) async fn readable(&mut self, end: i64) {
        if let Some(Read::Record(record)) = self.ahead.front()
            && record.offset >= end
        {
            return std::future::pending().await;
        }
        if self.ahead.is_empty() {
            match self.reads.recv().await {
                Some(read) => self.ahead.push_back(read),
                None => std::future::pending().await,
            }
        }
    }

    /// Takes the next record before the offset `end`, of those that were read already. The position moves to
    /// `end` where none is left before it.
    pub(super) fn take(&mut self, end: i64) -> Result<Option<Record>, Gone> {
        while let Some(read) = self
            .ahead
            .pop_front()
            .or_else(|| self.reads.try_recv().ok())
        {
            match read {
                Read::Record(record) if record.offset >= end => {
                    self.position = self.position.max(end);
                    self.put_back(record);
                    return Ok(None);
                }
                Read::Record(record) => {
                    self.position = record.offset + 1;
                    return Ok(Some(record));
                }
                Read::End(position) => self.position = self.position.max(position.min(end)),
                Read::Gone => {
                    self.ahead.push_front(Read::Gone);
                    return Err(Gone);
                }
            }
        }
        Ok(None)
    }

    /// Puts a record back that was taken last.
    pub(super) fn put_back(&mut self, record: Record) {
        self.position = self.position.min(record.offset);
        self.ahead.push_front(Read::Record(record));
    }
}

fn read(
    kafka: &KafkaConfig,
    prefetch: usize,
    topic: &str,
    partition: i32,
    from: i64,
    sender: &mpsc::Sender<Read>,
) {
    let consumer = loop {
        match consumer(kafka, prefetch, topic, partition, from) {
            Ok(consumer) => break consumer,
            Err(_) if sender.is_closed() => return,
            Err(error) => {
                tracing::warn!(partition, %error, "cannot read the log again yet");
                std::thread::sleep(RETRY);
            }
        }
    };
    let mut position = from;
    while !sender.is_closed() {
        let read = match consumer.poll(POLL) {
            None => continue,
            Some(Ok(mut message)) => {
                let record = Record::detach(&mut message);
                position = record.offset + 1;
                Read::Record(record)
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                position =
                    position.max(position_of(&consumer, topic, partition).unwrap_or(position));
                Read::End(position)
            }
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
            ))) => Read::Gone,
            Some(Err(error)) => {
                tracing::debug!(partition, %error, "reading the log again");
                continue;
            }
        };
        // Fails once the reader is dropped.
        if sender.blocking_send(read).is_err() {
            return;
        }
    }
}

fn consumer(
    kafka: &KafkaConfig,
    prefetch: usize,
    topic: &str,
    partition: i32,
    from: i64,
) -> KafkaResult<BaseConsumer<LastError>> {
    let consumer: BaseConsumer<LastError> = kafka
        .consumer()
        // As the intake's; it neither joins the group nor commits to it.
        .set("group.id", &kafka.group)
        .set("queued.max.messages.kbytes", (prefetch / 1024).to_string())
        .set("fetch.max.bytes", prefetch.to_string())
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.wait.max.ms", "20")
        .create_with_context(LastError::default())?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(from))?;
    consumer.assign(&list)?;
    Ok(consumer)
}

fn position_of(consumer: &BaseConsumer<LastError>, topic: &str, partition: i32) -> Option<i64> {
    let positions = consumer.position().ok()?;
    let position = positions.find_partition(topic, partition)?;
    position.offset().to_raw().filter(|offset| *offset >= 0)
}

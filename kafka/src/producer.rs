//! Publishing with a known result for every record, by the line of the input that it came from.
//!
//! Its calls block: run it on a blocking thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use crate::config::KafkaConfig;
use crate::error::ConnectError;
use crate::topics::require_partitions;

/// The time within which a broker must accept a record, retries included.
const DELIVERY_TIMEOUT_MS: &str = "60000";

/// A record that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The line of the input.
    pub line: u64,
    /// The reason.
    pub reason: String,
}

/// The results of the records sent so far.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    /// The number of records that a broker accepted.
    pub delivered: u64,
    /// The records that no broker accepted.
    pub undelivered: Vec<Undelivered>,
    /// The offset after the last accepted record, by partition.
    pub ends: BTreeMap<i32, i64>,
    /// The offsets of the accepted records, by partition: ranges in ascending order.
    pub offsets: BTreeMap<i32, Vec<Range<i64>>>,
}

impl Deliveries {
    fn deliver(&mut self, partition: i32, offset: i64) {
        self.delivered += 1;
        let end = self.ends.entry(partition).or_default();
        *end = (*end).max(offset + 1);
        let ranges = self.offsets.entry(partition).or_default();
        match ranges.last_mut() {
            Some(last) if last.end == offset => last.end += 1,
            _ => ranges.push(offset..offset + 1),
        }
    }
}

#[derive(Debug, Default)]
struct Context {
    deliveries: Mutex<Deliveries>,
}

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, line: Self::DeliveryOpaque) {
        let mut deliveries = self
            .deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(message) => {
                deliveries.deliver(message.partition(), message.offset());
            }
            Err((error, _)) => {
                let reason = explain(error);
                deliveries.undelivered.push(Undelivered {
                    line: *line,
                    reason,
                });
            }
        }
    }
}

/// Publishes records to one topic.
#[allow(
    missing_debug_implementations,
    reason = "the producer is a foreign handle"
)]
pub struct Publisher {
    producer: BaseProducer<Context>,
    topic: String,
}

impl Publisher {
    /// Connects, and checks that the topic exists. Blocks.
    pub fn connect(kafka: &KafkaConfig, topic: &str) -> Result<Self, ConnectError> {
        require_partitions(kafka, topic)?;
        let mut client = kafka.client();
        client
            .set("partitioner", kafka.partitioner.librdkafka_name())
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", DELIVERY_TIMEOUT_MS)
            .set("queue.buffering.max.messages", "100000")
            .set("linger.ms", "20");
        let producer = client
            .create_with_context(Context::default())
            .map_err(ConnectError::from_creation)?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    /// Queues one record, waiting while the queue is full. [`Self::finish`] returns its result; an
    /// error here concerns this record alone.
    pub fn send(&self, line: u64, key: &str, value: &[u8]) -> Result<(), Undelivered> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, Box::new(line))
            .key(key)
            .payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    record = returned;
                    self.producer.poll(Duration::from_millis(100));
                }
                Err((error, _)) => {
                    return Err(Undelivered {
                        line,
                        reason: explain(&error),
                    });
                }
            }
        }
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    /// Returns the number of records accepted so far, and the offset after the last of each
    /// partition.
    pub fn accepted(&self) -> (u64, BTreeMap<i32, i64>) {
        self.producer.poll(Duration::ZERO);
        let deliveries = self.deliveries();
        (deliveries.delivered, deliveries.ends.clone())
    }

    /// Waits for results for at most this long.
    pub fn poll(&self, at_most: Duration) {
        self.producer.poll(at_most);
    }

    /// Waits for the result of every record, and returns all results.
    pub fn finish(&self) -> Deliveries {
        let deadline = Instant::now() + Duration::from_secs(90);
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.producer.poll(Duration::from_millis(100));
        }
        self.deliveries().clone()
    }

    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        let context = self.producer.client().context();
        context
            .deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn explain(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            "the event is larger than the broker accepts (message.max.bytes)".to_owned()
        }
        Some(RDKafkaErrorCode::MessageTimedOut) => {
            "no broker accepted it in time (message.timeout.ms)".to_owned()
        }
        Some(code) => code.to_string(),
        None => error.to_string(),
    }
}

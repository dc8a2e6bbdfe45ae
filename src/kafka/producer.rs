//! Publishing: every record's fate is known, by the line it came from.
//!
//! Blocking by design: a publisher has nothing else to do than wait for the broker. Run it on a
//! blocking thread.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders, ToBytes};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use super::{client_config, require_partitions, wrong_property};
use crate::config;

/// How long the broker may take for one record, retries included.
const DELIVERY_TIMEOUT_MS: &str = "60000";

/// A record that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The line it came from.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What became of the records sent so far.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    /// Accepted by the broker.
    pub delivered: u64,
    /// Not accepted.
    pub undelivered: Vec<Undelivered>,
    /// Per partition: the offset after the last record accepted.
    pub ends: BTreeMap<i32, i64>,
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
                deliveries.delivered += 1;
                let end = deliveries.ends.entry(message.partition()).or_default();
                *end = (*end).max(message.offset() + 1);
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

/// A record as it was found, and where it belongs.
#[derive(Debug, Clone, Copy)]
pub struct Again<'a> {
    /// Its home.
    pub partition: i32,
    /// As it came.
    pub key: Option<&'a [u8]>,
    /// As it came.
    pub value: Option<&'a [u8]>,
    /// As they came.
    pub headers: &'a [(String, Option<Vec<u8>>)],
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
    /// Connects, and checks that the topic is there. Blocks.
    pub fn connect(kafka: &config::Kafka, topic: &str) -> anyhow::Result<Self> {
        require_partitions(kafka, topic)?;
        let mut client = client_config(kafka);
        client
            .set("partitioner", kafka.partitioner.librdkafka_name())
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", DELIVERY_TIMEOUT_MS)
            .set("queue.buffering.max.messages", "100000")
            .set("linger.ms", "20");
        let producer = client
            .create_with_context(Context::default())
            .map_err(|error| wrong_property(&error))?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    /// Hands one record to the broker, waiting while the queue is full. What becomes of it is in
    /// [`Self::finish`]; an error here concerns this record alone.
    pub fn send(&self, line: u64, key: &str, value: &[u8]) -> Result<(), Undelivered> {
        let record = BaseRecord::with_opaque_to(&self.topic, Box::new(line))
            .key(key)
            .payload(value);
        self.hand_over(line, record)
    }

    /// Hands a record over as it is found elsewhere, to a partition chosen already.
    pub fn send_again(&self, line: u64, again: &Again<'_>) -> Result<(), Undelivered> {
        let mut headers = OwnedHeaders::new();
        for (name, value) in again.headers {
            headers = headers.insert(Header {
                key: name,
                value: value.as_ref(),
            });
        }
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(&self.topic, Box::new(line))
            .partition(again.partition)
            .headers(headers);
        if let Some(key) = again.key {
            record = record.key(key);
        }
        if let Some(value) = again.value {
            record = record.payload(value);
        }
        self.hand_over(line, record)
    }

    fn hand_over<K: ToBytes + ?Sized, V: ToBytes + ?Sized>(
        &self,
        line: u64,
        mut record: BaseRecord<'_, K, V, Box<u64>>,
    ) -> Result<(), Undelivered> {
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

    /// How many records are accepted by now, and up to which offset of each partition.
    pub fn accepted(&self) -> (u64, BTreeMap<i32, i64>) {
        self.producer.poll(Duration::ZERO);
        let deliveries = self.deliveries();
        (deliveries.delivered, deliveries.ends.clone())
    }

    /// Gives the broker a moment.
    pub fn poll(&self, moment: Duration) {
        self.producer.poll(moment);
    }

    /// Waits until the fate of every record is known.
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

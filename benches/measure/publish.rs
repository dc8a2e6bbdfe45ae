//! Fills a topic as fast as the broker accepts records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use tidemark_schemas::codec::Encoder;
use tidemark_schemas::{CustomerEvent, Partitioner};

use crate::it::support::kafka::Kafka;

const DELIVERED_WITHIN: Duration = Duration::from_mins(5);

/// A producer that counts delivered records.
pub(crate) struct Filler {
    producer: ThreadedProducer<Deliveries>,
    encoder: Encoder,
    topic: String,
    value: Vec<u8>,
    sent: u64,
}

#[derive(Default, Clone)]
struct Deliveries {
    delivered: Arc<AtomicU64>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.delivered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Filler {
    pub(crate) fn new(kafka: &Kafka, topic: &str, encoder: Encoder, linger: Duration) -> Self {
        let producer = kafka
            .client()
            .set("partitioner", Partitioner::Murmur2.librdkafka_name())
            .set("enable.idempotence", "true")
            .set("linger.ms", linger.as_millis().to_string())
            .set("batch.size", "1000000")
            .set("queue.buffering.max.messages", "500000")
            .create_with_context(Deliveries::default())
            .unwrap();
        Self {
            producer,
            encoder,
            topic: topic.to_owned(),
            value: Vec::new(),
            sent: 0,
        }
    }

    /// Queues an event under its key.
    pub(crate) fn send(&mut self, event: &CustomerEvent) {
        self.value.clear();
        self.encoder.encode_into(event, &mut self.value);
        let key = event.key().record_key();
        let mut record = BaseRecord::to(&self.topic).key(&key).payload(&self.value);
        while let Err((error, refused)) = self.producer.send(record) {
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            assert!(full, "the producer refused a record: {error}");
            std::thread::sleep(Duration::from_millis(2));
            record = refused;
        }
        self.sent += 1;
    }

    /// Waits until the broker has everything.
    pub(crate) fn finish(&self) {
        self.producer.flush(DELIVERED_WITHIN).unwrap();
        let delivered = self.producer.context().delivered.load(Ordering::Relaxed);
        assert_eq!(delivered, self.sent, "events were not delivered");
    }
}

//! Producers as CRMs run them: librdkafka with a chosen partitioner.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use tidemark_schemas::codec::Encoder;
use tidemark_schemas::{CustomerEvent, Partitioner};

use super::kafka::Kafka;

const DELIVERED_WITHIN: Duration = Duration::from_mins(1);

/// A producer to one topic.
pub(crate) struct Publisher {
    producer: ThreadedProducer<DefaultProducerContext>,
    encoder: Encoder,
    topic: String,
}

impl Publisher {
    pub(crate) fn new(
        kafka: &Kafka,
        topic: &str,
        partitioner: Partitioner,
        encoder: Encoder,
    ) -> Self {
        let producer = kafka
            .client()
            .set("partitioner", partitioner.librdkafka_name())
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "1000000")
            .create()
            .unwrap();
        Self {
            producer,
            encoder,
            topic: topic.to_owned(),
        }
    }

    /// Publishes an event under its own key.
    pub(crate) fn event(&self, event: &CustomerEvent) {
        self.raw(
            event.key().record_key().as_bytes(),
            &self.encoder.encode(event),
            &[],
        );
    }

    /// Returns the encoded event, for a test to corrupt.
    pub(crate) fn encode(&self, event: &CustomerEvent) -> Vec<u8> {
        self.encoder.encode(event)
    }

    /// Publishes any key, value and headers.
    pub(crate) fn raw(&self, key: &[u8], value: &[u8], headers: &[(&str, &[u8])]) {
        let mut all = OwnedHeaders::new();
        for (key, value) in headers {
            all = all.insert(Header {
                key,
                value: Some(*value),
            });
        }
        let mut record = BaseRecord::to(&self.topic)
            .key(key)
            .payload(value)
            .headers(all);
        while let Err((error, refused)) = self.producer.send(record) {
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            assert!(full, "the producer refused a record: {error}");
            std::thread::sleep(Duration::from_millis(5));
            record = refused;
        }
    }

    /// Waits until the broker has acknowledged every record.
    pub(crate) fn flush(&self) {
        self.producer.flush(DELIVERED_WITHIN).unwrap();
        assert_eq!(self.producer.in_flight_count(), 0);
    }
}

//! Publishing records again, each to another partition of its topic and with a known result.

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::{ClientConfig, ClientContext};

use crate::config::KafkaConfig;
use crate::error::ConnectError;

/// A record of any size that the topic accepts; librdkafka's own limit would be 1 MB.
const MESSAGE_MAX_BYTES: &str = "1000000000";

/// A record to be published to a given partition.
#[derive(Debug, Clone)]
pub struct Forwarded<'a> {
    /// The partition.
    pub partition: i32,
    /// The timestamp in milliseconds, where the topic keeps those of producers; `None`: now.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The headers: names and values. rdkafka publishes no name that is not UTF-8.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// The reason why a record was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// The broker does not allow this client to publish to the topic.
    #[error("{0}")]
    Unauthorized(String),
    /// The broker or the client refuses the record itself, or another of its request.
    #[error("{0}")]
    Refused(String),
    /// The client's queue is full.
    #[error("the producer's queue is full")]
    QueueFull,
    /// A fault that a retry may cure, with a new client where this one has failed.
    #[error("{0}")]
    Failed(String),
}

/// An idempotent producer that retries for as long as it lives: records of one caller reach a
/// partition in the order in which they were queued.
#[allow(
    missing_debug_implementations,
    reason = "the producer is a foreign handle"
)]
pub struct Forwarder {
    producer: FutureProducer<Quiet>,
    topic: String,
}

/// The result of a queued record, when it is known.
#[allow(missing_debug_implementations, reason = "the future is foreign")]
pub struct Delivery(DeliveryFuture);

/// Logs what librdkafka says at a low level: the caller reports the result of each record.
#[derive(Debug)]
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(?level, facility, "librdkafka: {text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
    }
}

impl Forwarder {
    /// Creates a producer to the topic of events. It connects when a record is queued.
    pub fn new(kafka: &KafkaConfig) -> Result<Self, ConnectError> {
        Self::with(kafka, kafka.client())
    }

    /// Creates a producer that sends each record in a request of its own, so that a refusal concerns that
    /// record alone.
    pub fn without_batches(kafka: &KafkaConfig) -> Result<Self, ConnectError> {
        let mut client = kafka.client();
        client.set("batch.num.messages", "1");
        Self::with(kafka, client)
    }

    fn with(kafka: &KafkaConfig, mut client: ClientConfig) -> Result<Self, ConnectError> {
        let producer = client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("message.max.bytes", MESSAGE_MAX_BYTES)
            .set("queue.buffering.max.messages", "1000000")
            .set("linger.ms", "2")
            .create_with_context(Quiet)
            .map_err(ConnectError::from_creation)?;
        Ok(Self {
            producer,
            topic: kafka.topic.clone(),
        })
    }

    /// Queues a record.
    pub fn queue(&self, record: &Forwarded<'_>) -> Result<Delivery, ForwardError> {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for &(key, value) in &record.headers {
            headers = headers.insert(Header { key, value });
        }
        let mut queued = FutureRecord::to(&self.topic)
            .partition(record.partition)
            .key(record.key)
            .payload(record.value)
            .headers(headers);
        if let Some(timestamp) = record.timestamp {
            queued = queued.timestamp(timestamp);
        }
        match self.producer.send_result(queued) {
            Ok(delivery) => Ok(Delivery(delivery)),
            Err((error, _)) => Err(ForwardError::from(&error)),
        }
    }

    /// Returns the error after which the producer delivers nothing more, if there was one.
    pub fn fatal_error(&self) -> Option<ForwardError> {
        let (code, reason) = self.producer.client().fatal_error()?;
        Some(if is_unauthorized(code) {
            ForwardError::Unauthorized(reason)
        } else {
            ForwardError::Failed(reason)
        })
    }
}

impl Delivery {
    /// Waits for the result. Nothing is lost when the future is dropped.
    pub async fn result(&mut self) -> Result<(), ForwardError> {
        match (&mut self.0).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(ForwardError::from(&error)),
            Err(_) => Err(ForwardError::Failed("the producer has ended".to_owned())),
        }
    }
}

impl From<&KafkaError> for ForwardError {
    fn from(error: &KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Self::QueueFull,
            Some(code) if is_unauthorized(code) => Self::Unauthorized(code.to_string()),
            Some(
                code @ (RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidMessage
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidTimestamp
                | RDKafkaErrorCode::PolicyViolation),
            ) => Self::Refused(code.to_string()),
            Some(code) => Self::Failed(code.to_string()),
            None => Self::Failed(error.to_string()),
        }
    }
}

const fn is_unauthorized(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}

//! Errors that end a processor.

use tidemark_kafka::ConnectError;

use crate::store::StoreError;

/// The reason why the processor stopped or could not start. A running processor does not end for an
/// unavailable database or registry: these only pause it.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// The database, at the start, or in a way that waiting does not cure.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry's configuration.
    #[error("schema registry: {0}")]
    Registry(String),
    /// No broker answered at the start.
    #[error("Kafka at {servers} does not answer: {reason}")]
    Unreachable {
        /// The servers.
        servers: String,
        /// The reason that librdkafka gives.
        reason: String,
    },
    /// A topic does not exist, or has another shape than the generation was made for.
    #[error("topic {topic}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// The problem.
        reason: String,
    },
    /// A property that must not be set, or that librdkafka does not know.
    #[error("kafka.properties: {0}")]
    Property(String),
    /// Records we had not folded are gone from the log: going on would lose them.
    #[error(
        "{topic}/{partition}: offset {wanted} is not in the log any more (it holds {low} to \
         {high}); records were lost to retention before they were folded"
    )]
    LogTrimmed {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset not folded.
        wanted: i64,
        /// The first offset there is.
        low: i64,
        /// The next offset to be written.
        high: i64,
    },
    /// Kafka, in a way that waiting does not cure.
    #[error("Kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// A thread or task of ours ended when it should not have.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<ConnectError> for ProcessorError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Property(reason) => Self::Property(reason),
            ConnectError::Client(error) => Self::Property(error.to_string()),
            ConnectError::Unreachable { servers, reason } => Self::Unreachable { servers, reason },
            ConnectError::NoTopic { topic, .. } => Self::Topic {
                topic,
                reason: "does not exist".to_owned(),
            },
            ConnectError::Topic { topic, reason } => Self::Topic { topic, reason },
            ConnectError::EmbeddedBroker(error) => Self::Kafka(error),
        }
    }
}

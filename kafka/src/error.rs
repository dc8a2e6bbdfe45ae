//! The errors of connecting.

use rdkafka::error::KafkaError;

/// The reason why a client cannot be created, or a topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// librdkafka refuses a property.
    #[error("kafka.properties: {0}")]
    Property(String),
    /// librdkafka cannot create a client.
    #[error("cannot make a Kafka client: {0}")]
    Client(#[source] KafkaError),
    /// No broker answers, or none accepts the client.
    #[error("no Kafka broker answers at {servers}: {reason}")]
    Unreachable {
        /// The brokers that were tried.
        servers: String,
        /// The last reason that librdkafka gave.
        reason: String,
    },
    /// The topic does not exist.
    #[error(
        "there is no topic {topic} on {servers}: create it (with \
         message.timestamp.type=LogAppendTime), or name another in the configuration"
    )]
    NoTopic {
        /// The topic.
        topic: String,
        /// The brokers that were asked.
        servers: String,
    },
    /// The topic cannot be used, or not created.
    #[error("topic {topic}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// The reason.
        reason: String,
    },
    /// The embedded broker cannot start.
    #[error("cannot start the embedded broker: {0}")]
    EmbeddedBroker(#[source] KafkaError),
}

impl ConnectError {
    /// Returns the error for a client that could not be created.
    pub fn from_creation(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(_, description, key, value) => {
                let given = if value.is_empty() { "" } else { ", as given" };
                Self::Property(format!("{description} (property `{key}`{given})"))
            }
            other => Self::Client(other),
        }
    }
}

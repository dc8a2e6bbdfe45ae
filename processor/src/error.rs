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
    /// Records that were not folded are gone from the log: going on would lose them.
    #[error(
        "{topic}/{partition}: offset {wanted} is not in the log any more (it holds {low} to \
         {high}); records were lost to retention before they were folded. Restore them, or publish \
         the events to a new topic and fold it into a new database: `tidemark migrate`, then \
         `tidemark process`"
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
    /// Records of a deferred tenant or customer are gone from the log.
    #[error(
        "{topic}/{partition}: the records from offset {wanted} on, which a deferred tenant or customer has not \
         folded yet, are gone from the log (`tidemark deferred list` names it). Nothing can fold them any \
         more: restore the topic with these offsets, or publish the events to a new topic and fold it into \
         a new database"
    )]
    DeferredTrimmed {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset that is missing.
        wanted: i64,
    },
    /// The log is not the one that was folded so far: offsets belong to other records.
    #[error(
        "{topic}/{partition} is not the log that was read up to offset {next_offset}: it {what}. It \
         was truncated, or the topic was deleted and created again, or the brokers are others. If so \
         by mistake, restore the topic or correct `kafka.bootstrap_servers`, and start again; else \
         fold the log into a new database: `tidemark migrate`, then `tidemark process`"
    )]
    OtherLog {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset not read.
        next_offset: i64,
        /// The difference that was found.
        what: String,
    },
    /// A fixed clock, where clocks have followed the wall clock.
    #[error(
        "--clock cannot be used: the clocks of generation {generation} have followed the wall clock. \
         Start without --clock, or fold the topics into a new database: `tidemark migrate`, then \
         `tidemark process --clock`"
    )]
    FixedClock {
        /// The generation.
        generation: i32,
    },
    /// Partitions were added to the topic while it was read.
    #[error(
        "topic {topic} has {found} partitions or more, but its events were folded from {expected}: \
         with other partitions the events of a customer go to another partition than before. \
         Partitions cannot be removed: create a topic with the partitions that are needed, publish \
         the events to it, and fold it into a new database: `tidemark migrate`, then `tidemark \
         process`"
    )]
    PartitionsAdded {
        /// The topic.
        topic: String,
        /// The number of partitions of the generation.
        expected: i32,
        /// The number of partitions that were seen.
        found: i32,
    },
    /// So many customers of a partition cannot be processed that the fault is not one of theirs.
    #[error(
        "partition {partition}: {customer} cannot be processed ({detail}), and a thousand other customers before \
         it could not either and are quarantined. The fault is one of this version of tidemark, of the \
         definitions or of the database, not of customers. Nothing is lost: `tidemark deferred list` shows what \
         failed. Start the version that ran before, or correct what `detail` names, then resume the customers: \
         `tidemark deferred resume`"
    )]
    CustomersFail {
        /// The partition.
        partition: i32,
        /// The customer, with its tenant.
        customer: String,
        /// What happened.
        detail: String,
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
                reason: "does not exist: create it (see \"Create the topics\" in \
                         docs/OPERATIONS.md), or name another in the configuration"
                    .to_owned(),
            },
            ConnectError::Topic { topic, reason } => Self::Topic { topic, reason },
            ConnectError::EmbeddedBroker(error) => Self::Kafka(error),
        }
    }
}

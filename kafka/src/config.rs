//! The configuration of clients, and the clients made from it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use tidemark_schemas::Partitioner;

use crate::diagnostics::{LastError, explain};
use crate::error::ConnectError;

/// The time within which a broker must answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Properties on which the laws rest: a configuration that names one is refused.
pub const RESERVED_PROPERTIES: &[&str] = &[
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "partition.assignment.strategy",
];

/// The brokers, the topics, and how to connect.
#[derive(Clone)]
pub struct KafkaConfig {
    /// Brokers as `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// The topic of customer events.
    pub topic: String,
    /// The topic of definitions: one partition.
    pub definitions_topic: String,
    /// The consumer group. Its committed offsets are for dashboards only.
    pub group: String,
    /// The client's name in the brokers' logs, and in the claims on partitions.
    pub client_id: String,
    /// The partitioner of the topic of events.
    pub partitioner: Partitioner,
    /// Properties of librdkafka, by their own names.
    pub properties: BTreeMap<String, String>,
}

/// Leaves out the values of properties: passwords are among them.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("topic", &self.topic)
            .field("group", &self.group)
            .field("properties", &self.properties.keys())
            .finish_non_exhaustive()
    }
}

impl KafkaConfig {
    /// Returns the properties of a client: those of the configuration, over the defaults.
    pub fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", &self.client_id);
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        client
    }

    /// Returns the properties of a consumer that keeps its positions in the database.
    pub fn consumer(&self) -> ClientConfig {
        let mut consumer = ClientConfig::new();
        consumer
            .set("max.poll.interval.ms", "600000")
            .set("socket.keepalive.enable", "true");
        for (name, value) in &self.properties {
            consumer.set(name, value);
        }
        consumer
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", &self.client_id)
            .set("auto.offset.reset", "error")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed");
        consumer
    }

    /// Creates a consumer without a group, for lookups. Unlike a producer it never creates the topic
    /// that it asks for, and it keeps the reason why a broker refuses it.
    pub fn lookup_consumer(&self) -> Result<BaseConsumer<LastError>, ConnectError> {
        self.client()
            .set("group.id", format!("{}-lookup", self.group))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            .set("isolation.level", "read_committed")
            .set_log_level(RDKafkaLogLevel::Info)
            .create_with_context(LastError::default())
            .map_err(ConnectError::from_creation)
    }

    /// Returns the error for brokers that do not answer a lookup. Blocks for up to a second.
    pub fn unreachable(
        &self,
        consumer: &BaseConsumer<LastError>,
        error: &rdkafka::error::KafkaError,
    ) -> ConnectError {
        ConnectError::Unreachable {
            servers: self.bootstrap_servers.clone(),
            reason: explain(consumer, error),
        }
    }

    /// Fails if a property is set on which the laws rest.
    pub fn check_properties(&self) -> Result<(), ConnectError> {
        let mut names = self.properties.keys();
        match names.find(|name| RESERVED_PROPERTIES.contains(&name.as_str())) {
            Some(name) => Err(ConnectError::Property(format!(
                "{name} cannot be set: the laws rest on it"
            ))),
            None => Ok(()),
        }
    }
}

//! The embedded broker: librdkafka's mock cluster, which speaks the Kafka protocol from memory.
//!
//! For trying out and developing. It keeps 5 MiB and 100,000 messages of a partition and drops older
//! ones silently, so publishers must watch the lag.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::config::KafkaConfig;
use crate::error::ConnectError;

/// A broker that lives as long as this value. Not `Send`: keep it where it was made.
#[allow(
    missing_debug_implementations,
    reason = "the cluster is a foreign handle"
)]
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts a broker with the topics of events and of definitions.
    pub fn start(kafka: &KafkaConfig, partitions: i32) -> Result<Self, ConnectError> {
        let start = || -> Result<_, KafkaError> {
            let cluster = MockCluster::new(1)?;
            cluster.create_topic(&kafka.topic, partitions, 1)?;
            cluster.create_topic(&kafka.definitions_topic, 1, 1)?;
            Ok(cluster)
        };
        let cluster = start().map_err(ConnectError::EmbeddedBroker)?;
        Ok(Self { cluster })
    }

    /// Returns the address on which it listens.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

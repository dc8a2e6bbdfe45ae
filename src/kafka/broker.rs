//! The embedded broker: librdkafka's mock cluster, which speaks the Kafka protocol from memory.
//!
//! Good for trying out and developing. It keeps 5 MiB and 100,000 messages per partition and drops
//! older ones without a word, so publishers watch the lag (see [`super::producer`]).

use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::config;

/// A broker that lives as long as this value. Not `Send`: keep it where it was made.
#[allow(
    missing_debug_implementations,
    reason = "the cluster is a foreign handle"
)]
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts a broker with our two topics.
    pub fn start(kafka: &config::Kafka, partitions: i32) -> anyhow::Result<Self> {
        let cluster = MockCluster::new(1).context("cannot start the embedded broker")?;
        cluster
            .create_topic(&kafka.topic, partitions, 1)
            .with_context(|| format!("cannot make topic {}", kafka.topic))?;
        cluster
            .create_topic(&kafka.definitions_topic, 1, 1)
            .with_context(|| format!("cannot make topic {}", kafka.definitions_topic))?;
        Ok(Self { cluster })
    }

    /// Where it listens.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

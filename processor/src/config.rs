//! What the processor is told. Grouped by concern; the root package reads files and variables.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tidemark_schemas::Partitioner;
use tidemark_schemas::registry::RegistryConfig;

use crate::clock::WallClock;
use crate::store::StoreConfig;

/// Everything the processor is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the log is.
    pub kafka: KafkaConfig,
    /// Where the writers' schemas are.
    pub registry: RegistryConfig,
    /// Where the projections go.
    pub store: StoreConfig,
    /// What time it is.
    pub clock: WallClock,
    /// How much at once.
    pub limits: Limits,
}

/// Where the log is and how to read it.
#[derive(Clone)]
pub struct KafkaConfig {
    /// `host:port`, comma-separated.
    pub bootstrap_servers: String,
    /// The topic of customer events.
    pub topic: String,
    /// The topic of definitions: one partition.
    pub definitions_topic: String,
    /// The consumer group; its committed offsets are for dashboards only.
    pub group: String,
    /// How this client names itself to the brokers, and the owner of claims to operators.
    pub client_id: String,
    /// How producers choose the partition of a key.
    pub partitioner: Partitioner,
    /// Any librdkafka property (security, timeouts); what correctness depends on cannot be set.
    pub properties: BTreeMap<String, String>,
}

/// Without the values of properties: passwords are among them.
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

/// Bounds on work and memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events folded into one commit at most.
    pub batch_events: usize,
    /// Bytes of records folded into one commit at most.
    pub batch_bytes: usize,
    /// How long a first event waits for company when no commit is under way.
    pub linger: Duration,
    /// Budget for queued records and cached states over all partitions, in bytes.
    pub memory_bytes: usize,
    /// How long a partition given away may take to finish its commit.
    pub drain: Duration,
    /// When a tenant's events are parked rather than folded.
    pub halt: HaltLimit,
}

/// A tenant is halted in a partition when more than this share of its recent records there was
/// parked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HaltLimit {
    /// From 0 to 1; 1 never halts.
    pub share: f64,
    /// How many of its last records are looked at.
    pub window: usize,
    /// How many there must be to judge.
    pub minimum: usize,
}

impl Default for HaltLimit {
    fn default() -> Self {
        Self {
            share: 0.5,
            window: 1_000,
            minimum: 200,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_events: 2_000,
            batch_bytes: 1024 * 1024,
            linger: Duration::from_millis(20),
            memory_bytes: 512 * 1024 * 1024,
            drain: Duration::from_secs(10),
            halt: HaltLimit::default(),
        }
    }
}

/// Properties that carry the laws; a configuration that names one is refused.
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

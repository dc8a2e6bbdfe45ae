//! The sections of the configuration and their defaults.

mod api;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};
use tidemark_kafka::KafkaConfig;
use tidemark_schemas::Partitioner;

pub use self::api::{Api, ApiLimits, Auth};
use super::secret::{MASK, Secret, is_secret_property, mask_url};

/// The whole configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The broker and the topics.
    pub kafka: Kafka,
    /// The schema registry.
    pub registry: Registry,
    /// The Postgres database of the projections.
    pub database: Database,
    /// The limits of folding.
    pub processor: Processor,
    /// The read API.
    pub api: Api,
    /// The log.
    pub log: Log,
}

/// `[kafka]`
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// Brokers as `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// The topic of customer events.
    pub topic: String,
    /// The topic of definitions: tenants, segments, journeys.
    pub definitions_topic: String,
    /// The consumer group. Its committed offsets are for monitoring only.
    pub group: String,
    /// The client's name in the brokers' logs.
    pub client_id: String,
    /// The partitioner of the topic of events: `murmur2`, `crc32` or `fnv1a`.
    pub partitioner: Partitioner,
    /// Properties of librdkafka, by their own names.
    #[serde(serialize_with = "masked_properties")]
    pub properties: BTreeMap<String, String>,
    /// Properties of librdkafka, each value read from the named file.
    pub property_files: BTreeMap<String, PathBuf>,
}

impl Kafka {
    /// Returns what clients of Kafka need of it.
    pub fn connection(&self) -> KafkaConfig {
        KafkaConfig {
            bootstrap_servers: self.bootstrap_servers.clone(),
            topic: self.topic.clone(),
            definitions_topic: self.definitions_topic.clone(),
            group: self.group.clone(),
            client_id: self.client_id.clone(),
            partitioner: self.partitioner,
            properties: self.properties.clone(),
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            bootstrap_servers: "localhost:9092".to_owned(),
            topic: "customer-events".to_owned(),
            definitions_topic: "tidemark.definitions".to_owned(),
            group: "tidemark".to_owned(),
            client_id: "tidemark".to_owned(),
            partitioner: Partitioner::default(),
            properties: BTreeMap::new(),
            property_files: BTreeMap::new(),
        }
    }
}

/// `[registry]`
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// The URL of a Confluent-compatible schema registry.
    #[serde(serialize_with = "masked_url")]
    pub url: String,
    /// The user name for basic authentication.
    pub username: Option<String>,
    /// The password for basic authentication.
    pub password: Option<Secret>,
    /// The file of the password.
    pub password_file: Option<PathBuf>,
    /// The file of certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            url: "http://localhost:8081".to_owned(),
            username: None,
            password: None,
            password_file: None,
            ca_file: None,
        }
    }
}

/// `[database]`
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://user@host:port/database?sslmode=verify-full`
    #[serde(serialize_with = "masked_url")]
    pub url: String,
    /// The password, in place of one in the URL.
    pub password: Option<Secret>,
    /// The file of the password.
    pub password_file: Option<PathBuf>,
    /// The role that the processor takes on after connecting.
    pub processor_role: String,
    /// The role that the API takes on after connecting.
    pub api_role: String,
    /// The most concurrent commits.
    pub writers: u32,
    /// Whether COMMIT waits for the disk. Without, a crash of Postgres rewinds offset and state
    /// together, and the processor folds the log again from there.
    pub synchronous_commit: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "postgres://localhost/tidemark".to_owned(),
            password: None,
            password_file: None,
            processor_role: "tidemark_processor".to_owned(),
            api_role: "tidemark_api".to_owned(),
            writers: 4,
            synchronous_commit: false,
        }
    }
}

/// `[processor]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Processor {
    /// The most events of one commit.
    pub batch_events: usize,
    /// The most bytes of records of one commit.
    pub batch_bytes: usize,
    /// The time for which the first event of a batch lingers, in milliseconds.
    pub linger_ms: u64,
    /// The budget for queued records and cached states, in MiB.
    pub memory_mib: usize,
    /// The longest time for the last commits when the processor stops or releases a partition.
    pub drain_seconds: u64,
    /// The time after which `/healthz` fails because a partition stands still although records wait.
    pub stalled_seconds: u64,
    /// The share of recent records above which parking halts a tenant in a partition; 1 never halts.
    pub halt_share: f64,
    /// The number of a tenant's last records that the share is taken of.
    pub halt_window: usize,
    /// The fewest records in the window before a tenant can be halted.
    pub halt_minimum: usize,
    /// The MiB of parked events that a tenant may have in one partition, before it is deferred there.
    pub parked_quota_mib_per_partition: u32,
    /// The address of the processor's `/metrics` and `/healthz`.
    pub metrics_listen: SocketAddr,
}

impl Default for Processor {
    fn default() -> Self {
        Self {
            batch_events: 2_000,
            batch_bytes: 1024 * 1024,
            linger_ms: 20,
            memory_mib: 512,
            drain_seconds: 10,
            stalled_seconds: 300,
            halt_share: 0.5,
            halt_window: 1_000,
            halt_minimum: 200,
            parked_quota_mib_per_partition: 64,
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
        }
    }
}

impl Processor {
    /// Returns the bytes of parked events that a tenant may have in one partition.
    pub fn parked_quota_bytes(&self) -> i64 {
        i64::from(self.parked_quota_mib_per_partition) * 1024 * 1024
    }
}

/// `[log]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// The filter, in the syntax of tracing's `EnvFilter`, for example `info,tidemark_processor=debug`.
    pub filter: Option<String>,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text, for people.
    #[default]
    Text,
    /// JSON, for programs.
    Json,
}

/// Implements `Debug` by serialisation, which masks secrets inside of fields.
macro_rules! debug_as_serialised {
    ($($section:ty),*) => {$(
        impl fmt::Debug for $section {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
            }
        }
    )*};
}
debug_as_serialised!(Kafka, Registry, Database);

#[allow(clippy::ptr_arg, reason = "serde passes what the field is")]
fn masked_url<S: Serializer>(url: &String, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&mask_url(url))
}

fn masked_properties<S: Serializer>(
    properties: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(properties.iter().map(|(name, value)| {
        let shown = if is_secret_property(name) {
            MASK
        } else {
            value.as_str()
        };
        (name, shown)
    }))
}

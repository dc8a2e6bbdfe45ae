//! The sections of the configuration and their defaults.

mod api;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};
use tidemark_schemas::Partitioner;

pub use self::api::{Api, ApiLimits, Auth};
use super::secret::{MASK, Secret, is_secret_property, mask_url};

/// The whole configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where events come from.
    pub kafka: Kafka,
    /// Where schemas come from.
    pub registry: Registry,
    /// Where projections live.
    pub database: Database,
    /// Limits of folding.
    pub processor: Processor,
    /// The read API.
    pub api: Api,
    /// What is told to operators.
    pub log: Log,
}

/// `[kafka]`
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// `host:port`, several with commas.
    pub bootstrap_servers: String,
    /// Customer events.
    pub topic: String,
    /// Tenants, segments and journeys.
    pub definitions_topic: String,
    /// The consumer group; its committed offsets are for other people's dashboards only.
    pub group: String,
    /// Names us in the brokers' logs.
    pub client_id: String,
    /// Which partition is a customer's home: `murmur2`, `crc32` or `fnv1a`.
    pub partitioner: Partitioner,
    /// Any librdkafka property, by its own name.
    #[serde(serialize_with = "masked_properties")]
    pub properties: BTreeMap<String, String>,
    /// The same, each value read from a file.
    pub property_files: BTreeMap<String, PathBuf>,
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
    /// A Confluent-compatible schema registry.
    #[serde(serialize_with = "masked_url")]
    pub url: String,
    /// For basic authentication.
    pub username: Option<String>,
    /// For basic authentication.
    pub password: Option<Secret>,
    /// Holds the password.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the system's.
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
    /// Used in place of one in the URL.
    pub password: Option<Secret>,
    /// Holds the password.
    pub password_file: Option<PathBuf>,
    /// Role the processor takes on after connecting.
    pub processor_role: String,
    /// Role the API takes on after connecting.
    pub api_role: String,
    /// How many commits may be under way at once.
    pub writers: u32,
    /// Whether folding waits for the disk at COMMIT. Without it a crash of Postgres rewinds offset
    /// and state together, and the log is read again from there.
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
    /// Events folded into one commit at most.
    pub batch_events: usize,
    /// Bytes of records folded into one commit at most.
    pub batch_bytes: usize,
    /// How long a first event waits for company, in milliseconds.
    pub linger_ms: u64,
    /// Budget for queued records and cached states, in MiB.
    pub memory_mib: usize,
    /// How long the last commits may take when the processor stops or gives a partition away.
    pub drain_seconds: u64,
    /// A tenant is halted in a partition when more than this share of its recent records there was
    /// parked; 1 never halts.
    pub halt_share: f64,
    /// How many of its last records are looked at.
    pub halt_window: usize,
    /// How many there must be to judge.
    pub halt_minimum: usize,
    /// Where `/metrics` and `/healthz` of the processor are served.
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
            halt_share: 0.5,
            halt_window: 1_000,
            halt_minimum: 200,
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// As tracing's `EnvFilter`, for example `info,tidemark_processor=debug`.
    pub filter: Option<String>,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Some fields hold secrets without being one: what is serialised has them masked.
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

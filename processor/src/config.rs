//! The processor's configuration, grouped by concern; the root package reads files and variables.

use std::time::Duration;

use tidemark_kafka::KafkaConfig;
use tidemark_schemas::registry::RegistryConfig;

use crate::clock::WallClock;
use crate::store::StoreConfig;

/// Everything the processor is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The log.
    pub kafka: KafkaConfig,
    /// The schema registry.
    pub registry: RegistryConfig,
    /// The database.
    pub store: StoreConfig,
    /// The clock.
    pub clock: WallClock,
    /// The limits of memory, batches and parking.
    pub limits: Limits,
}

/// Bounds on work and memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events folded into one commit at most.
    pub batch_events: usize,
    /// Bytes of records folded into one commit at most.
    pub batch_bytes: usize,
    /// The time that a first event lingers when no commit is under way.
    pub linger: Duration,
    /// Budget for queued records and cached states over all partitions, in bytes.
    pub memory_bytes: usize,
    /// The bound of the time in which a revoked partition finishes its commit.
    pub drain: Duration,
    /// The time after which a partition that stands still although records wait is reported.
    pub stalled: Duration,
    /// The limit of parked events at which a tenant is halted.
    pub halt: HaltLimit,
    /// The bytes of parked events that a tenant may have in one partition; beyond them it is deferred there.
    pub parked_quota_bytes: i64,
}

/// A tenant is halted in a partition when more than this share of its recent records there was
/// parked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HaltLimit {
    /// The share, from 0 to 1; 1 never halts.
    pub share: f64,
    /// The number of the tenant's last records that are considered.
    pub window: usize,
    /// The least number of records for a decision.
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
            stalled: Duration::from_mins(5),
            halt: HaltLimit::default(),
            parked_quota_bytes: 64 * 1024 * 1024,
        }
    }
}

//! What the processor is told. Grouped by concern; the root package reads files and variables.

use std::time::Duration;

use tidemark_kafka::KafkaConfig;
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

//! The context of partition tasks: what they share, how the poll thread sees them, how they exit.

use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::sync::{Arc, OnceLock};

use tidemark_kafka::KafkaConfig;
use tidemark_schemas::Partitioner;
use tidemark_schemas::codec::Decoder;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::careful::Careful;
use super::failed_customer::{FailedCustomer, PoisonedEvent};
use crate::clock::WallClock;
use crate::clock_check::ClockCheck;
use crate::config::Limits;
use crate::error::ProcessorError;
use crate::forwarder::SharedForwarder;
use crate::memory::Budget;
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::store::{KeptBatches, Owner, Store, StoreError};

/// The parts that all partitions of a process share.
#[derive(Debug)]
pub(crate) struct Context {
    /// This process, in claims and heartbeats.
    pub(crate) owner: Owner,
    /// The owner of another consumer group that folds into the same tables, once it was seen.
    pub(crate) other_group: OnceLock<Owner>,
    pub(crate) topic: String,
    /// The id of the cluster, if the brokers have one.
    pub(crate) cluster: Option<Arc<str>>,
    pub(crate) partitions: i32,
    pub(crate) partitioner: Partitioner,
    pub(crate) store: Store,
    pub(crate) decoder: Decoder,
    pub(crate) kafka: watch::Receiver<KafkaConfig>,
    pub(crate) forwarder: SharedForwarder,
    pub(crate) clock: WallClock,
    pub(crate) clock_check: ClockCheck,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    pub(crate) metrics: Metrics,
    pub(crate) progress: Progress,
    /// A copy of every committed batch; empty except in benches.
    pub(crate) kept: OnceLock<KeptBatches>,
    /// Commits run here, so that the drain waits for those of revoked partitions.
    pub(crate) commits: TaskTracker,
}

/// The counters of one partition that its task and the poll thread share.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The bytes queued.
    pub(crate) bytes: AtomicUsize,
    /// The first offset not committed.
    pub(crate) committed: Arc<AtomicI64>,
    /// The offset of the next expected record.
    pub(crate) position: AtomicI64,
}

/// The reason why a partition's task ended.
#[derive(Debug)]
pub(crate) enum TaskExit {
    /// The task was stopped.
    Stopped,
    /// Everything before the end of its assignment is committed.
    Finished,
    /// The fence refused a commit: another process claimed, or the database was rewound. The
    /// partition is claimed again later, if it is still assigned.
    Fenced,
    /// Folding an event panicked. The partition is claimed again, and the event is parked.
    Poisoned(PoisonedEvent),
    /// A customer could not be processed. The partition is claimed again, and the customer is quarantined
    /// from the last commit on.
    Failing(FailedCustomer),
    /// Postgres refused a row of a batch with several customers. The partition is claimed again, and the
    /// customer is found by careful batches.
    Refused(Careful),
    /// An error that a retry does not cure.
    Failed(ProcessorError),
}

impl From<StoreError> for TaskExit {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

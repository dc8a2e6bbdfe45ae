//! A partition this process owns: its queue and its task.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemark_projections::definitions::Definitions;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::engine::{Context, PartitionTask, Queue, TaskExit};
use crate::error::ProcessorError;
use crate::memory::Budget;
use crate::record::{Input, Record};
use crate::store::StoreError;

const RETRY: Duration = Duration::from_millis(250);

static INCARNATIONS: AtomicU64 = AtomicU64::new(0);

/// How tasks ended, for the poll thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExitQueue(Arc<Mutex<Vec<(i32, u64, TaskExit)>>>);

impl ExitQueue {
    pub(crate) fn take(&self) -> Vec<(i32, u64, TaskExit)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, partition: i32, incarnation: u64, ended: TaskExit) {
        let mut exits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        exits.push((partition, incarnation, ended));
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct PartitionHandle {
    /// Tells this task from one before it of the same partition.
    pub(crate) incarnation: u64,
    pub(crate) queue: Arc<Queue>,
    /// Not fetched at the moment: the queue is full.
    pub(crate) paused: bool,
    input: mpsc::UnboundedSender<Input>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl PartitionHandle {
    /// Queues a record; its bytes are in the budget until the task takes it.
    pub(crate) fn send(&self, record: Record, budget: &Budget) {
        let bytes = record.bytes();
        self.queue
            .position
            .store(record.offset + 1, Ordering::Relaxed);
        self.queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        budget.reserve(bytes);
        if self.input.send(Input::Record(record)).is_err() {
            // The task has ended; the poll thread will hear why.
            self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            budget.release(bytes);
        }
    }

    /// Tells the task something small.
    pub(crate) fn tell(&self, input: Input) {
        if self.input.send(input).is_err() {
            tracing::trace!("the task has ended");
        }
    }

    /// Takes no more input, and ends once the commit under way has.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.cancel();
        self.task
    }
}

/// A task with its wiring, not running yet.
pub(crate) struct PendingPartition {
    partition: i32,
    task: PartitionTask,
    queue: Arc<Queue>,
    input: mpsc::UnboundedSender<Input>,
    stop: CancellationToken,
}

impl PendingPartition {
    /// Runs the task on the runtime; how it ends goes to `exits`.
    pub(crate) fn start(self, runtime: &Handle, exits: &ExitQueue) -> PartitionHandle {
        let incarnation = INCARNATIONS.fetch_add(1, Ordering::Relaxed);
        let (exits, partition, task) = (exits.clone(), self.partition, self.task);
        let task = runtime.spawn(async move {
            let ended = match Handle::current().spawn(task.run()).await {
                Ok(ended) => ended,
                Err(error) => TaskExit::Failed(ProcessorError::Internal(format!(
                    "the task of partition {partition} {error}"
                ))),
            };
            exits.push(partition, incarnation, ended);
        });
        let Self {
            queue, input, stop, ..
        } = self;
        PartitionHandle {
            incarnation,
            queue,
            paused: false,
            input,
            stop,
            task,
        }
    }
}

/// Claims a partition and loads what its task begins with, however long the database is away.
///
/// Returns the first offset to read; `None` when told to stop.
pub(crate) async fn claim_and_prepare(
    shared: Arc<Context>,
    partition: i32,
    owner: &str,
    definitions: watch::Receiver<Definitions>,
    poisoned: BTreeSet<i64>,
    shutdown: &CancellationToken,
) -> Result<Option<(i64, PendingPartition)>, ProcessorError> {
    loop {
        // A claim that is cut short is rolled back, or stays without a task: either is harmless.
        let attempt = tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            attempt = prepare(&shared, partition, owner, &definitions, &poisoned) => attempt,
        };
        match attempt {
            Ok(prepared) => return Ok(Some(prepared)),
            Err(StoreError::Unavailable(error)) => {
                shared.metrics.waits.with_label_values(&["database"]).inc();
                tracing::warn!(partition, %error, "waiting for the database to claim");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

async fn prepare(
    shared: &Arc<Context>,
    partition: i32,
    owner: &str,
    definitions: &watch::Receiver<Definitions>,
    poisoned: &BTreeSet<i64>,
) -> Result<(i64, PendingPartition), StoreError> {
    let claim = shared.store.claim(&shared.topic, partition, owner).await?;
    let next_offset = claim.next_offset;
    tracing::info!(partition, epoch = claim.epoch, next_offset, "claimed");
    let (sender, input) = mpsc::unbounded_channel();
    let queue = Arc::new(Queue::default());
    let stop = CancellationToken::new();
    let task = PartitionTask::prepare(
        Arc::clone(shared),
        partition,
        claim,
        input,
        Arc::clone(&queue),
        definitions.clone(),
        poisoned.clone(),
        stop.clone(),
    )
    .await?;
    Ok((
        next_offset,
        PendingPartition {
            partition,
            task,
            queue,
            input: sender,
            stop,
        },
    ))
}

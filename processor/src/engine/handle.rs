//! A partition that this process owns: claimed, then started; its queue, and how its task exits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tidemark_schemas::CustomerKey;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::careful::Careful;
use super::catch_up::CatchUp;
use super::classification::Classifier;
use super::commands::OperatorCommands;
use super::commit::{Commits, SentTime};
use super::context::{Context, Queue, TaskExit};
use super::definitions_source::DefinitionsSource;
use super::failed_customer::FailedCustomer;
use super::folder::Folder;
use super::forwarding::PartitionForwarding;
use super::inbox::Inbox;
use super::projector::Projector;
use super::redrive::Redrives;
use super::retry::Retry;
use super::task::PartitionTask;
use crate::error::ProcessorError;
use crate::memory::Budget;
use crate::record::{Input, Record};
use crate::store::{Claim, LogIdentity, Owner, StoreError};

static INCARNATIONS: AtomicU64 = AtomicU64::new(0);

/// The exits of tasks, for the poll thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExitQueue(Arc<Mutex<Vec<ExitedTask>>>);

/// A task that has ended.
#[derive(Debug)]
pub(crate) struct ExitedTask {
    pub(crate) partition: i32,
    /// Tells the task from others of the same partition.
    pub(crate) incarnation: u64,
    pub(crate) exit: TaskExit,
}

impl ExitQueue {
    /// Returns the exits since the last call.
    pub(crate) fn take(&self) -> Vec<ExitedTask> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, ended: ExitedTask) {
        let mut exits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        exits.push(ended);
    }
}

/// A running partition.
#[derive(Debug)]
pub(crate) struct PartitionHandle {
    /// Tells this task from one before it of the same partition.
    pub(crate) incarnation: u64,
    queue: Arc<Queue>,
    /// Whether the partition is not fetched at the moment, because its queue is full.
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
            // The task has ended; the poll thread finds its exit.
            self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            budget.release(bytes);
        }
    }

    /// Returns the memory that the queued records take, in bytes.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.bytes.load(Ordering::Relaxed)
    }

    /// Returns the first offset not committed.
    pub(crate) fn committed(&self) -> i64 {
        self.queue.committed.load(Ordering::Relaxed)
    }

    /// Returns the offset of the next expected record.
    pub(crate) fn expected(&self) -> i64 {
        self.queue.position.load(Ordering::Relaxed)
    }

    /// Sends the task a notice, which the budget does not count.
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

/// The part of a log that a partition's task folds, and the definitions that it folds by.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) partition: i32,
    /// The offset at which folding ends; `None`: it goes on with the log.
    pub(crate) end: Option<i64>,
    pub(crate) definitions: DefinitionsSource,
    /// The events at which folding panicked before, by offset.
    pub(crate) poisoned: BTreeMap<i64, CustomerKey>,
    /// A customer that could not be processed.
    pub(crate) failed: Option<FailedCustomer>,
    /// The careful batches that it begins with.
    pub(crate) careful: Careful,
}

/// A claimed partition: a task with its wiring, not running yet.
#[derive(Debug)]
pub(crate) struct ClaimedPartition {
    /// The first offset not folded.
    pub(crate) next_offset: i64,
    /// The log that was folded so far.
    pub(crate) log: LogIdentity,
    task: PartitionTask,
    queue: Arc<Queue>,
    input: mpsc::UnboundedSender<Input>,
    stop: CancellationToken,
}

impl ClaimedPartition {
    /// Claims a partition and loads what its task begins with, however long the database is away.
    /// Returns `None` when told to stop.
    pub(crate) async fn claim(
        shared: &Arc<Context>,
        owner: &str,
        assignment: Assignment,
        shutdown: &CancellationToken,
    ) -> Result<Option<Self>, ProcessorError> {
        let retry = Retry::new(Arc::clone(shared), assignment.partition, shutdown.clone());
        // A claim that is cut short is rolled back, or stays without a task: either is harmless.
        let claim = retry.until_available(|| Self::try_claim(shared, owner, &assignment));
        match retry.unless_stopped(Box::pin(claim)).await.flatten() {
            Ok(claimed) => Ok(Some(claimed)),
            Err(TaskExit::Failed(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    async fn try_claim(
        shared: &Arc<Context>,
        owner: &str,
        assignment: &Assignment,
    ) -> Result<Self, StoreError> {
        let partition = assignment.partition;
        let before = shared.store.last_owner(&shared.topic, partition).await?;
        let mut claim = shared.store.claim(&shared.topic, partition, owner).await?;
        if let Some(before) = before {
            warn_of_another_group(shared, partition, &before);
        }
        let next_offset = claim.next_offset;
        let log = claim.log.clone();
        // The intake checks the log before its first record: what is stored then is this cluster.
        claim.log.cluster.clone_from(&shared.cluster);
        tracing::info!(partition, epoch = claim.epoch, next_offset, "claimed");
        let (sender, input) = mpsc::unbounded_channel();
        let queue = Arc::new(Queue::default());
        queue.committed.store(next_offset, Ordering::Relaxed);
        queue.position.store(next_offset, Ordering::Relaxed);
        let budget = shared.budget.clone();
        let inbox = Inbox::new(input, Arc::clone(&queue), budget, next_offset);
        let stop = CancellationToken::new();
        let task = prepare(shared, assignment, claim, inbox, &queue, &stop).await?;
        Ok(Self {
            next_offset,
            log,
            task,
            queue,
            input: sender,
            stop,
        })
    }

    /// Runs the task on the runtime; its exit goes to `exits`.
    pub(crate) fn start(self, runtime: &Handle, exits: &ExitQueue) -> PartitionHandle {
        let incarnation = INCARNATIONS.fetch_add(1, Ordering::Relaxed);
        let Self {
            task,
            queue,
            input,
            stop,
            ..
        } = self;
        let (exits, partition) = (exits.clone(), task.partition);
        let task = runtime.spawn(async move {
            let exit = match Handle::current().spawn(task.run()).await {
                Ok(exit) => exit,
                Err(error) => TaskExit::Failed(ProcessorError::Internal(format!(
                    "the task of partition {partition} {error}"
                ))),
            };
            exits.push(ExitedTask {
                partition,
                incarnation,
                exit,
            });
        });
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

/// Warns, once, of a process of another consumer group that owned a partition a moment ago.
fn warn_of_another_group(shared: &Context, partition: i32, before: &Owner) {
    let ours = &shared.owner;
    if before.group == ours.group || shared.other_group.set(before.clone()).is_err() {
        return;
    }
    tracing::error!(
        partition,
        "the consumer groups {} (process {}) and {} (process {}) fold into the same tables and take \
         partitions from each other: stop the processes of one of them, or give them a database of \
         their own",
        ours.group,
        ours.name,
        before.group,
        before.name
    );
}

/// Loads what the task of a claimed partition begins with.
async fn prepare(
    shared: &Arc<Context>,
    assignment: &Assignment,
    claim: Claim,
    inbox: Inbox,
    queue: &Arc<Queue>,
    stop: &CancellationToken,
) -> Result<PartitionTask, StoreError> {
    let partition = assignment.partition;
    let share = || Arc::clone(shared);
    let retry = Retry::new(share(), partition, stop.clone());
    let redrives = Redrives::load(share(), partition, retry.clone()).await?;
    let commits = Commits::new(
        share(),
        Arc::clone(queue),
        retry.clone(),
        SentTime {
            clock: claim.clock.micros(),
            fired_to: claim.fired_to.micros(),
        },
        assignment.careful,
    );
    let committed = Arc::clone(&queue.committed);
    let progress = &shared.progress;
    let listed = progress.list(partition, claim.epoch, committed, Instant::now());
    let mut folder = Folder::new(partition, claim, shared.budget.clone());
    if let Some(FailedCustomer { key, detail }) = &assignment.failed {
        folder.quarantine(key, detail.clone());
    }
    let poisoned = assignment.poisoned.keys().copied().collect();
    Ok(PartitionTask {
        shared: share(),
        partition,
        end: assignment.end,
        inbox,
        definitions: assignment.definitions.clone(),
        classifier: Classifier::new(share(), partition, poisoned, retry.clone()),
        forwarding: PartitionForwarding::new(
            share(),
            partition,
            assignment.end.is_none(),
            retry.clone(),
            stop.clone(),
        ),
        redrives,
        commands: OperatorCommands::new(share(), partition),
        admission: Admission::new(share(), partition, assignment.poisoned.clone()),
        catch_up: CatchUp::new(share(), partition, retry.clone()),
        projector: Projector::new(share(), partition, folder, commits, retry),
        awaiting_timers: None,
        _listed: listed,
        stop: stop.clone(),
    })
}

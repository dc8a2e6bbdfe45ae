//! The partitions of this process: claimed before they are read, drained before they are given up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemark_projections::definitions::Definitions;
use tidemark_schemas::CustomerKey;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::membership::Membership;
use crate::engine::{
    Assignment, Careful, ClaimedPartition, Context, DefinitionsSource, ExitQueue, ExitedTask,
    FailedCustomer, PartitionHandle, PoisonedEvent, TaskExit,
};
use crate::error::ProcessorError;
use crate::history::RecordedHistory;
use crate::record::{Input, Record};

/// The pause before a fenced partition is claimed again: a process that was removed from the
/// group learns of it first, and does not disturb the new owner.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The partitions that a process folds, and the definitions that it folds them by.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) membership: Membership,
    /// The newest definitions.
    pub(crate) definitions: watch::Receiver<Definitions>,
    /// Whether a newer binary has put definitions in force that this one does not know.
    pub(crate) stands_by: watch::Receiver<bool>,
    /// The history whose definitions come into force instead, each where it did before.
    pub(crate) history: Option<RecordedHistory>,
}

impl Plan {
    fn assignment(&self, partition: i32, faults: Faults) -> Assignment {
        let end = self.membership.end(partition);
        let definitions = match &self.history {
            None => DefinitionsSource::Live(self.definitions.clone()),
            Some(history) => DefinitionsSource::Recorded(history.partition(partition, end)),
        };
        Assignment {
            partition,
            end,
            definitions,
            poisoned: faults.poisoned,
            failed: faults.failed,
            careful: faults.careful,
        }
    }
}

/// The records and customers of a partition that could not be processed.
#[derive(Debug, Default)]
struct Faults {
    /// The events at which folding panicked, by offset.
    poisoned: BTreeMap<i64, CustomerKey>,
    /// A customer that is to be quarantined with the next claim.
    failed: Option<FailedCustomer>,
    /// The careful batches that the next claim begins with.
    careful: Careful,
}

/// See the module.
pub(super) struct Partitions {
    shared: Arc<Context>,
    plan: Plan,
    owner: String,
    runtime: Handle,
    shutdown: CancellationToken,
    running: HashMap<i32, PartitionHandle>,
    exits: ExitQueue,
    faults: HashMap<i32, Faults>,
    /// The partitions to claim again, and when.
    again: HashMap<i32, Instant>,
    /// The fixed partitions that have reached their end.
    finished: BTreeSet<i32>,
}

impl Partitions {
    /// Returns no partitions yet. `owner` names this process in the claims.
    pub(super) fn new(
        shared: Arc<Context>,
        plan: Plan,
        owner: String,
        runtime: Handle,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            shared,
            plan,
            owner,
            runtime,
            shutdown,
            running: HashMap::new(),
            exits: ExitQueue::default(),
            faults: HashMap::new(),
            again: HashMap::new(),
            finished: BTreeSet::new(),
        }
    }

    /// Returns the numbers of the partitions owned.
    pub(super) fn owned(&self) -> Vec<i32> {
        self.running.keys().copied().collect()
    }

    /// Returns whether a partition is owned.
    pub(super) fn owns(&self, partition: i32) -> bool {
        self.running.contains_key(&partition)
    }

    /// Returns the first offset of each partition that is not committed.
    pub(super) fn committed(&self) -> impl Iterator<Item = (i32, i64)> {
        let running = self.running.iter();
        running.map(|(partition, handle)| (*partition, handle.committed()))
    }

    /// Returns the offset of the next expected record of each partition.
    pub(super) fn expected(&self) -> impl Iterator<Item = (i32, i64)> {
        let running = self.running.iter();
        running.map(|(partition, handle)| (*partition, handle.expected()))
    }

    /// Claims a partition, however long the database is away. `None` when told to stop.
    pub(super) fn claim(
        &mut self,
        partition: i32,
    ) -> Result<Option<ClaimedPartition>, ProcessorError> {
        let faults = self.faults.entry(partition).or_default();
        let faults = Faults {
            poisoned: faults.poisoned.clone(),
            failed: faults.failed.take(),
            careful: std::mem::take(&mut faults.careful),
        };
        let assignment = self.plan.assignment(partition, faults);
        self.runtime.block_on(ClaimedPartition::claim(
            &self.shared,
            &self.owner,
            assignment,
            &self.shutdown,
        ))
    }

    /// Starts the task of a claimed partition: from here on it gets what is polled.
    pub(super) fn start(&mut self, partition: i32, claimed: ClaimedPartition) {
        let handle = claimed.start(&self.runtime, &self.exits);
        if let Some(before) = self.running.insert(partition, handle) {
            before.stop();
        }
    }

    /// Ends the tasks of partitions that are given up. Unless they were lost, a commit under
    /// way may finish first; the fence keeps out what finishes later.
    pub(super) fn give_up(&mut self, partitions: &[i32], lost: bool) {
        let mut ending = Vec::new();
        for partition in partitions {
            self.again.remove(partition);
            if let Some(handle) = self.running.remove(partition) {
                ending.push(handle.stop());
            }
        }
        if lost {
            return;
        }
        let all = futures::future::join_all(ending);
        let drained = self
            .runtime
            .block_on(async { tokio::time::timeout(self.shared.limits.drain, all).await });
        if drained.is_err() {
            tracing::warn!(?partitions, "gave partitions up with a commit under way");
        }
    }

    /// Returns whether every fixed partition has reached its end.
    pub(super) fn have_finished(&self) -> bool {
        match &self.plan.membership {
            Membership::Group => false,
            Membership::Fixed(ends) => ends
                .keys()
                .all(|partition| self.finished.contains(partition)),
        }
    }

    /// Notes the exits of tasks; returns the partitions that have reached their end.
    pub(super) fn take_exits(&mut self) -> Result<Vec<i32>, ProcessorError> {
        let mut finished = Vec::new();
        for ended in self.exits.take() {
            let ExitedTask {
                partition,
                incarnation,
                exit,
            } = ended;
            let running = self.running.get(&partition);
            let current = running.is_some_and(|handle| handle.incarnation == incarnation);
            match exit {
                TaskExit::Failed(error) if current => return Err(error),
                TaskExit::Failed(error) => {
                    tracing::error!(partition, %error, "a partition given up ended in an error");
                }
                TaskExit::Fenced if current => {
                    tracing::warn!(partition, "fenced: claiming again if it is still ours");
                    let at = Instant::now() + CLAIM_AGAIN_AFTER;
                    self.again.insert(partition, at);
                }
                TaskExit::Poisoned(PoisonedEvent { offset, customer }) => {
                    let faults = self.faults.entry(partition).or_default();
                    faults.poisoned.insert(offset, customer);
                    if current {
                        self.again.insert(partition, Instant::now());
                    }
                }
                TaskExit::Failing(failed) if current => {
                    let faults = self.faults.entry(partition).or_default();
                    // Its events are folded again once it is resumed.
                    faults
                        .poisoned
                        .retain(|_, customer| *customer != failed.key);
                    faults.failed = Some(failed);
                    self.again.insert(partition, Instant::now());
                }
                TaskExit::Refused(careful) if current => {
                    self.faults.entry(partition).or_default().careful = careful;
                    self.again.insert(partition, Instant::now());
                }
                TaskExit::Finished if current => finished.push(partition),
                // Revoked in the meantime: its new owner continues.
                TaskExit::Stopped
                | TaskExit::Fenced
                | TaskExit::Finished
                | TaskExit::Failing(_)
                | TaskExit::Refused(_) => {}
            }
        }
        self.finished.extend(&finished);
        Ok(finished)
    }

    /// Returns the partitions that are to be claimed again now.
    pub(super) fn take_due(&mut self) -> Vec<i32> {
        let now = Instant::now();
        self.again
            .extract_if(|_, at| *at <= now)
            .map(|(partition, _)| partition)
            .collect()
    }

    /// Claims a partition again a moment later.
    pub(super) fn claim_later(&mut self, partition: i32) {
        let at = Instant::now() + CLAIM_AGAIN_AFTER;
        self.again.insert(partition, at);
    }

    /// Hands a record over; returns whether the partition is to be paused because its queue is full.
    pub(super) fn send(&self, partition: i32, record: Record) -> bool {
        let Some(handle) = self.running.get(&partition) else {
            return false;
        };
        handle.send(record, &self.shared.budget);
        !handle.paused && handle.queued_bytes() > self.share() / 10 * 8
    }

    /// Sends the task of a partition a notice, if it is owned.
    pub(super) fn tell(&self, partition: i32, input: Input) {
        if let Some(handle) = self.running.get(&partition) {
            handle.tell(input);
        }
    }

    /// Returns the paused partitions with a drained queue: hysteresis, since a pause discards what
    /// librdkafka has fetched ahead.
    pub(super) fn drained(&self) -> Vec<i32> {
        let least = self.share() / 10 * 3;
        self.running
            .iter()
            .filter(|(_, handle)| handle.paused && handle.queued_bytes() < least)
            .map(|(partition, _)| *partition)
            .collect()
    }

    /// Notes that a partition is paused, or resumed.
    pub(super) fn set_paused(&mut self, partition: i32, paused: bool) {
        if let Some(handle) = self.running.get_mut(&partition) {
            handle.paused = paused;
        }
    }

    /// Returns the bytes that each partition may queue.
    fn share(&self) -> usize {
        self.shared.budget.queue_share(self.running.len())
    }
}

//! The loop of one partition: gather, build, commit; while one batch commits the next is built.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidemark_projections::definitions::Definitions;
use tidemark_schemas::{CustomerKey, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::classification::ExpectedPartition;
use super::commit::{InFlight, commit, finished};
use super::context::{Context, Queue, RETRY, TaskExit};
use super::folder::Folder;
use super::halts::Halts;
use super::pace::Pace;
use super::redrive::{Redrive, to_redrive};
use crate::memory::MemoryReservation;
use crate::record::{Input, Record};
use crate::store::{Batch, Claim, Committed, StoreError};

/// The interval at which an idle partition checks its clock.
const TICK: Duration = Duration::from_millis(200);
/// See the module.
#[derive(Debug)]
pub(crate) struct PartitionTask {
    pub(super) shared: Arc<Context>,
    pub(super) partition: i32,
    pub(super) folder: Folder,
    pub(super) definitions: watch::Receiver<Definitions>,
    pub(super) records: VecDeque<Record>,
    pub(super) record_bytes: usize,
    /// Position of the last record or end of partition handed over.
    pub(super) position: i64,
    pub(super) log_end: i64,
    /// The log was seen to end at our position at this instant.
    pub(super) at_end: Option<Instant>,
    /// Parked events to be tried again.
    pub(super) redrive: VecDeque<Redrive>,
    pub(super) halts: Halts,
    /// When operators' commands were last looked for; `None`: look at once.
    pub(super) commands_read_at: Option<std::time::Instant>,
    pub(super) poisoned: BTreeSet<i64>,
    pub(super) warned_of_misrouted: Option<std::time::Instant>,
    pub(super) stop: CancellationToken,
    /// The clock when it was last sent to the database.
    pub(super) sent_clock: Instant,
    input: mpsc::UnboundedReceiver<Input>,
    queue: Arc<Queue>,
    committed_batch: u64,
    in_flight: Option<InFlight>,
    pace: Pace,
}

impl PartitionTask {
    /// Prepares the task of a claimed partition. `poisoned` are offsets at which folding panicked before.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one end of the partition's wiring"
    )]
    pub(crate) async fn prepare(
        shared: Arc<Context>,
        partition: i32,
        claim: Claim,
        input: mpsc::UnboundedReceiver<Input>,
        queue: Arc<Queue>,
        definitions: watch::Receiver<Definitions>,
        poisoned: BTreeSet<i64>,
        stop: CancellationToken,
    ) -> Result<Self, StoreError> {
        let window = i64::try_from(super::timers::WINDOW).unwrap_or(i64::MAX);
        let timers = shared.store.load_timers(partition, None, window).await?;
        let halted = shared.store.load_halts(partition).await?;
        let halts = Halts::new(
            shared.limits.halt,
            halted.into_iter().map(|(tenant, _)| tenant),
        );
        let redrive = to_redrive(&shared, partition, &halts).await?;
        queue.committed.store(claim.next_offset, Ordering::Relaxed);
        queue.position.store(claim.next_offset, Ordering::Relaxed);
        let (position, clock) = (claim.next_offset, claim.clock);
        let folder = Folder::new(partition, claim, timers, shared.budget.clone());
        Ok(Self {
            partition,
            folder,
            definitions,
            records: VecDeque::new(),
            record_bytes: 0,
            position,
            log_end: 0,
            at_end: None,
            redrive,
            halts,
            commands_read_at: None,
            poisoned,
            warned_of_misrouted: None,
            stop,
            sent_clock: clock,
            input,
            queue,
            committed_batch: 0,
            in_flight: None,
            pace: Pace::new(),
            shared,
        })
    }

    pub(super) fn expected(&self) -> ExpectedPartition {
        ExpectedPartition {
            partition: self.partition,
            partitions: self.shared.partitions,
            partitioner: self.shared.partitioner,
        }
    }

    /// Runs until it is stopped or cannot continue. Folded but uncommitted records are discarded: the next
    /// owner of the partition reads them again.
    pub(crate) async fn run(mut self) -> TaskExit {
        loop {
            if let Err(ended) = self.turn().await {
                let settled = self.settle().await;
                return match (ended, settled) {
                    // Fenced outranks poisoned: the current owner of the partition meets the record too,
                    // and the partition is not claimed from it at once.
                    (TaskExit::Stopped | TaskExit::Poisoned(_), Err(worse)) => worse,
                    (ended, _) => ended,
                };
            }
        }
    }

    async fn turn(&mut self) -> Result<(), TaskExit> {
        self.gather().await?;
        let full = self.is_full();
        let Some(batch) = self.next_batch().await? else {
            return Ok(());
        };
        self.settle().await?;
        self.send(batch, full);
        Ok(())
    }

    /// Waits until there is enough to do, taking input in meanwhile.
    async fn gather(&mut self) -> Result<(), TaskExit> {
        let mut deadline = time::Instant::now() + TICK;
        let mut lingers = false;
        loop {
            while !self.is_full() {
                match self.input.try_recv() {
                    Ok(input) => self.accept(input),
                    Err(_) => break,
                }
            }
            if self.stop.is_cancelled() {
                return Err(TaskExit::Stopped);
            }
            if self.is_full() {
                return Ok(());
            }
            if self.in_flight.is_none() && self.has_background_work() {
                return Ok(());
            }
            if !self.records.is_empty() && !lingers {
                lingers = true;
                deadline = time::Instant::now() + self.pace.linger(self.shared.limits.linger);
            }
            let idle = self.in_flight.is_none();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(TaskExit::Stopped),
                settled = finished(&mut self.in_flight), if !idle => self.settled(settled)?,
                input = self.input.recv() => match input {
                    Some(input) => self.accept(input),
                    None => return Err(TaskExit::Stopped),
                },
                changed = self.definitions.changed() => {
                    if changed.is_err() {
                        return Err(TaskExit::Stopped);
                    }
                    if idle { return Ok(()) }
                }
                () = time::sleep_until(deadline), if idle => return Ok(()),
            }
        }
    }

    fn is_full(&self) -> bool {
        let (limits, times) = (&self.shared.limits, self.pace.times());
        self.records.len() >= limits.batch_events.saturating_mul(times)
            || self.record_bytes >= limits.batch_bytes.saturating_mul(times)
    }

    fn has_background_work(&self) -> bool {
        !self.redrive.is_empty()
            || self.folder.next_reevaluation().is_some()
            || self.folder.is_older_than(&self.definitions.borrow())
    }

    fn accept(&mut self, input: Input) {
        match input {
            Input::Record(record) => {
                // After a claim the poll thread may still hand over what it had fetched before.
                if record.offset >= self.position {
                    self.position = record.offset + 1;
                    self.at_end = None;
                    self.record_bytes += record.bytes();
                    self.records.push_back(record);
                } else {
                    self.release(&record);
                }
            }
            Input::EndOfPartition { position } => self.position = self.position.max(position),
            Input::LogEnd { end, asked_at } => {
                self.log_end = end;
                self.at_end = (end <= self.position).then_some(asked_at);
            }
        }
    }

    /// Gives the bytes of a record back that is not folded.
    fn release(&self, record: &Record) {
        let bytes = record.bytes();
        self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.budget.release(bytes);
    }

    /// Takes a record out of the queue; its bytes are in the budget until it is folded.
    pub(super) fn take_out(&self, record: &Record, reservation: &mut MemoryReservation) {
        let bytes = record.bytes();
        self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
        reservation.adopt(bytes);
    }

    /// Returns the customers that must be loaded, and makes room for them.
    pub(super) fn missing(&mut self, customers: Vec<CustomerKey>) -> Vec<CustomerKey> {
        self.folder.missing(customers, self.committed_batch)
    }

    /// Returns the newest definitions, once they are at least as new as those under which this partition
    /// was last folded (its previous owner may have read newer ones).
    pub(super) async fn definitions(&mut self) -> Result<Definitions, TaskExit> {
        let in_force = self.folder.definitions_version();
        let stop = self.stop.clone();
        let newer = self
            .definitions
            .wait_for(|seen| seen.version.unwrap_or(-1) >= in_force);
        tokio::select! {
            () = stop.cancelled() => Err(TaskExit::Stopped),
            seen = newer => seen.map(|seen| seen.clone()).map_err(|_| TaskExit::Stopped),
        }
    }

    /// Waits for the commit under way, if there is one.
    pub(super) async fn settle(&mut self) -> Result<(), TaskExit> {
        if self.in_flight.is_none() {
            return Ok(());
        }
        let settled = finished(&mut self.in_flight).await;
        self.settled(settled)
    }

    fn settled(&mut self, outcome: Result<Committed, TaskExit>) -> Result<(), TaskExit> {
        let Some(in_flight) = self.in_flight.take() else {
            return Ok(());
        };
        match outcome? {
            Committed::Yes => {
                self.committed_batch = in_flight.batch;
                self.pace.landed(in_flight.sent.elapsed(), in_flight.full);
                self.queue
                    .committed
                    .store(in_flight.next_offset, Ordering::Relaxed);
                self.folder.evict(self.committed_batch);
                let used = i64::try_from(self.shared.budget.used()).unwrap_or(i64::MAX);
                self.shared.metrics.memory_bytes.set(used);
                Ok(())
            }
            Committed::Fenced => {
                self.shared.metrics.fenced.inc();
                Err(TaskExit::Fenced)
            }
        }
    }

    fn send(&mut self, batch: Batch, full: bool) {
        let shared = Arc::clone(&self.shared);
        let stop = self.stop.clone();
        let next_offset = batch.new_next_offset;
        self.sent_clock = self.folder.clock();
        let reservation = MemoryReservation::new(&self.shared.budget, batch.bytes());
        let handle = self.shared.commits.spawn(commit(shared, batch, stop));
        // The folder counts from 1 and has begun the next batch already.
        let batch = self.folder.batch_number() - 1;
        self.in_flight = Some(InFlight {
            batch,
            next_offset,
            handle,
            sent: std::time::Instant::now(),
            full,
            _reservation: reservation,
        });
    }

    /// Waits a moment after an error of the database that waiting may cure; other errors, and a
    /// stop, end the task.
    pub(super) async fn wait_out(&self, error: StoreError) -> Result<(), TaskExit> {
        match error {
            StoreError::Unavailable(_) => self.pause("database", &error).await,
            other => Err(other.into()),
        }
    }

    /// Waits a moment for what is away: a fault of ours pauses, it never parks.
    pub(super) async fn pause(
        &self,
        what: &str,
        reason: &(dyn std::error::Error + Sync),
    ) -> Result<(), TaskExit> {
        self.shared.metrics.waits.with_label_values(&[what]).inc();
        tracing::warn!(partition = self.partition, %reason, "waiting for the {what}");
        tokio::select! {
            () = self.stop.cancelled() => Err(TaskExit::Stopped),
            () = time::sleep(RETRY) => Ok(()),
        }
    }
}

impl Drop for PartitionTask {
    fn drop(&mut self) {
        self.input.close();
        while let Ok(input) = self.input.try_recv() {
            if let Input::Record(record) = input {
                self.release(&record);
            }
        }
        for record in std::mem::take(&mut self.records) {
            self.release(&record);
        }
        self.shared.metrics.forget(self.partition);
    }
}

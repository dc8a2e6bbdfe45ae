//! The loop of one partition: gather, fold, commit; while one batch commits the next is built.

use std::sync::Arc;
use std::time::Duration;

use tidemark_schemas::Instant;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::batch::Work;
use super::catch_up::{CatchUp, Partition};
use super::classification::Classifier;
use super::commands::OperatorCommands;
use super::context::{Context, TaskExit};
use super::definitions_source::{DefinitionsSource, Step};
use super::folder::BatchEnd;
use super::forwarding::PartitionForwarding;
use super::inbox::{Closed, Inbox};
use super::pace::Load;
use super::projector::Projector;
use super::redrive::Redrives;
use crate::progress::{ListedPartition, NeededRecord};
use crate::store::DeferralReason;

/// The interval at which an idle partition checks its clock.
const TICK: Duration = Duration::from_millis(200);
/// The distance of checkpoints, at which digests are stored for verification, in offsets.
const CHECKPOINT_EVERY: i64 = 50_000;
/// The interval at which the clock of an idle partition is written, in microseconds.
const CLOCK_WRITTEN_EVERY: i64 = 1_000_000;
/// The time for which records are folded while newer definitions wait for due timers; then they wait too.
const RECORDS_PASS_FOR: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(crate) struct PartitionTask {
    pub(super) shared: Arc<Context>,
    pub(super) partition: i32,
    /// The offset at which folding ends; `None`: it goes on with the log.
    pub(super) end: Option<i64>,
    pub(super) inbox: Inbox,
    pub(super) definitions: DefinitionsSource,
    pub(super) classifier: Classifier,
    pub(super) forwarding: PartitionForwarding,
    pub(super) redrives: Redrives,
    pub(super) commands: OperatorCommands,
    pub(super) admission: Admission,
    pub(super) catch_up: CatchUp,
    pub(super) projector: Projector,
    /// The time since which newer definitions wait for due timers.
    pub(super) awaiting_timers: Option<time::Instant>,
    pub(super) stop: CancellationToken,
    /// The partition counts as owned while its task lives.
    pub(super) _listed: ListedPartition,
}

impl PartitionTask {
    /// Runs until it is stopped, has reached its end, or cannot continue. Folded but uncommitted records
    /// are discarded: the next owner of the partition reads them again.
    pub(crate) async fn run(mut self) -> TaskExit {
        loop {
            if let Err(ended) = self.turn().await {
                let settled = self.projector.settle().await;
                let exit = match (ended, settled) {
                    // Fenced outranks poisoned: the current owner of the partition meets the record too,
                    // and the partition is not claimed from it at once. The end is reached only once its
                    // commit has landed.
                    (
                        TaskExit::Stopped
                        | TaskExit::Finished
                        | TaskExit::Poisoned(_)
                        | TaskExit::Failing(_)
                        | TaskExit::Refused(_),
                        Err(worse),
                    ) => worse,
                    (ended, _) => ended,
                };
                return self.projector.bound(exit);
            }
        }
    }

    async fn turn(&mut self) -> Result<(), TaskExit> {
        if self.has_finished() {
            return Err(TaskExit::Finished);
        }
        self.gather().await?;
        let full = self.is_full();
        let mut work = self.next_work().await?;
        self.forwarding.forward(work.all_items()).await?;
        self.load(&work).await?;
        self.fold(work, full).await
    }

    /// Waits until there is enough to do, taking input in meanwhile.
    async fn gather(&mut self) -> Result<(), TaskExit> {
        let mut deadline = time::Instant::now() + TICK;
        let mut lingers = false;
        loop {
            while !self.is_full() && self.inbox.receive_now() {}
            if self.stop.is_cancelled() {
                return Err(TaskExit::Stopped);
            }
            let idle = self.projector.commits.is_idle();
            let has_rested = self.projector.commits.rests_until() <= time::Instant::now();
            let has_background_work = self.has_background_work();
            if self.is_full()
                || self.commands.is_under_way()
                || idle && has_rested && has_background_work
            {
                return Ok(());
            }
            if !self.inbox.is_empty() && !lingers {
                lingers = true;
                deadline = time::Instant::now() + self.projector.commits.linger();
            }
            if has_background_work || !has_rested && self.catch_up.is_reading() {
                deadline = deadline.min(self.projector.commits.rests_until());
            }
            let position = self.projector.folder.next_offset();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(TaskExit::Stopped),
                landed = self.projector.landed(), if !idle => landed?,
                received = self.inbox.receive() => {
                    received.map_err(|Closed| TaskExit::Stopped)?;
                }
                changed = self.definitions.changed() => {
                    changed?;
                    if idle { return Ok(()) }
                }
                () = self.catch_up.readable(position), if idle && has_rested => return Ok(()),
                () = time::sleep_until(deadline), if idle => return Ok(()),
            }
        }
    }

    fn is_full(&self) -> bool {
        let (records, bytes) = (self.inbox.len(), self.inbox.bytes());
        self.projector.commits.is_full(records, bytes)
    }

    fn has_background_work(&self) -> bool {
        let folder = &self.projector.folder;
        !self.redrives.is_empty()
            || self.catch_up.is_busy()
            || folder.has_due_timers()
            || folder.next_reevaluation().is_some()
            || folder.is_erasing()
            || self.definitions.has_news(folder)
    }

    fn has_finished(&self) -> bool {
        let next_offset = self.projector.folder.next_offset();
        let has_work = self.has_background_work() || self.catch_up.is_reading();
        self.end.is_some_and(|end| next_offset >= end) && !has_work
    }

    /// Returns the input of the next batch.
    async fn next_work(&mut self) -> Result<Work, TaskExit> {
        let mut work = Work::nothing(self.projector.folder.next_offset(), &self.shared.budget);
        if let Some(clock) = self.step_definitions().await? {
            work.clock = Some(clock);
            return Ok(work);
        }
        let reads_commands = self.commands.is_due();
        let projector = &mut self.projector;
        if reads_commands {
            self.commands.resume_scopes(projector).await?;
        }
        // Parked events precede new ones, as in the log: a newer event folded first would make older
        // events of its customer late.
        work.redriven = self.redrives.take(projector, &self.classifier).await?;
        if !work.redriven.is_empty() {
            self.commands.restart();
            return Ok(work);
        }
        if reads_commands {
            work.redriven = self.commands.apply(projector, &self.classifier).await?;
        }
        if !self.catch_up.holds() && self.takes_records(&work) {
            self.take_records(&mut work).await?;
        }
        Ok(work)
    }

    /// Returns whether records join a batch: not where it may hold no more than one customer and is for others.
    fn takes_records(&mut self, work: &Work) -> bool {
        if self.projector.commits.is_careful() && !work.redriven.is_empty() {
            return false;
        }
        self.projector.commits.take_turn() || !self.has_background_work()
    }

    /// Puts the definitions in force that are due here; returns the instant that the clock must reach
    /// before.
    async fn step_definitions(&mut self) -> Result<Option<Instant>, TaskExit> {
        let step = tokio::select! {
            () = self.stop.cancelled() => return Err(TaskExit::Stopped),
            step = self.definitions.next(&self.projector.folder) => step?,
        };
        let redriven = match step {
            Step::Keep => return Ok(None),
            Step::AdvanceTo(clock) => return Ok(Some(clock)),
            Step::AwaitTimers => {
                let since = self.awaiting_timers.get_or_insert_with(time::Instant::now);
                let records_wait = since.elapsed() > RECORDS_PASS_FOR;
                return Ok(records_wait.then(|| self.projector.folder.clock()));
            }
            Step::Load(version) => self.projector.load_definitions(version).await?,
            Step::Activate(definitions) => {
                self.awaiting_timers = None;
                self.projector.activate(definitions).await?
            }
        };
        self.admission.forget_undefined(&self.projector.folder);
        for (tenant, reason) in redriven {
            self.redrives.add(tenant, reason);
        }
        Ok(None)
    }

    /// Takes records up to the next checkpoint, activation or end, whichever comes first.
    async fn take_records(&mut self, work: &mut Work) -> Result<(), TaskExit> {
        let checkpoint = (work.next_offset / CHECKPOINT_EVERY + 1) * CHECKPOINT_EVERY;
        let activation = self.definitions.next_activation(&self.projector.folder);
        let ends = [Some(checkpoint), activation, self.end];
        let end = ends.into_iter().flatten().min().unwrap_or(checkpoint);
        let (inbox, wall) = (&mut self.inbox, self.shared.clock);
        work.take_records(inbox, &self.classifier, wall, end)
            .await?;
        if self.end.is_none() && self.shared.clock_check.is_sound() {
            work.follow_wall_clock(&self.inbox);
        }
        Ok(())
    }

    /// Loads every customer that the input touches, and those whose timers fire beside it.
    async fn load(&mut self, work: &Work) -> Result<(), TaskExit> {
        let clock = self.projector.folder.clock();
        let clock = work.last_clock().map_or(clock, |last| last.max(clock));
        let timers = self.projector.commits.background(work.len());
        self.projector.load(work.customers(), clock, timers).await
    }

    /// Fires and folds, and commits the batch; writes nothing where nothing has changed.
    async fn fold(&mut self, work: Work, full: bool) -> Result<(), TaskExit> {
        let (shared, folder) = (&self.shared, &mut self.projector.folder);
        for redriven in &work.redriven {
            redriven.fold(shared, &self.admission, folder)?;
        }
        if let Some(last) = work.last_broker_time() {
            shared.clock_check.note_appended(last);
        }
        for item in &work.items {
            folder.move_clock(item.appended_at);
            folder.mark_clock(item.record.offset, item.record.told_time());
            self.admission.admit(folder, item)?;
        }
        if let Some(clock) = work.clock {
            folder.move_clock(clock);
        }
        let most = self.projector.commits.background(work.len());
        let fired = folder.fire_due(most);
        shared.metrics.timers_fired.inc_by(fired as u64);
        let wall_clock = !shared.clock.is_fixed();
        self.projector.reevaluate(most).await?;
        self.projector.erase().await?;
        self.catch_up(&work).await?;
        self.projector.check_failed()?;
        self.report();

        let moved = work.next_offset > self.projector.folder.next_offset();
        if !moved && !self.is_worth_a_commit() {
            return Ok(());
        }
        let end = BatchEnd {
            wall_clock,
            last: work.items.last().map(|item| item.record.identity()),
            next_offset: work.next_offset,
            checkpoint: moved && work.next_offset % CHECKPOINT_EVERY == 0,
        };
        let has_records = !work.items.is_empty();
        drop(work);
        let load = Load {
            is_full: full,
            leaves_work: self.has_background_work(),
            has_records,
        };
        self.projector.flush(end, load).await
    }

    /// Folds the next records of deferred scopes, up to the end of this batch.
    async fn catch_up(&mut self, work: &Work) -> Result<(), TaskExit> {
        let head = work.next_offset.max(self.projector.folder.next_offset());
        let partition = Partition {
            projector: &mut self.projector,
            classifier: &self.classifier,
            admission: &mut self.admission,
            redrives: &mut self.redrives,
            records: work.len(),
        };
        self.catch_up.step(partition, head).await
    }

    /// Returns whether anything but the position has changed enough to be written.
    fn is_worth_a_commit(&self) -> bool {
        let (folder, sent) = (&self.projector.folder, self.projector.commits.sent());
        let clock_moved = folder.clock().micros() - sent.clock;
        let fired_up = !folder.has_due_timers() && sent.fired_to < sent.clock;
        folder.has_rows() || clock_moved >= CLOCK_WRITTEN_EVERY || fired_up
    }

    fn report(&mut self) {
        let parked = self.projector.folder.parked_bytes();
        let (metrics, folder) = (&self.shared.metrics, &self.projector.folder);
        let quota = self.shared.limits.parked_quota_bytes;
        metrics.parked_quota.set(quota);
        let needed = folder.deferrals().first_needed();
        let needed = needed.map(|(offset, appended_after)| NeededRecord {
            offset,
            appended_after,
        });
        self.shared.progress.note_needed(self.partition, needed);
        let partition = self.partition.to_string();
        let seconds = |instant: Instant| instant.micros() / 1_000_000;
        let deferred = |reason| {
            let count = folder.deferrals().count(reason);
            i64::try_from(count).unwrap_or(i64::MAX)
        };
        for (gauges, value) in [
            (&metrics.tenants_halted, deferred(DeferralReason::Halted)),
            (&metrics.tenants_over_quota, deferred(DeferralReason::Quota)),
            (&metrics.parked_bytes, parked.largest_tenant),
            (&metrics.parked_bytes_without_tenant, parked.without_tenant),
            (
                &metrics.tenants_undefined,
                deferred(DeferralReason::Undefined),
            ),
            (
                &metrics.customers_quarantined,
                deferred(DeferralReason::Quarantined),
            ),
            (&metrics.clock, seconds(folder.clock())),
            (&metrics.largest_customer, folder.largest_customer()),
            (&metrics.timers_fired_to, seconds(folder.fired_to())),
        ] {
            gauges.with_label_values(&[&partition]).set(value);
        }
    }
}

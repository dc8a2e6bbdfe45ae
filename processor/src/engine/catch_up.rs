//! Catching up: the log is read again for deferred scopes that may be folded, beside the partition and in its
//! commits, until they stand where it stands.
//!
//! A step takes a chunk of records, and folds them scope by scope: each scope at its own clock, by the
//! definitions that were in force at the record. A step does as much as a batch may do in the background, and
//! takes up to twice the records that the batch has, if that is more, so that the scopes get nearer. Near the end the partition
//! waits for the scopes, for a moment at most, so that they meet.

mod definitions;
mod log_reader;
pub(super) mod recall;

use std::sync::Arc;
use std::time::{Duration, Instant as Elapsed};

use tidemark_schemas::Instant;

use self::definitions::Step;
use self::recall::{Chunk, Recall, Recalled};
use super::admission::{Admission, is_parked_here};
use super::classification::{Classification, Classifier, Item};
use super::context::{Context, TaskExit};
use super::folder::Folder;
use super::projector::Projector;
use super::redrive::Redrives;
use super::retry::Retry;
use crate::history::Activation;
use crate::parking::Reason;
use crate::store::Scope;

/// The distance to the partition's position, in offsets, at which the partition waits.
const NEAR: i64 = 2_000;
/// The time for which the partition waits, and the interval at which it does.
const HOLD_FOR: Duration = Duration::from_millis(250);
const HOLD_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct CatchUp {
    shared: Arc<Context>,
    partition: i32,
    retry: Retry,
    recall: Recall,
    /// The activations of the partition, and the newest version among them.
    history: Option<(i64, Arc<[Activation]>)>,
    /// Whether the last step has left work that needs no further input.
    is_busy: bool,
    /// The largest number of records that a step folds, and of timers of each scope that it fires.
    most: usize,
    is_near: bool,
    held_since: Option<Elapsed>,
}

/// The parts of the partition's task that a step uses.
pub(super) struct Partition<'a> {
    pub(super) projector: &'a mut Projector,
    pub(super) classifier: &'a Classifier,
    pub(super) admission: &'a mut Admission,
    pub(super) redrives: &'a mut Redrives,
    /// The number of records of the batch.
    pub(super) records: usize,
}

impl CatchUp {
    pub(super) fn new(shared: Arc<Context>, partition: i32, retry: Retry) -> Self {
        Self {
            recall: Recall::new(Arc::clone(&shared), partition, retry.clone()),
            shared,
            partition,
            retry,
            history: None,
            is_busy: false,
            most: 0,
            is_near: false,
            held_since: None,
        }
    }

    /// Returns whether the last step has left work that needs no further input.
    pub(super) const fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Returns whether a scope catches up.
    pub(super) const fn is_reading(&self) -> bool {
        self.recall.is_reading()
    }

    /// Waits until the log was read further; for ever where nothing catches up.
    pub(super) async fn readable(&mut self, head: i64) {
        self.recall.readable(head).await;
    }

    /// Returns whether the partition is to take no records now, so that the scopes reach it.
    pub(super) fn holds(&mut self) -> bool {
        if !self.is_near {
            self.held_since = None;
            return false;
        }
        let since = *self.held_since.get_or_insert_with(Elapsed::now);
        if since.elapsed() >= HOLD_EVERY {
            self.held_since = None;
        }
        since.elapsed() < HOLD_FOR
    }

    /// Folds the next records of the scopes that may be folded, up to the position of the partition at the end
    /// of its batch.
    pub(super) async fn step(&mut self, task: Partition<'_>, head: i64) -> Result<(), TaskExit> {
        let Partition {
            projector,
            classifier,
            admission,
            redrives,
            records,
        } = task;
        self.most = projector.commits.background(2 * records).max(1);
        self.is_busy = false;
        self.is_near = false;
        let mut ready = projector.folder.ready_scopes();
        if projector.commits.is_careful() {
            if projector.folder.has_customers() {
                self.is_busy = !ready.is_empty();
                return Ok(());
            }
            ready.sort_by_key(|(_, position)| *position);
            ready.truncate(1);
        }
        if ready.is_empty() {
            self.recall.rest();
            self.history = None;
            return Ok(());
        }
        if !self.load_history(projector).await? {
            self.is_busy = true;
            return Ok(());
        }
        let folding = self.prepare(&ready, classifier, projector, head).await?;
        for (scope, position) in folding {
            let lane = Lane {
                scope,
                position,
                head,
            };
            if self.fold(lane, projector, admission).await? {
                projector.folder.end_deferral(scope);
                // Events of it that wait for nothing any more were left parked.
                if scope.customer.is_none() {
                    redrives.add(scope.tenant.clone(), Reason::UnknownTenant);
                    redrives.add(scope.tenant.clone(), Reason::Late);
                }
                self.is_busy = true;
            }
        }
        let far = projector.folder.ready_scopes();
        let furthest = far.iter().map(|(_, position)| *position).min();
        let can_go_on = !self.is_busy && !self.recall.is_asking();
        self.is_near = can_go_on && furthest.is_some_and(|position| head - position <= NEAR);
        Ok(())
    }

    /// Takes every scope a step towards its definitions, and reads the next chunk. Returns the scopes that fold
    /// it, and where each stands.
    async fn prepare<'a>(
        &mut self,
        ready: &'a [(Scope, i64)],
        classifier: &Classifier,
        projector: &mut Projector,
        head: i64,
    ) -> Result<Vec<(&'a Scope, i64)>, TaskExit> {
        let mut end = head;
        // A scope whose definitions or clock have moved folds in the next step: what it has written must not be
        // missed when more of its timers are loaded.
        let mut folding = Vec::new();
        for (scope, position) in ready {
            let followed = self.follow_definitions(scope, *position, projector).await?;
            end = followed.next_offset.map_or(end, |next| end.min(next));
            if followed.has_moved {
                self.is_busy = true;
            } else {
                folding.push((scope, *position));
            }
        }
        if let Some(first) = ready.iter().map(|(_, position)| *position).min() {
            let (range, waits) = ((first, end), self.held_since.is_some());
            let chunk = Chunk {
                range,
                most: self.most,
                waits,
            };
            let read = self.recall.read(chunk, classifier, projector);
            self.is_busy |= read.await?;
        }
        Ok(folding)
    }

    /// Folds the records of the chunk that belong to a scope. Returns whether it stands where the partition
    /// stands.
    async fn fold(
        &mut self,
        lane: Lane<'_>,
        projector: &mut Projector,
        admission: &mut Admission,
    ) -> Result<bool, TaskExit> {
        let (scope, position, head) = (lane.scope, lane.position, lane.head);
        let live_clock = projector.folder.clock();
        projector.folder.enter(scope);
        let is_behind = (self.recall.from..self.recall.to).contains(&position);
        let reached = if is_behind {
            self.fold_chunk(position, projector, admission).await?
        } else {
            position
        };
        let mut is_level = false;
        if !projector.folder.stands() {
            let definitions = self.next_definitions(scope, reached, &projector.folder)?;
            if reached >= head && matches!(definitions, Step::Keep) {
                if !is_behind {
                    self.advance(projector, live_clock).await?;
                }
                is_level =
                    projector.folder.clock() >= live_clock && !projector.folder.has_due_timers();
                self.is_busy |= !is_level;
            }
            if projector.folder.next_reevaluation().is_some() {
                projector.reevaluate(self.most).await?;
                self.is_busy = true;
            }
            projector.folder.note_position(reached);
        }
        projector.folder.leave(scope);
        Ok(is_level)
    }

    /// Folds the rest of the chunk from an offset on in the lane in place. Returns the offset up to which it
    /// has.
    async fn fold_chunk(
        &mut self,
        position: i64,
        projector: &mut Projector,
        admission: &mut Admission,
    ) -> Result<i64, TaskExit> {
        let folder = &projector.folder;
        let is_mine =
            |it: &&Recalled| it.item.record.offset >= position && is_of_lane(folder, &it.item);
        let mine: Vec<&Recalled> = self.recall.records.iter().filter(is_mine).collect();
        let customers = mine.iter().filter_map(|it| it.item.customer()).collect();
        let clock = self.recall.clock.max(folder.clock());
        projector.load(customers, clock, self.most).await?;
        for Recalled { item, clock } in &mine {
            projector.folder.move_clock(*clock);
            admission.admit(&mut projector.folder, item)?;
            if projector.folder.stands() || is_complete(projector) {
                self.is_busy = true;
                return Ok(item.record.offset + 1);
            }
        }
        projector.folder.move_clock(self.recall.clock);
        let fired = projector.folder.fire_due(self.timers(projector));
        let metrics = &self.shared.metrics;
        metrics.timers_fired.inc_by(fired as u64);
        metrics.caught_up.inc_by(mine.len() as u64);
        Ok(self.recall.to)
    }

    /// Moves the clock of the lane in place, and fires the next timers due.
    async fn advance(&self, projector: &mut Projector, clock: Instant) -> Result<(), TaskExit> {
        let clock = clock.max(projector.folder.clock());
        projector.load(Vec::new(), clock, self.most).await?;
        projector.folder.move_clock(clock);
        projector.folder.fire_due(self.timers(projector));
        Ok(())
    }

    /// Returns the largest number of timers of the lane in place that fire now.
    fn timers(&self, projector: &Projector) -> usize {
        if projector.commits.is_careful() {
            return usize::from(!projector.folder.has_customers());
        }
        self.most
    }
}

/// A scope, where it stands, and where the partition stands.
struct Lane<'a> {
    scope: &'a Scope,
    position: i64,
    head: i64,
}

/// Returns whether the batch under construction may hold no further customer.
fn is_complete(projector: &Projector) -> bool {
    projector.commits.is_careful() && projector.folder.has_customers()
}

/// Returns whether the lane in place folds or parks a record.
fn is_of_lane(folder: &Folder, item: &Item) -> bool {
    match &item.classification {
        Classification::Fold(event) => folder.folds(&event.key()),
        Classification::Forward(_) => false,
        Classification::Park(park) => {
            let is_defined = |tenant: &_| folder.tenant(tenant).is_some();
            let park = park.clone().or_of_key(&item.record, is_defined);
            is_parked_here(folder, &park)
        }
    }
}

//! Time in a partition: its clock, and the timers of its customers.

use tidemark_projections::customer::InForce;
use tidemark_schemas::{CustomerKey, Instant};

use super::{Folder, redefine, touch};
use crate::engine::step::Step;

impl Folder {
    pub(crate) fn clock(&self) -> Instant {
        self.lane.clock
    }

    /// Returns the instant by which every timer due has fired; at most the clock.
    pub(crate) fn fired_to(&self) -> Instant {
        self.lane.fired_to
    }

    /// Returns whether timers are due and have not fired.
    pub(crate) fn has_due_timers(&self) -> bool {
        self.lane.fired_to < self.lane.clock
    }

    /// Moves the clock to an instant, never back. A customer's own timers due by then fire before its
    /// next event is folded; the others in [`Self::fire_due`], since no customer depends on another.
    pub(crate) fn move_clock(&mut self, to: Instant) {
        self.lane.clock = self.lane.clock.max(to);
    }

    /// Keeps the clock at a record for scopes that read it again, where the time of the record does not tell.
    /// `told` is that time as the log has it.
    pub(crate) fn mark_clock(&mut self, offset: i64, told: Option<Instant>) {
        let before = self.clock_at_record;
        let expected = told.map_or(before, |told| told.max(before));
        self.clock_at_record = self.lane.clock;
        if self.lane.clock != expected && !self.deferrals.is_empty() {
            let mark = (offset, self.lane.clock);
            self.pending.rows.clock_marks.0.push(mark);
            self.has_clock_marks = true;
        }
    }

    /// Returns whether the clock may be kept at any record.
    pub(crate) const fn has_clock_marks(&self) -> bool {
        self.has_clock_marks
    }

    /// Fires timers due by the clock, in order of due time: at most `limit` of them, and only while the
    /// next customer is in memory. Returns how many fired.
    pub(crate) fn fire_due(&mut self, limit: usize) -> usize {
        let mut fired = 0;
        while fired < limit {
            let Some((_, customer)) = self.lane.timers.first_due(self.lane.clock) else {
                break;
            };
            let customer = customer.clone();
            let Some(entry) = self.cache.get_mut(&customer) else {
                break;
            };
            entry.timer = None;
            self.lane.timers.set(&customer, None);
            self.pending.rows.timers.set(customer.clone(), None);
            let clock = self.lane.clock;
            self.guard(&customer, Step::Timer, |folder| {
                folder.catch_up(&customer, clock);
            });
            fired += 1;
        }
        let reached = match self.lane.timers.none_before() {
            Some(due) if due <= self.lane.clock => due.plus_micros(-1),
            Some(_) | None => self.lane.clock,
        };
        self.lane.fired_to = self.lane.fired_to.max(reached);
        fired
    }

    /// Brings a customer's outputs up to an instant: first to the definitions in force, then
    /// through every due time.
    pub(super) fn catch_up(&mut self, customer: &CustomerKey, until: Instant) {
        let Some(definitions) = self.lane.definitions.tenant(&customer.tenant) else {
            return;
        };
        let in_force = InForce {
            definitions,
            tracking: self.lane.tracked.tenant(&customer.tenant),
        };
        let Some(entry) = self.cache.get_mut(customer) else {
            return;
        };
        if entry.customer.is_behind(definitions, until) {
            touch(entry, customer, &mut self.pending);
        }
        let reevaluation = self.lane.reevaluations.get(&customer.tenant);
        let mut effects = redefine(&mut entry.customer, in_force, reevaluation);
        let redefined = effects.dirty;
        effects.extend(entry.customer.advance(definitions, until));
        entry.changes.extend(effects.changes);
        self.pending
            .rows
            .rollups
            .add(&customer.tenant, effects.rollups);
        self.note_due(customer, effects.next_due, redefined);
    }

    /// Writes the timer of a customer where it has none as early, and removes it where nothing is due any
    /// more. A row that is too early only evaluates the customer again; moving it with every event would
    /// cost more. `redefined`: the row is one of other definitions, and is not left for that.
    pub(super) fn note_due(
        &mut self,
        customer: &CustomerKey,
        due: Option<Instant>,
        redefined: bool,
    ) {
        let Some(entry) = self.cache.get_mut(customer) else {
            return;
        };
        let serves = match (entry.timer, due) {
            // One that is due already has fired with the fold, and would load the customer again.
            (Some(timer), Some(due)) => timer <= due && timer > self.lane.clock,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if serves && !redefined {
            return;
        }
        entry.timer = due;
        if self.lane.timers.set(customer, due) {
            self.pending.rows.timers.set(customer.clone(), due);
        }
    }
}

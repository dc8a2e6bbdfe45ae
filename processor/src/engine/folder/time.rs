//! Time in a partition: its clock, and the timers of its customers.

use tidemark_projections::customer::InForce;
use tidemark_schemas::{CustomerKey, Instant};

use super::{Folder, redefine, touch};

impl Folder {
    pub(crate) fn clock(&self) -> Instant {
        self.clock
    }

    /// Returns the instant by which every timer due has fired; at most the clock.
    pub(crate) fn fired_to(&self) -> Instant {
        self.fired_to
    }

    /// Returns whether timers are due and have not fired.
    pub(crate) fn has_due_timers(&self) -> bool {
        self.fired_to < self.clock
    }

    /// Moves the clock to an instant, never back. A customer's own timers due by then fire before its
    /// next event is folded; the others in [`Self::fire_due`], since no customer depends on another.
    pub(crate) fn move_clock(&mut self, to: Instant) {
        self.clock = self.clock.max(to);
    }

    /// Fires timers due by the clock, in order of due time: at most `limit` of them, and only while the
    /// next customer is in memory. Returns how many fired.
    pub(crate) fn fire_due(&mut self, limit: usize) -> usize {
        let mut fired = 0;
        while fired < limit {
            let Some((_, customer)) = self.timers.first_due(self.clock) else {
                break;
            };
            let customer = customer.clone();
            let Some(entry) = self.cache.get_mut(&customer) else {
                break;
            };
            entry.timer = None;
            self.timers.set(&customer, None);
            self.pending.rows.timers.set(customer.clone(), None);
            self.catch_up(&customer, self.clock);
            fired += 1;
        }
        let reached = match self.timers.none_before() {
            Some(due) if due <= self.clock => due.plus_micros(-1),
            Some(_) | None => self.clock,
        };
        self.fired_to = self.fired_to.max(reached);
        fired
    }

    /// Brings a customer's outputs up to an instant: first to the definitions in force, then
    /// through every due time.
    pub(super) fn catch_up(&mut self, customer: &CustomerKey, until: Instant) {
        let Some(definitions) = self.definitions.tenant(&customer.tenant) else {
            return;
        };
        let in_force = InForce {
            definitions,
            tracking: self.tracked.tenant(&customer.tenant),
        };
        let Some(entry) = self.cache.get_mut(customer) else {
            return;
        };
        if entry.customer.is_behind(definitions, until) {
            touch(entry, customer, &mut self.pending);
        }
        let reevaluation = self.reevaluations.get(&customer.tenant);
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
            (Some(timer), Some(due)) => timer <= due && timer > self.clock,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if serves && !redefined {
            return;
        }
        entry.timer = due;
        if self.timers.set(customer, due) {
            self.pending.rows.timers.set(customer.clone(), due);
        }
    }
}

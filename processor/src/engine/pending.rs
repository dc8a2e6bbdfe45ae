//! What the batch under construction has gathered beside the customers themselves.

use std::collections::BTreeMap;

use tidemark_projections::counter::CounterKind;
use tidemark_projections::rollups::Rollups;
use tidemark_schemas::{CustomerKey, Instant, TenantId};

use super::timers::Due;
use crate::store::{Batch, HaltRow, ParkedRow, Reevaluation, SettledRequest, TrackedRow};

/// What becomes of a timer's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimerRow {
    Written,
    Deleted,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Customers whose rows are written, each once.
    pub(crate) touched: Vec<CustomerKey>,
    /// The last word on each row of a timer.
    timers: BTreeMap<Due, TimerRow>,
    pub(crate) activation: Option<(i64, Instant)>,
    pub(crate) reevaluations: BTreeMap<TenantId, Reevaluation>,
    /// What is tracked from when on, and what no more.
    pub(crate) tracked: Vec<TrackedRow>,
    parked: Vec<ParkedRow>,
    unparked: Vec<i64>,
    settled: Vec<SettledRequest>,
    halted: Vec<HaltRow>,
    resumed: Vec<TenantId>,
    counters: BTreeMap<(TenantId, CounterKind, String), i64>,
    rollups: BTreeMap<TenantId, Rollups>,
}

impl Pending {
    /// Whether a commit would write anything but the position.
    pub(crate) fn is_empty(&self) -> bool {
        self.touched.is_empty()
            && self.timers.is_empty()
            && self.parked.is_empty()
            && self.unparked.is_empty()
            && self.settled.is_empty()
            && self.halted.is_empty()
            && self.resumed.is_empty()
            && self.activation.is_none()
            && self.reevaluations.is_empty()
            && self.tracked.is_empty()
    }

    /// A due time is written.
    pub(crate) fn write_timer(&mut self, due: Due) {
        self.timers.insert(due, TimerRow::Written);
    }

    /// A due time has fired: its row goes, unless it was never written.
    pub(crate) fn delete_timer(&mut self, due: Due) {
        if !self.withdraw_timer(&due) {
            self.timers.insert(due, TimerRow::Deleted);
        }
    }

    /// Takes back a due time that this very batch wrote: false where it did not.
    pub(crate) fn withdraw_timer(&mut self, due: &Due) -> bool {
        let written = self.timers.get(due) == Some(&TimerRow::Written);
        if written {
            self.timers.remove(due);
        }
        written
    }

    /// Parks an event for the first time.
    pub(crate) fn park(&mut self, row: ParkedRow) {
        if let Some(tenant) = row.tenant.clone() {
            self.count(
                &tenant,
                CounterKind::Parked,
                row.reason.as_str().to_owned(),
                1,
            );
        }
        self.parked.push(row);
    }

    /// A parked event was folded, or let go.
    pub(crate) fn unpark(&mut self, row: &ParkedRow) {
        self.forget_parked(row);
        self.unparked.push(row.offset);
    }

    /// A parked event was tried again and is parked for another reason now.
    pub(crate) fn repark(&mut self, before: &ParkedRow, now: ParkedRow) {
        self.forget_parked(before);
        self.park(now);
    }

    /// A parked event was let go: it is counted where it went.
    pub(crate) fn discard(&mut self, row: &ParkedRow) {
        self.unpark(row);
        if let Some(tenant) = &row.tenant {
            self.count(
                tenant,
                CounterKind::Discarded,
                row.reason.as_str().to_owned(),
                1,
            );
        }
    }

    /// What became of an operator's wish.
    pub(crate) fn settle(&mut self, settled: SettledRequest) {
        self.settled.push(settled);
    }

    /// A tenant is halted after a record.
    pub(crate) fn halt(&mut self, row: HaltRow) {
        self.halted.push(row);
    }

    /// A tenant is folded again.
    pub(crate) fn resume(&mut self, tenant: TenantId) {
        self.resumed.push(tenant);
    }

    fn forget_parked(&mut self, row: &ParkedRow) {
        if let Some(tenant) = &row.tenant {
            self.count(
                tenant,
                CounterKind::Parked,
                row.reason.as_str().to_owned(),
                -1,
            );
        }
    }

    /// Adds to a counter of the partition's shard.
    pub(crate) fn count(&mut self, tenant: &TenantId, kind: CounterKind, name: String, delta: i64) {
        *self
            .counters
            .entry((tenant.clone(), kind, name))
            .or_default() += delta;
    }

    /// Adds to a tenant's rollups.
    pub(crate) fn add_rollups(&mut self, tenant: &TenantId, rollups: Rollups) {
        if rollups.is_empty() {
            return;
        }
        if let Some(held) = self.rollups.get_mut(tenant) {
            held.extend(rollups);
        } else {
            self.rollups.insert(tenant.clone(), rollups);
        }
    }

    pub(crate) fn write_into(self, batch: &mut Batch) {
        for (due, row) in self.timers {
            match row {
                TimerRow::Written => batch.timers.push(due),
                TimerRow::Deleted => batch.timers_fired.push(due),
            }
        }
        batch.parked = self.parked;
        batch.unparked = self.unparked;
        batch.settled = self.settled;
        batch.halted = self.halted;
        batch.resumed = self.resumed;
        batch.activation = self.activation;
        batch.reevaluations = self.reevaluations.into_values().collect();
        batch.tracked = self.tracked;
        batch.counters = self
            .counters
            .into_iter()
            .filter(|(_, delta)| *delta != 0)
            .map(|((tenant, kind, name), delta)| (tenant, kind, name, delta))
            .collect();
        batch.rollups = self.rollups;
        batch.rollups.retain(|_, rollups| !rollups.is_empty());
    }
}

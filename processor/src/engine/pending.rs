//! What the batch under construction has gathered beside the customers themselves.

use std::collections::BTreeMap;

use tidemark_projections::standing::Change;
use tidemark_schemas::{CustomerKey, Instant, TenantId};

use crate::store::{
    Batch, ChangeRow, HaltRow, ParkedRow, Reevaluation, SettledRequest, TrackedRow,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Customers whose rows are written, each once, in the order they were first touched.
    pub(crate) touched: Vec<CustomerKey>,
    pub(crate) changes: Vec<ChangeRow>,
    /// The last word on each timer: written, or deleted.
    pub(crate) timers: BTreeMap<CustomerKey, Option<Instant>>,
    pub(crate) activation: Option<(i64, Instant)>,
    pub(crate) reevaluations: BTreeMap<TenantId, Reevaluation>,
    /// What is tracked from when on, and what no more.
    pub(crate) tracked: Vec<TrackedRow>,
    parked: Vec<ParkedRow>,
    unparked: Vec<i64>,
    settled: Vec<SettledRequest>,
    halted: Vec<HaltRow>,
    resumed: Vec<TenantId>,
    counters: BTreeMap<(TenantId, &'static str, String), i64>,
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

    pub(crate) fn note_change(&mut self, seq: i64, customer: &CustomerKey, change: Change) {
        self.changes.push(ChangeRow {
            seq,
            key: customer.clone(),
            change,
        });
    }

    /// Parks an event for the first time.
    pub(crate) fn park(&mut self, row: ParkedRow) {
        if let Some(tenant) = row.tenant.clone() {
            self.count(&tenant, "parked", row.reason.to_owned(), 1);
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
            self.count(tenant, "discarded", row.reason.to_owned(), 1);
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
            self.count(tenant, "parked", row.reason.to_owned(), -1);
        }
    }

    /// Adds to a counter of the partition's shard.
    pub(crate) fn count(
        &mut self,
        tenant: &TenantId,
        kind: &'static str,
        name: String,
        delta: i64,
    ) {
        *self
            .counters
            .entry((tenant.clone(), kind, name))
            .or_default() += delta;
    }

    pub(crate) fn write_into(self, batch: &mut Batch) {
        for (customer, due) in self.timers {
            match due {
                Some(due) => batch.timers.push((customer, due)),
                None => batch.timers_cleared.push(customer),
            }
        }
        batch.changes = self.changes;
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
    }
}

//! The tables as far as the engine sees them, in memory: what a batch does to them.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_projections::counter::CounterKind;
use tidemark_projections::evaluated::EVALUATION_VERSION;
use tidemark_projections::rollups::Rollups;
use tidemark_schemas::{CustomerKey, Instant, TenantId};
use uuid::Uuid;

use crate::engine::timers::Due;
use crate::store::{
    Batch, ChangeSet, Claim, CustomerRow, DeferralRow, LogIdentity, ParkedBytesRow, ParkedRow,
    Reevaluation, Scope, TenantDigest, TrackedRow,
};
use tidemark_projections::state::LeafId;

/// The counters by key.
pub(super) type Counters = BTreeMap<(TenantId, CounterKind, String), i64>;

/// One partition's rows.
#[derive(Debug, Clone)]
pub(super) struct Table {
    epoch: i64,
    commits: i64,
    pub(super) next_offset: i64,
    pub(super) clock: Instant,
    pub(super) fired_to: Instant,
    change_seq: i64,
    pub(super) definitions: i64,
    pub(super) evaluation: i32,
    pub(super) customers: BTreeMap<CustomerKey, CustomerRow>,
    pub(super) timers: BTreeMap<CustomerKey, Instant>,
    pub(super) changes: Vec<ChangeSet>,
    pub(super) counters: Counters,
    pub(super) rollups: BTreeMap<TenantId, Rollups>,
    pub(super) digests: BTreeMap<TenantId, TenantDigest>,
    pub(super) memberships: BTreeMap<(CustomerKey, String), Instant>,
    pub(super) positions: BTreeMap<(CustomerKey, String), (String, Instant)>,
    pub(super) parked: BTreeMap<i64, ParkedRow>,
    pub(super) parked_bytes: BTreeMap<Option<TenantId>, i64>,
    pub(super) reevaluations: BTreeMap<TenantId, Reevaluation>,
    /// Version, the offset before which it came into force, the clock then.
    pub(super) activations: Vec<(i64, i64, Instant)>,
    pub(super) tracked: BTreeMap<(TenantId, LeafId), Instant>,
    pub(super) deferrals: BTreeMap<Scope, DeferralRow>,
    pub(super) clock_marks: BTreeMap<i64, Instant>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            epoch: 0,
            commits: 0,
            next_offset: 0,
            clock: Instant::MIN,
            fired_to: Instant::MIN,
            change_seq: 0,
            definitions: -1,
            evaluation: EVALUATION_VERSION,
            customers: BTreeMap::new(),
            timers: BTreeMap::new(),
            changes: Vec::new(),
            counters: Counters::new(),
            rollups: BTreeMap::new(),
            digests: BTreeMap::new(),
            memberships: BTreeMap::new(),
            positions: BTreeMap::new(),
            parked: BTreeMap::new(),
            parked_bytes: BTreeMap::new(),
            reevaluations: BTreeMap::new(),
            activations: Vec::new(),
            tracked: BTreeMap::new(),
            deferrals: BTreeMap::new(),
            clock_marks: BTreeMap::new(),
        }
    }

    pub(super) fn claim(&mut self) -> Claim {
        self.epoch += 1;
        Claim {
            epoch: self.epoch,
            nonce: Uuid::nil(),
            commits: self.commits,
            next_offset: self.next_offset,
            clock: self.clock,
            fired_to: self.fired_to,
            change_seq: self.change_seq,
            definitions: self.definitions,
            evaluation: self.evaluation,
            digests: self.digests.clone().into_iter().collect(),
            reevaluations: self
                .reevaluations
                .values()
                .filter(|reevaluation| !reevaluation.done)
                .cloned()
                .collect(),
            tracked: self
                .tracked
                .iter()
                .map(|((tenant, leaf), exact_from)| TrackedRow {
                    tenant: tenant.clone(),
                    leaf: *leaf,
                    exact_from: Some(*exact_from),
                })
                .collect(),
            large: Vec::new(),
            parked_bytes: self
                .parked_bytes
                .iter()
                .map(|(tenant, bytes)| ParkedBytesRow {
                    tenant: tenant.clone(),
                    bytes: *bytes,
                })
                .collect(),
            log: LogIdentity::default(),
            deferrals: self
                .deferrals
                .values()
                .cloned()
                .map(|row| (row, false))
                .collect(),
            offboardings: Vec::new(),
            has_clock_marks: !self.clock_marks.is_empty(),
        }
    }

    /// Writes a batch, as one commit does; false when it is fenced.
    pub(super) fn commit(&mut self, batch: Batch) -> bool {
        let fence = (batch.epoch, batch.old_commits, batch.old_next_offset);
        if fence != (self.epoch, self.commits, self.next_offset) {
            return false;
        }
        self.commits += 1;
        let before = std::mem::replace(&mut self.next_offset, batch.new_next_offset);
        assert!(before <= self.next_offset, "the position went back");
        let clock = Instant::from_micros(batch.clock).expect("an instant");
        assert!(self.clock <= clock, "the clock went back");
        self.clock = clock;
        let fired_to = Instant::from_micros(batch.fired_to).expect("an instant");
        assert!(self.fired_to <= fired_to, "timers are due again");
        assert!(fired_to <= clock, "timers fired that are not due");
        self.fired_to = fired_to;
        self.definitions = batch.definitions;
        self.evaluation = batch.evaluation;
        if let Some((version, at)) = batch.rows.activation {
            self.activations.push((version, before, at));
        }
        self.write_rows(&batch);
        self.write_deferrals(&batch);
        self.write_outputs(&batch);
        for row in batch.rows.changes {
            self.change_seq += 1;
            assert_eq!(
                row.seq, self.change_seq,
                "changes are numbered without gaps"
            );
            self.changes.push(row);
        }
        assert_eq!(batch.change_seq, self.change_seq);
        for (counter, delta) in batch.rows.counts.counters {
            *self.counters.entry(counter).or_default() += delta;
        }
        self.counters.retain(|_, value| *value != 0);
        for (tenant, rollups) in batch.rows.rollups.iter() {
            assert!(!rollups.is_empty(), "nothing is not written");
            let held = self.rollups.entry(tenant.clone()).or_default();
            held.extend(rollups.clone());
        }
        self.digests.extend(batch.rows.counts.digests);
        for row in batch.rows.tracked {
            let key = (row.tenant, row.leaf);
            match row.exact_from {
                Some(exact_from) => assert!(self.tracked.insert(key, exact_from).is_none()),
                None => assert!(self.tracked.remove(&key).is_some(), "it was not tracked"),
            }
        }
        for reevaluation in batch.rows.reevaluations.iter() {
            let tenant = reevaluation.tenant.clone();
            self.reevaluations.insert(tenant, reevaluation.clone());
        }
        true
    }

    fn write_deferrals(&mut self, batch: &Batch) {
        let marks = batch.rows.clock_marks.0.iter();
        self.clock_marks.extend(marks.copied());
        for row in batch.rows.deferrals.rows() {
            self.deferrals.insert(row.scope.clone(), row.clone());
        }
        for scope in batch.rows.deferrals.ended() {
            self.deferrals.remove(scope);
        }
    }

    fn write_rows(&mut self, batch: &Batch) {
        let mut once = BTreeSet::new();
        for row in &batch.rows.customers {
            assert!(
                once.insert(&row.key),
                "{:?} stands twice in a batch",
                row.key
            );
            self.customers.insert(row.key.clone(), row.clone());
        }
        for customer in batch.rows.timers.removed() {
            self.timers.remove(customer);
        }
        for (customer, due) in batch.rows.timers.written() {
            self.timers.insert(customer.clone(), due);
        }
        let due = self.timers.values().min();
        assert!(
            due.is_none_or(|due| *due > self.fired_to),
            "not all have fired"
        );
        for offset in &batch.rows.parked.unparked {
            assert!(
                self.parked.remove(offset).is_some(),
                "{offset} was not parked"
            );
        }
        for row in &batch.rows.parked.parked {
            self.parked.insert(row.offset, row.clone());
        }
        for ParkedBytesRow { tenant, bytes } in &batch.rows.parked_bytes {
            self.parked_bytes.insert(tenant.clone(), *bytes);
            self.parked_bytes.retain(|_, bytes| *bytes != 0);
        }
    }

    fn write_outputs(&mut self, batch: &Batch) {
        for (customer, segment) in &batch.rows.memberships.left {
            let left = (customer.clone(), segment.to_string());
            assert!(self.memberships.remove(&left).is_some(), "not in {left:?}");
        }
        for (customer, segment, since) in &batch.rows.memberships.entered {
            let entered = (customer.clone(), segment.to_string());
            self.memberships.insert(entered, *since);
        }
        for (customer, journey) in &batch.rows.positions.left {
            let left = (customer.clone(), journey.to_string());
            assert!(self.positions.remove(&left).is_some(), "not in {left:?}");
        }
        for (customer, journey, stage, since) in &batch.rows.positions.entered {
            let place = (customer.clone(), journey.to_string());
            self.positions.insert(place, (stage.to_string(), *since));
        }
    }

    /// The customers of these keys that exist.
    pub(super) fn customers_of(&self, keys: &[CustomerKey]) -> Vec<CustomerRow> {
        keys.iter()
            .filter_map(|key| self.customers.get(key).cloned())
            .collect()
    }

    /// A tenant's customers in order of id.
    pub(super) fn tenant_customers(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<CustomerRow> {
        self.customers
            .values()
            .filter(|row| row.key.tenant == *tenant)
            .filter(|row| row.key.customer.as_str() > after.unwrap_or(""))
            .take(limit)
            .cloned()
            .collect()
    }

    /// The next timers in order, strictly after `after`.
    pub(super) fn timers_after(&self, after: Option<&Due>, limit: usize) -> Vec<Due> {
        let rows = self.timers.iter();
        let in_order: BTreeSet<Due> = rows
            .map(|(customer, due)| (*due, customer.clone()))
            .collect();
        in_order
            .into_iter()
            .filter(|row| after.is_none_or(|after| row > after))
            .take(limit)
            .collect()
    }
}

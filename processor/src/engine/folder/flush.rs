//! The end of a batch: what it writes.

use std::collections::BTreeSet;

use tidemark_schemas::{CustomerKey, TenantId};

use super::Folder;
use crate::engine::pending::Pending;
use crate::engine::rows;
use crate::engine::step::Step;
use crate::store::{Batch, ChangeSet, LastRecord, Rows};

/// The end of a batch: its position and the checkpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchEnd {
    pub(crate) next_offset: i64,
    /// The batch ends where a digest is kept.
    pub(crate) checkpoint: bool,
    /// The clock follows the wall clock, not a fixed instant.
    pub(crate) wall_clock: bool,
    /// The last record that was read, if there is one in the batch.
    pub(crate) last: Option<LastRecord>,
}

impl Folder {
    /// Returns the bytes of the partition's largest customer, if it is large; else 0.
    pub(crate) fn largest_customer(&self) -> i64 {
        self.large.largest()
    }

    /// Ends the batch under construction and returns what it writes.
    pub(crate) fn flush(&mut self, end: BatchEnd) -> Batch {
        self.flush_deferrals();
        let Pending {
            touched,
            rows,
            parked_bytes,
        } = &mut self.pending;
        let (mut touched, mut rows) = (std::mem::take(touched), std::mem::take(rows));
        rows.parked_bytes = parked_bytes.take_changed();
        let mut counted: BTreeSet<TenantId> = BTreeSet::new();
        // In the order of their keys: neighbours share pages.
        touched.sort_unstable();
        for customer in &touched {
            if self.flush_customer(customer, &mut rows) {
                counted.insert(customer.tenant.clone());
            }
        }
        rows.counts.digests = counted
            .into_iter()
            .filter_map(|tenant| self.digests.get(&tenant).map(|counts| (tenant, *counts)))
            .collect();
        let checkpoint = || self.digests.clone().into_iter().collect();
        rows.checkpoint = end.checkpoint.then(checkpoint);
        self.log.last = end.last.or(self.log.last);
        let batch = Batch {
            partition: self.partition,
            epoch: self.epoch,
            nonce: self.nonce,
            old_commits: self.commits,
            old_next_offset: self.next_offset,
            new_next_offset: end.next_offset,
            clock: self.lane.clock.micros(),
            fired_to: self.lane.fired_to.micros(),
            wall_clock: end.wall_clock,
            change_seq: self.change_seq,
            definitions: self.lane.definitions_version,
            evaluation: self.evaluation,
            log: self.log.clone(),
            rows,
        };
        self.batch += 1;
        self.commits += 1;
        self.next_offset = end.next_offset;
        batch
    }

    /// Writes the rows of one customer; `false` if it is not in memory or cannot be processed.
    fn flush_customer(&mut self, customer: &CustomerKey, rows: &mut Rows) -> bool {
        let mut written = None;
        self.guard(customer, Step::Rows, |folder| {
            let Some(entry) = folder.cache.get_mut(customer) else {
                return;
            };
            let digest = folder.digests.entry(customer.tenant.clone()).or_default();
            written = Some(rows::flush_customer(
                customer,
                entry,
                folder.batch,
                digest,
                rows,
            ));
        });
        let (Some(written), Some(entry)) = (written, self.cache.get_mut(customer)) else {
            return false;
        };
        rows.large.extend(self.large.note(customer, written));
        if !entry.changes.is_empty() {
            self.change_seq += 1;
            rows.changes.push(ChangeSet {
                seq: self.change_seq,
                key: customer.clone(),
                definition_version: entry.customer.evaluated().definition_version,
                changes: std::mem::take(&mut entry.changes),
            });
        }
        self.cache.remeasure(customer);
        true
    }
}

//! The batch under construction: the rows gathered so far, and the customers whose rows follow.

use tidemark_projections::counter::CounterKind;
use tidemark_schemas::{CustomerKey, TenantId};

use super::parked_bytes::ParkedBytes;
use crate::store::{ParkedRow, Rows};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Customers whose rows are written, each once.
    pub(crate) touched: Vec<CustomerKey>,
    /// Every other row.
    pub(crate) rows: Rows,
    /// The bytes of parked events, with those of this batch. Unlike the rest it is not of the batch alone.
    pub(crate) parked_bytes: ParkedBytes,
}

impl Pending {
    /// Returns whether a customer has a part in the batch.
    pub(crate) fn has_customers(&self) -> bool {
        !self.touched.is_empty() || self.rows.timers.keys().next().is_some()
    }

    /// Returns whether a commit would write nothing but the position.
    pub(crate) fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.rows.is_empty()
    }

    /// Parks an event for the first time.
    pub(crate) fn park(&mut self, row: ParkedRow) {
        self.count_parked(&row, 1);
        self.parked_bytes.add(&row);
        self.rows.parked.parked.push(row);
    }

    /// Removes a parked event that was folded or discarded.
    pub(crate) fn unpark(&mut self, row: &ParkedRow) {
        self.count_parked(row, -1);
        self.parked_bytes.remove(row);
        self.rows.parked.unparked.push(row.offset);
    }

    /// Parks an event for another reason than before.
    pub(crate) fn repark(&mut self, before: &ParkedRow, now: ParkedRow) {
        self.count_parked(before, -1);
        self.parked_bytes.remove(before);
        self.park(now);
    }

    /// Discards a parked event, and counts it as discarded.
    pub(crate) fn discard(&mut self, row: &ParkedRow) {
        self.unpark(row);
        if let Some(tenant) = &row.tenant {
            let reason = row.reason.to_string();
            self.rows
                .counts
                .add(tenant, CounterKind::Discarded, reason, 1);
        }
    }

    /// Counts an event that was forwarded to its expected partition.
    pub(crate) fn forward(&mut self, tenant: &TenantId, cause: &str) {
        let cause = cause.to_owned();
        self.rows
            .counts
            .add(tenant, CounterKind::Forwarded, cause, 1);
    }

    fn count_parked(&mut self, row: &ParkedRow, delta: i64) {
        if let Some(tenant) = &row.tenant {
            let reason = row.reason.to_string();
            self.rows
                .counts
                .add(tenant, CounterKind::Parked, reason, delta);
        }
    }
}

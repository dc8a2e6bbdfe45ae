//! The erasure of offboarded tenants: nothing of them is in memory any more, and their rows go in parts, a part
//! with each batch, beside the records of others. Newer definitions wait until the last row is gone.

use tidemark_schemas::{CustomerKey, Instant, TenantId};

use super::Folder;
use crate::store::Unerased;

impl Folder {
    /// Returns whether rows of a tenant are still to be erased.
    pub(crate) fn is_erasing(&self) -> bool {
        !self.offboardings.is_empty()
    }

    /// Returns whether rows of this tenant are still to be erased.
    pub(crate) fn erases(&self, tenant: &TenantId) -> bool {
        self.is_erasing() && self.offboardings.contains(tenant)
    }

    /// Returns the tenant of which rows are erased next.
    pub(crate) fn next_erasure(&self) -> Option<&TenantId> {
        self.offboardings.first()
    }

    /// Returns whether a record of a tenant was appended before the tenant was offboarded.
    pub(crate) fn is_offboarded(&self, tenant: &TenantId, appended_at: Instant) -> bool {
        self.lane.definitions.is_offboarded(tenant, appended_at)
    }

    /// Begins the erasure of a tenant that a version of the definitions offboarded. Between batches: whatever
    /// is in memory of it is committed.
    pub(super) fn begin_erasure(&mut self, tenant: &TenantId, version: i64) {
        debug_assert!(self.lane.scope.is_none(), "definitions of the live lane");
        let is_gone = |key: &CustomerKey| key.tenant == *tenant;
        self.cache.remove_tenant(tenant);
        self.large.remove_tenant(tenant);
        self.digests.remove(tenant);
        self.pending.parked_bytes.forget(tenant);
        self.lane.timers.release(is_gone);
        self.lane.tracked.take(tenant);
        self.lane.reevaluations.remove(tenant);
        for scope in self.deferrals.remove_tenant(tenant) {
            self.pending.rows.deferrals.end(scope);
        }
        self.offboardings.insert(tenant.clone());
        self.pending
            .rows
            .offboardings
            .begin(tenant.clone(), version);
        let partition = self.partition;
        tracing::info!(partition, %tenant, version, "offboarded: its rows are being erased");
    }

    /// Erases the next rows of a tenant with the batch under construction; `None`: none is left.
    pub(crate) fn erase(&mut self, tenant: &TenantId, left: Option<Unerased>) {
        let rows = &mut self.pending.rows.offboardings;
        if let Some(kind) = left {
            rows.erase(tenant.clone(), kind);
            return;
        }
        rows.finish(tenant.clone());
        self.offboardings.remove(tenant);
        tracing::info!(partition = self.partition, %tenant, "offboarded: its rows are erased");
    }
}

//! The instants from which the tracked leaves of a partition's tenants are exact.
//!
//! A leaf that comes into force when the partition's clock stands at some instant counts what
//! occurred five minutes after it, or later. Nothing dated so late can have been folded before: the
//! clock is the append time of the newest record read, and what is dated further ahead of its own
//! append time than that is parked.

use std::collections::BTreeMap;

use tidemark_projections::customer::Tracking;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::state::LeafId;
use tidemark_schemas::{Instant, TenantId};

use super::classification::FUTURE_TOLERANCE_MICROS;
use crate::store::TrackedRow;

/// The tracked leaves of a partition's tenants.
#[derive(Debug, Default)]
pub(super) struct TrackedLeaves {
    by_tenant: BTreeMap<TenantId, Tracking>,
}

impl TrackedLeaves {
    /// Returns the tracking that the database holds.
    pub(super) fn new(rows: Vec<TrackedRow>) -> Self {
        let mut by_tenant = BTreeMap::<_, Tracking>::new();
        for row in rows {
            if let Some(exact_from) = row.exact_from {
                let tracking = by_tenant.entry(row.tenant).or_default();
                tracking.extend([(row.leaf, exact_from)]);
            }
        }
        Self { by_tenant }
    }

    /// Brings the leaves of a tenant to its new definitions. Returns the rows that differ.
    pub(super) fn activate(
        &mut self,
        definitions: &TenantDefinitions,
        clock: Instant,
    ) -> Vec<TrackedRow> {
        let tracking = self.by_tenant.entry(definitions.id.clone()).or_default();
        let exact_from = clock.plus_micros(FUTURE_TOLERANCE_MICROS);
        let changed = tracking.activate(definitions, exact_from).into_iter();
        let rows = changed.map(|(leaf, exact_from)| TrackedRow {
            tenant: definitions.id.clone(),
            leaf,
            exact_from,
        });
        rows.collect()
    }

    /// Returns the leaves of one tenant alone.
    pub(super) fn from_leaves(
        tenant: &TenantId,
        leaves: impl IntoIterator<Item = (LeafId, Instant)>,
    ) -> Self {
        let tracking: Tracking = leaves.into_iter().collect();
        Self {
            by_tenant: [(tenant.clone(), tracking)].into(),
        }
    }

    /// Takes the leaves of a tenant out.
    pub(super) fn take(&mut self, tenant: &TenantId) -> Self {
        let taken = self.by_tenant.remove_entry(tenant);
        Self {
            by_tenant: taken.into_iter().collect(),
        }
    }

    /// Puts the leaves of a tenant back.
    pub(super) fn put(&mut self, other: Self) {
        self.by_tenant.extend(other.by_tenant);
    }

    /// The leaves of one tenant.
    pub(super) fn tenant(&self, tenant: &TenantId) -> &Tracking {
        static NONE: Tracking = Tracking::new();
        self.by_tenant.get(tenant).unwrap_or(&NONE)
    }
}

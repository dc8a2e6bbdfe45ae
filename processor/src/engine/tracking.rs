//! From when on the tracked leaves of a partition's tenants are exact.
//!
//! A leaf that comes into force when the partition's clock stands at some instant counts what
//! occurred five minutes after it, or later. Nothing dated so late can have been folded before: the
//! clock is the append time of the newest record read, and what is dated further ahead of its own
//! append time than that is parked.

use std::collections::BTreeMap;

use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::state::{CustomerState, LeafId};
use tidemark_schemas::{CustomerEvent, Instant, TenantId};

use super::verdict::FUTURE_TOLERANCE_MICROS;
use crate::store::TrackedRow;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    exact_from: BTreeMap<TenantId, BTreeMap<LeafId, Instant>>,
}

impl Tracking {
    /// As the database has it.
    pub(super) fn new(rows: Vec<TrackedRow>) -> Self {
        let mut tracking = Self::default();
        for row in rows {
            if let Some(exact_from) = row.exact_from {
                let leaves = tracking.exact_from.entry(row.tenant).or_default();
                leaves.insert(row.leaf, exact_from);
            }
        }
        tracking
    }

    /// Begins to track what a tenant's new definitions ask for and the old ones did not, and gives
    /// up what they no longer ask for. Returns what changed.
    pub(super) fn activate(
        &mut self,
        definitions: &TenantDefinitions,
        clock: Instant,
    ) -> Vec<TrackedRow> {
        let leaves = self.exact_from.entry(definitions.id.clone()).or_default();
        let mut changed = Vec::new();
        let mut change = |leaf, exact_from| {
            changed.push(TrackedRow {
                tenant: definitions.id.clone(),
                leaf,
                exact_from,
            });
        };
        leaves.retain(|leaf, _| {
            let kept = definitions.tracked.contains_key(leaf);
            if !kept {
                change(*leaf, None);
            }
            kept
        });
        for leaf in definitions.tracked.keys() {
            leaves.entry(*leaf).or_insert_with(|| {
                let exact_from = clock.plus_micros(FUTURE_TOLERANCE_MICROS);
                change(*leaf, Some(exact_from));
                exact_from
            });
        }
        changed
    }

    /// Counts an event just folded, for whoever asks for it.
    pub(super) fn count(
        &self,
        event: &CustomerEvent,
        definitions: &TenantDefinitions,
        state: &mut CustomerState,
    ) {
        if definitions.tracked.is_empty() {
            return;
        }
        let Some(leaves) = self.exact_from.get(&definitions.id) else {
            return;
        };
        let asking = definitions.tracking(event);
        let asking = asking.filter_map(|(leaf, asked)| Some((leaf, asked, *leaves.get(&leaf)?)));
        state.track(event, &definitions.rules, asking);
    }

    /// Drops a customer's counters for which nobody asks any more.
    pub(super) fn forget(&self, tenant: &TenantId, state: &mut CustomerState) {
        let leaves = self.exact_from.get(tenant);
        state
            .tracked
            .keep(|leaf| leaves.and_then(|leaves| leaves.get(&leaf)).copied());
    }
}

//! The instants from which on a tenant's tracked leaves count.

use std::collections::BTreeMap;

use tidemark_schemas::{CustomerEvent, Instant};

use crate::definitions::TenantDefinitions;
use crate::state::{CustomerState, LeafId, Tracked};

/// The instant from which on each tracked leaf of a tenant is exact in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracking(BTreeMap<LeafId, Instant>);

impl Tracking {
    /// Returns a tracking of no leaf.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Tracks each leaf that newer definitions ask for and did not before, from an instant on, and
    /// gives up each leaf that they no longer ask for. Returns the leaves that differ; `None` is one
    /// given up.
    pub fn activate(
        &mut self,
        definitions: &TenantDefinitions,
        exact_from: Instant,
    ) -> Vec<(LeafId, Option<Instant>)> {
        let mut changed = Vec::new();
        self.0.retain(|leaf, _| {
            let kept = definitions.tracked.contains_key(leaf);
            if !kept {
                changed.push((*leaf, None));
            }
            kept
        });
        for leaf in definitions.tracked.keys() {
            self.0.entry(*leaf).or_insert_with(|| {
                changed.push((*leaf, Some(exact_from)));
                exact_from
            });
        }
        changed
    }

    /// Returns the leaves, and the instant from which each is exact.
    pub fn iter(&self) -> impl Iterator<Item = (LeafId, Instant)> {
        self.0.iter().map(|(leaf, exact_from)| (*leaf, *exact_from))
    }

    /// Counts an event just folded, for each leaf that asks for it. Returns the number of those.
    pub(super) fn count(
        &self,
        event: &CustomerEvent,
        definitions: &TenantDefinitions,
        state: &mut CustomerState,
    ) -> usize {
        if definitions.tracked.is_empty() {
            return 0;
        }
        let asking = definitions.tracking(event);
        let asking = asking.filter_map(|(leaf, asked)| Some((leaf, asked, *self.0.get(&leaf)?)));
        let mut leaves = 0;
        let asking = asking.inspect(|_| leaves += 1);
        state.track(event, &definitions.rules, asking);
        leaves
    }

    /// Drops the counters of leaves that are tracked no longer, or from another instant on.
    pub(super) fn forget(&self, tracked: &mut Tracked) {
        tracked.keep(|leaf| self.0.get(&leaf).copied());
    }
}

impl FromIterator<(LeafId, Instant)> for Tracking {
    fn from_iter<Leaves: IntoIterator<Item = (LeafId, Instant)>>(leaves: Leaves) -> Self {
        Self(leaves.into_iter().collect())
    }
}

impl Extend<(LeafId, Instant)> for Tracking {
    fn extend<Leaves: IntoIterator<Item = (LeafId, Instant)>>(&mut self, leaves: Leaves) {
        self.0.extend(leaves);
    }
}

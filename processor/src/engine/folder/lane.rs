//! A lane: the clock, the definitions and the timers by which a part of a partition is folded.

use std::collections::BTreeMap;

use tidemark_projections::definitions::Definitions;
use tidemark_schemas::{Instant, TenantId};

use crate::engine::timers::Timers;
use crate::engine::tracking::TrackedLeaves;
use crate::store::{Claim, Reevaluation, Scope};

/// See the module.
#[derive(Debug)]
pub(super) struct Lane {
    /// The deferred scope; `None`: everything that is not deferred.
    pub(super) scope: Option<Scope>,
    pub(super) clock: Instant,
    /// Every timer due by then has fired.
    pub(super) fired_to: Instant,
    pub(super) definitions: Definitions,
    /// The version of the definitions in force, also before any was seen here.
    pub(super) definitions_version: i64,
    pub(super) timers: Timers,
    pub(super) reevaluations: BTreeMap<TenantId, Reevaluation>,
    pub(super) tracked: TrackedLeaves,
}

impl Lane {
    /// Returns the lane of what is not deferred. Tenants that are deferred whole leave it by
    /// [`super::Folder::restore`].
    pub(super) fn live(claim: &Claim) -> Self {
        Self {
            scope: None,
            clock: claim.clock,
            fired_to: claim.fired_to,
            definitions: Definitions::default(),
            definitions_version: claim.definitions,
            timers: Timers::unread(),
            reevaluations: claim
                .reevaluations
                .iter()
                .map(|reevaluation| (reevaluation.tenant.clone(), reevaluation.clone()))
                .collect(),
            tracked: TrackedLeaves::new(claim.tracked.clone()),
        }
    }
}

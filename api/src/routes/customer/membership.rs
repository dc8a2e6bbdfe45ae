//! The segments of a customer, and the segments that are not exact yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_schemas::Instant;
use utoipa::ToSchema;

use crate::routes::backfilling::{Backfilling, CountsFrom};

/// A segment that contains the customer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Membership {
    /// The name of the segment.
    pub(super) name: Arc<str>,
    /// The time at which the customer entered the segment.
    since: Instant,
    /// The version of the tenant's definitions the membership was evaluated with.
    version: i64,
    /// The state of the backfill; null if the segment is exact.
    #[schema(required)]
    backfilling: Option<Backfilling>,
}

/// A segment that does not contain the customer by the events counted so far, and is not exact yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PendingSegment {
    /// The name of the segment.
    pub(super) name: Arc<str>,
    /// The state of the backfill.
    backfilling: Backfilling,
}

/// Returns the memberships and the pending segments, both by name.
pub(super) fn list(
    memberships: BTreeMap<Arc<str>, Instant>,
    definitions: &TenantDefinitions,
    counts_from: &CountsFrom,
    at: Instant,
) -> (Vec<Membership>, Vec<PendingSegment>) {
    let mut backfilling: BTreeMap<Arc<str>, Backfilling> = definitions
        .segments
        .iter()
        .filter_map(|segment| {
            let backfilling = counts_from.backfilling(definitions, segment, at)?;
            Some((Arc::clone(&segment.name), backfilling))
        })
        .collect();
    let memberships = memberships
        .into_iter()
        .map(|(name, since)| Membership {
            since,
            version: definitions.version,
            backfilling: backfilling.remove(&name),
            name,
        })
        .collect();
    let candidates = backfilling.into_iter();
    let candidates = candidates.map(|(name, backfilling)| PendingSegment { name, backfilling });
    (memberships, candidates.collect())
}

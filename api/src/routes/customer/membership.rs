//! Which segments a customer is in, and which of them nobody can be sure of yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_schemas::Instant;
use utoipa::ToSchema;

use crate::routes::backfilling::{Backfilling, CountsFrom};

/// A segment the customer is in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Membership {
    /// Of the segment.
    name: Arc<str>,
    /// When the customer entered it.
    since: Instant,
    /// Of the tenant's definitions it was last computed with.
    version: i64,
    /// Null unless the segment is not exact yet.
    #[schema(required)]
    backfilling: Option<Backfilling>,
}

/// A segment the customer is not in as far as was counted, and that is not exact yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Candidate {
    /// Of the segment.
    name: Arc<str>,
    /// From when it counts, and when it is exact.
    backfilling: Backfilling,
}

/// Both, by name.
pub(super) fn told(
    memberships: BTreeMap<Arc<str>, Instant>,
    definitions: &TenantDefinitions,
    counts_from: &CountsFrom,
    at: Instant,
) -> (Vec<Membership>, Vec<Candidate>) {
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
    let candidates = candidates.map(|(name, backfilling)| Candidate { name, backfilling });
    (memberships, candidates.collect())
}

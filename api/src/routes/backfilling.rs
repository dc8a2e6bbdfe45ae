//! Segments that are not exact yet, because what they count began to be counted too late.

use std::collections::BTreeMap;

use serde::Serialize;
use tidemark_projections::definitions::{Segment, TenantDefinitions};
use tidemark_projections::state::LeafId;
use tidemark_schemas::Instant;
use utoipa::ToSchema;

use crate::database::{Snapshot, instant};
use crate::problem::Problem;

/// A segment that is not exact yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Backfilling {
    /// It counts what occurred from then on; null before the definitions are in force everywhere.
    #[schema(required)]
    counts_from: Option<Instant>,
    /// When it is exact; null where only a rebuild makes it so.
    #[schema(required)]
    exact_at: Option<Instant>,
}

/// From when on each tracked leaf counts in every partition that has read anything; without those
/// that do not count everywhere yet.
#[derive(Debug, Default)]
pub(super) struct CountsFrom(BTreeMap<LeafId, Instant>);

impl CountsFrom {
    /// Of the tenant's leaves.
    pub(super) async fn read(
        snapshot: &mut Snapshot<'_>,
        definitions: &TenantDefinitions,
    ) -> Result<Self, Problem> {
        if definitions.tracked.is_empty() {
            return Ok(Self::default());
        }
        let topic = snapshot.generation().topic.clone();
        let rows = sqlx::query_as::<_, (i64, i64)>(include_str!("../sql/tracked_leaves.sql"))
            .bind(snapshot.tenant())
            .bind(topic)
            .fetch_all(snapshot.connection())
            .await?;
        rows.into_iter()
            .map(|(leaf, exact_from)| Ok((LeafId(leaf.cast_unsigned()), instant(exact_from)?)))
            .collect::<Result<_, Problem>>()
            .map(Self)
    }

    /// Whether the segment is not exact at this instant.
    pub(super) fn backfilling(
        &self,
        definitions: &TenantDefinitions,
        segment: &Segment,
        at: Instant,
    ) -> Option<Backfilling> {
        let counts_from = |leaf| self.0.get(&leaf).copied();
        let backfilling = definitions.backfilling(segment, at, &counts_from)?;
        Some(Backfilling {
            counts_from: backfilling.counts_from,
            exact_at: backfilling.exact_at,
        })
    }
}

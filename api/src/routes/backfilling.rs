//! Segments that are not exact yet, because their counters started after the events they count.

use std::collections::BTreeMap;

use serde::Serialize;
use tidemark_projections::definitions::{Segment, TenantDefinitions};
use tidemark_projections::state::LeafId;
use tidemark_schemas::Instant;
use utoipa::ToSchema;

use crate::database::{Snapshot, instant};
use crate::http::Problem;

/// The state of a segment that is not exact yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Backfilling {
    /// The time from which events are counted; null until the definitions are in force in every
    /// partition.
    #[schema(required)]
    counts_from: Option<Instant>,
    /// The time at which the segment becomes exact; null if only a rebuild makes it exact.
    #[schema(required)]
    exact_at: Option<Instant>,
}

/// The start of each tracked leaf, across all partitions that have folded a record. Leaves that are
/// not counted everywhere yet are absent.
#[derive(Debug, Default)]
pub(super) struct CountsFrom(BTreeMap<LeafId, Instant>);

impl CountsFrom {
    /// Reads the starts of the tenant's leaves.
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

    /// Returns the state of the segment's backfill; `None` if the segment is exact at this instant.
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

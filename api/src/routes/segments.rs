//! `GET /v1/segments`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_schemas::Instant;
use utoipa::ToSchema;

use super::backfilling::{Backfilling, CountsFrom};
use super::counts::{self, Evaluation};
use super::personal::PersonalOutputs;
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

pub(super) mod members;
pub(super) mod series;

/// Segments with their sizes
///
/// Segments that are derived from personal attributes are omitted for viewers.
#[utoipa::path(
    get,
    path = "/v1/segments",
    operation_id = "list_segments",
    tag = "segments",
    responses((status = 200, description = "The segments.", body = Segments)),
)]
pub(crate) async fn list(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &SegmentsQuery).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Segments {
    /// The segments, by name.
    items: Vec<Segment>,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Segment {
    /// The name of the segment.
    name: Arc<str>,
    /// The author's description of the segment.
    description: String,
    /// The number of customers in the segment.
    size: i64,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The state of the backfill; null if the segment is exact. A segment is not exact if it counts
    /// activities by their properties, which are not stored, and its window began before the
    /// counting did.
    #[schema(required)]
    backfilling: Option<Backfilling>,
    /// The reason why bounds of value in the segment's condition are false, and the command that helps;
    /// null if it has none, or if customers are scored.
    #[schema(required)]
    not_scored_because: Option<&'static str>,
}

/// Reads the segments of the tenant.
#[derive(Debug)]
struct SegmentsQuery;

impl Query for SegmentsQuery {
    type Answer = Segments;

    fn dependency(&self) -> Option<Dependency> {
        const MOVED_BY: [AggregateKind; 3] = [
            AggregateKind::Memberships,
            AggregateKind::Population,
            AggregateKind::Evaluation,
        ];
        Some(Dependency::Kinds(&MOVED_BY))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Segments, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Segments {
                items: Vec::new(),
                evaluation: None,
            });
        };
        let sizes = counts::by_kind(snapshot, CounterKind::Segment).await?;
        let evaluation = counts::evaluation(snapshot, definitions.version).await?;
        let counts_from = CountsFrom::read(snapshot, &definitions).await?;
        let at = snapshot.freshness().watermark.unwrap_or(Instant::MIN);
        let personal = PersonalOutputs::new(Some(&definitions), snapshot.caller());
        let by_name: BTreeMap<_, _> = definitions
            .segments
            .iter()
            .filter(|segment| personal.shows_segment(&segment.name))
            .map(|segment| (&segment.name, segment))
            .collect();
        let segments = by_name.into_values().map(|segment| Segment {
            name: Arc::clone(&segment.name),
            description: segment.description.clone(),
            size: sizes.get(&*segment.name).copied().unwrap_or(0),
            version: definitions.version,
            backfilling: counts_from.backfilling(&definitions, segment, at),
            not_scored_because: definitions.not_scored_because(&segment.expression),
        });
        Ok(Segments {
            items: segments.collect(),
            evaluation,
        })
    }
}

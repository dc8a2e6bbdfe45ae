//! `GET /v1/segments/{name}/series`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::rollups::{Crossing, RollupKind};
use utoipa::ToSchema;

use crate::database::Snapshot;
use crate::http::{Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::path::{SegmentName, SegmentPath};
use crate::routes::personal::PersonalOutputs;
use crate::routes::rollups::{self, Day, Days, DaysParams, Selection, within_64_bits};

/// Size of a segment by day
#[utoipa::path(
    get,
    path = "/v1/segments/{name}/series",
    operation_id = "get_segment_series",
    tag = "segments",
    params(SegmentPath, DaysParams),
    responses(
        (status = 200, description = "The size of the segment by day.", body = SegmentSeries),
        NotFound,
    ),
)]
pub(crate) async fn series(
    State(reader): State<Reader>,
    SegmentPath { name: segment }: SegmentPath,
    QueryParams(params): QueryParams<DaysParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let days = params.days()?;
    let query = SegmentSeriesQuery { segment, days };
    reader.respond(&context, &query).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentSeries {
    /// The name of the segment.
    segment: String,
    /// One item per day. A change counts on the day it took effect.
    items: Vec<SegmentDay>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SegmentDay {
    /// The day.
    day: Day,
    /// The number of customers in the segment at the end of the day.
    size: i64,
    /// The number of entries on the day.
    entered: i64,
    /// The number of exits on the day.
    left: i64,
}

#[derive(Debug)]
struct SegmentSeriesQuery {
    segment: SegmentName,
    days: Days,
}

impl Query for SegmentSeriesQuery {
    type Answer = SegmentSeries;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Rollups]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<SegmentSeries, Problem> {
        let definitions = snapshot.definitions().await?;
        let (definitions, segment) = self.segment.find(definitions.as_deref())?;
        PersonalOutputs::new(Some(definitions), snapshot.caller())
            .require_segment(&segment.name)?;
        let span = self.days.span(snapshot, definitions)?;
        let names = [self.segment.as_str()];
        let kinds = Crossing::ALL.map(RollupKind::Segment);
        let selection = |by_day| Selection {
            kinds: &kinds,
            subjects: &names,
            by_day,
            by_item: false,
        };
        let mut size = 0;
        for before in rollups::read(snapshot, selection(false), span.before()).await? {
            size += if before.kind == RollupKind::Segment(Crossing::Entered) {
                before.value
            } else {
                -before.value
            };
        }
        let mut days: BTreeMap<i32, (i128, i128)> = BTreeMap::new();
        for rollup in rollups::read(snapshot, selection(true), span).await? {
            let (entered, left) = days.entry(rollup.day).or_default();
            let entry = rollup.kind == RollupKind::Segment(Crossing::Entered);
            *(if entry { entered } else { left }) += rollup.value;
        }
        let items = (span.from..=span.to).map(|day| {
            let (entered, left) = days.get(&day).copied().unwrap_or_default();
            size += entered - left;
            SegmentDay {
                day: Day(day),
                size: within_64_bits(size),
                entered: within_64_bits(entered),
                left: within_64_bits(left),
            }
        });
        Ok(SegmentSeries {
            segment: self.segment.as_str().to_owned(),
            items: items.collect(),
        })
    }
}

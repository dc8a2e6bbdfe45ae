//! `GET /v1/journeys/{name}/bottlenecks`: the stages that lose most completions.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::journeys::Bottleneck;
use utoipa::ToSchema;

use super::funnel::{FunnelQuery, JourneyFunnel, JourneyParams};
use crate::http::{Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Reader, RequestContext};
use crate::routes::path::JourneyPath;
use crate::routes::rollups::Day;

/// Bottlenecks of a journey
///
/// The stages by lost completions: the number of customers that did not advance, times the
/// completion rate of those that did. Customers that entered a stage recently have had little time
/// to advance; a `to` some weeks in the past excludes them.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/bottlenecks",
    operation_id = "list_bottlenecks",
    tag = "journeys",
    params(JourneyPath, JourneyParams),
    responses(
        (status = 200, description = "The bottlenecks of the journey.", body = JourneyBottlenecks),
        NotFound,
    ),
)]
pub(crate) async fn bottlenecks(
    State(reader): State<Reader>,
    path: JourneyPath,
    QueryParams(params): QueryParams<JourneyParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let query = FunnelQuery::new(path, &params, JourneyBottlenecks::from_funnel)?;
    reader.respond(&context, &query).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JourneyBottlenecks {
    /// The name of the journey.
    journey: String,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The first day of first entries into a stage; null if unbounded.
    #[schema(required)]
    from: Option<Day>,
    /// The last day of first entries into a stage; null if unbounded.
    #[schema(required)]
    to: Option<Day>,
    /// The bottlenecks, by descending loss. The last stage and stages without an entry are omitted.
    items: Vec<Bottleneck>,
}

impl JourneyBottlenecks {
    fn from_funnel(of: JourneyFunnel) -> Self {
        let JourneyFunnel {
            journey,
            version,
            from,
            to,
            funnel,
        } = of;
        Self {
            journey: journey.name.to_string(),
            version,
            from,
            to,
            items: funnel.bottlenecks(),
        }
    }
}

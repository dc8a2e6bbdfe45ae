//! `GET /v1/journeys/{name}/stages`: conversion and dwell time by stage.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::journeys::FunnelStage;
use utoipa::ToSchema;

use super::funnel::{FunnelQuery, JourneyFunnel, JourneyParams};
use crate::http::{Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Reader, RequestContext};
use crate::routes::path::JourneyPath;
use crate::routes::rollups::Day;

/// Conversion and dwell time by stage of a journey
///
/// `from` and `to` select customers by the day on which they first entered each stage, and limit
/// `entered`, `advanced` and `completed`. The number of customers in each stage and the dwell times
/// cover all customers.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/stages",
    operation_id = "list_stages",
    tag = "journeys",
    params(JourneyPath, JourneyParams),
    responses(
        (status = 200, description = "The stages of the journey.", body = JourneyStages),
        NotFound,
    ),
)]
pub(crate) async fn stages(
    State(reader): State<Reader>,
    path: JourneyPath,
    QueryParams(params): QueryParams<JourneyParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let query = FunnelQuery::new(path, &params, JourneyStages::from_funnel)?;
    reader.respond(&context, &query).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JourneyStages {
    /// The name of the journey.
    journey: String,
    /// The author's description of the journey.
    description: String,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The first day of first entries into a stage; null if unbounded.
    #[schema(required)]
    from: Option<Day>,
    /// The last day of first entries into a stage; null if unbounded.
    #[schema(required)]
    to: Option<Day>,
    /// The stages, from first to last.
    stages: Vec<FunnelStage>,
}

impl JourneyStages {
    fn from_funnel(of: JourneyFunnel) -> Self {
        Self {
            journey: of.journey.name.to_string(),
            description: of.journey.description,
            version: of.version,
            from: of.from,
            to: of.to,
            stages: of.funnel.stages,
        }
    }
}

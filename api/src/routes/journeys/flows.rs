//! `GET /v1/journeys/{name}/flows`: the moves between stages.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::journeys::{Funnel, Link};
use utoipa::ToSchema;

use super::funnel::{FunnelQuery, JourneyFunnel, JourneyParams};
use crate::http::{Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Reader, RequestContext};
use crate::routes::path::JourneyPath;
use crate::routes::rollups::Day;

/// Moves between the stages of a journey
///
/// The data of a Sankey diagram: all moves, or those on the days from `from` to `to`.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/flows",
    operation_id = "list_flows",
    tag = "journeys",
    params(JourneyPath, JourneyParams),
    responses(
        (status = 200, description = "The stages and the moves between them.", body = JourneyFlows),
        NotFound,
    ),
)]
pub(crate) async fn flows(
    State(reader): State<Reader>,
    path: JourneyPath,
    QueryParams(params): QueryParams<JourneyParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let query = FunnelQuery::new(path, &params, JourneyFlows::from_funnel)?;
    reader.respond(&context, &query).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JourneyFlows {
    /// The name of the journey.
    journey: String,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The first day of the moves; null if unbounded.
    #[schema(required)]
    from: Option<Day>,
    /// The last day of the moves; null if unbounded.
    #[schema(required)]
    to: Option<Day>,
    /// The stages, from first to last.
    nodes: Vec<FlowNode>,
    /// The moves between stages: first those into the journey, then by the stages left and entered.
    /// Links may lead back to an earlier stage.
    links: Vec<Link>,
}

/// A stage with the moves into it and out of it.
#[derive(Debug, Serialize, ToSchema)]
struct FlowNode {
    /// The name of the stage.
    stage: Arc<str>,
    /// The number of customers in the stage now.
    customers: i64,
    /// The number of moves into the stage.
    inflow: i64,
    /// The number of moves out of the stage.
    outflow: i64,
}

impl JourneyFlows {
    fn from_funnel(of: JourneyFunnel) -> Self {
        let Funnel { stages, links } = of.funnel;
        let moves = |counts: &dyn Fn(&Link) -> bool| {
            let counted = links.iter().filter(|link| counts(link));
            counted.map(|link| link.moves).sum()
        };
        let nodes = stages.into_iter().map(|node| FlowNode {
            inflow: moves(&|link| link.to == node.stage),
            outflow: moves(&|link| link.from.as_ref() == Some(&node.stage)),
            customers: node.customers,
            stage: node.stage,
        });
        Self {
            journey: of.journey.name.to_string(),
            version: of.version,
            from: of.from,
            to: of.to,
            nodes: nodes.collect(),
            links,
        }
    }
}

//! `GET /v1/journeys`. The routes of a single journey are in [`funnel`].

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

pub(super) mod bottlenecks;
pub(super) mod flows;
mod funnel;
pub(super) mod stages;

/// Journeys with their stages
#[utoipa::path(
    get,
    path = "/v1/journeys",
    operation_id = "list_journeys",
    tag = "journeys",
    responses((status = 200, description = "The journeys.", body = Journeys)),
)]
pub(crate) async fn list(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &JourneysQuery).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Journeys {
    /// The journeys, by name.
    items: Vec<Journey>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Journey {
    /// The name of the journey.
    name: Arc<str>,
    /// The author's description of the journey.
    description: String,
    /// The stages, from first to last.
    stages: Vec<Arc<str>>,
    /// The version of the tenant's definitions in force.
    version: i64,
}

/// Reads the journeys of the tenant.
#[derive(Debug)]
struct JourneysQuery;

impl Query for JourneysQuery {
    type Answer = Journeys;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Definitions)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Journeys, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Journeys { items: Vec::new() });
        };
        let journeys = definitions.journeys.values().map(|journey| Journey {
            name: Arc::clone(&journey.name),
            description: journey.description.clone(),
            stages: journey.stages.clone(),
            version: definitions.version,
        });
        Ok(Journeys {
            items: journeys.collect(),
        })
    }
}

//! `GET /v1/journeys` and `GET /v1/journeys/{name}/stages`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::touched::Kind;
use utoipa::ToSchema;

use super::counts;
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{Named, NothingAsked, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;

/// Every journey of the tenant.
#[derive(Debug)]
struct AllJourneys;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Journeys {
    /// By name.
    items: Vec<Journey>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Journey {
    /// By which it is asked for.
    name: Arc<str>,
    /// In words, as its author wrote it.
    description: String,
    /// First to last.
    stages: Vec<Arc<str>>,
    /// Of the tenant's definitions that define it.
    version: i64,
}

/// Every journey, with its stages
#[utoipa::path(
    get,
    path = "/v1/journeys",
    operation_id = "list_journeys",
    tag = "journeys",
    responses((status = 200, description = "The tenant's journeys.", body = Journeys)),
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &AllJourneys).await
}

impl Query for AllJourneys {
    type Answer = Journeys;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Definitions)
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

/// Who stands where in one journey.
#[derive(Debug)]
struct StagesOf {
    journey: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JourneyStages)]
pub(crate) struct Standings {
    /// The journey's name.
    journey: String,
    /// In words, as its author wrote it.
    description: String,
    /// Of the tenant's definitions that define it.
    version: i64,
    /// First to last.
    stages: Vec<Occupancy>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StageOccupancy)]
struct Occupancy {
    /// The stage's name.
    stage: Arc<str>,
    /// How many customers stand in it now.
    customers: i64,
}

/// How many customers stand in each stage of a journey
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/stages",
    operation_id = "list_stages",
    tag = "journeys",
    params(("name" = str, Path, description = "The journey's name.")),
    responses(
        (status = 200, description = "The journey's stages, with their sizes.", body = Standings),
        NotFound,
    ),
)]
pub(crate) async fn stages(
    State(service): State<Service>,
    Named(journey): Named,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &StagesOf { journey }).await
}

impl Query for StagesOf {
    type Answer = Standings;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&[Kind::Positions]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Standings, Problem> {
        let definitions = snapshot.definitions().await?;
        let journeys = definitions
            .as_ref()
            .map(|known| (known.version, &known.journeys));
        let known = journeys.and_then(|(version, all)| Some((version, all.get(&*self.journey)?)));
        let Some((version, journey)) = known else {
            return Err(Problem::NotFound {
                kind: "journey",
                name: self.journey.clone(),
            });
        };
        let counts = counts::of_kind(snapshot, "stage").await?;
        let stages = journey.stages.iter().map(|stage| Occupancy {
            stage: Arc::clone(stage),
            customers: counts
                .get(&format!("{}/{stage}", self.journey))
                .copied()
                .unwrap_or(0),
        });
        Ok(Standings {
            journey: self.journey.clone(),
            description: journey.description.clone(),
            version,
            stages: stages.collect(),
        })
    }
}

//! `GET /v1/journeys`; what is asked of one of them is in [`funnel`].

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{NothingAsked, Parameters};
use crate::problem::Problem;

pub(super) mod funnel;

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

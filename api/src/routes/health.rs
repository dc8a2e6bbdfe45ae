//! `GET /healthz` and `GET /readyz`, for process supervisors and load balancers. Both need no token
//! and reveal nothing about any tenant.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Problem;
use crate::readiness::ReadinessCheck;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Healthy {
    /// Always `ok`.
    status: &'static str,
}

/// Liveness
///
/// Answers 200 while the process can answer at all. The state of the database has no influence: a
/// restart would not repair it.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "get_health",
    tag = "service",
    responses((status = 200, description = "The process is alive.", body = Healthy)),
)]
pub(crate) async fn healthy() -> Json<Healthy> {
    Json(Healthy { status: "ok" })
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always `ready`.
    status: &'static str,
    /// The id of the active generation of projections.
    generation: i32,
    /// The age of the slowest partition's clock in seconds; null until every partition has folded a record.
    #[schema(required)]
    staleness_seconds: Option<f64>,
}

/// Readiness
///
/// Answers 200 if the keys for token verification are loaded, the database is available, a
/// generation of projections is active, and the projections are within the configured staleness
/// limit, if there is one; otherwise 503. The response is at most some seconds old: it is the result of a check
/// that runs every second.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "service",
    responses((status = 200, description = "Requests can be answered.", body = Ready)),
)]
pub(crate) async fn ready(State(check): State<ReadinessCheck>) -> Result<Json<Ready>, Problem> {
    let readiness = check.last()?;
    Ok(Json(Ready {
        status: "ready",
        generation: readiness.generation,
        staleness_seconds: readiness.staleness_seconds,
    }))
}

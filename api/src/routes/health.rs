//! `GET /healthz` and `GET /readyz`, for process supervisors and load balancers. Both need no token
//! and reveal nothing about any tenant.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::http::Problem;

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
    /// The age of the watermark in seconds; null until every partition has folded a record.
    #[schema(required)]
    staleness_seconds: Option<f64>,
}

/// Readiness
///
/// Answers 200 if the keys for token verification are loaded, the database is available, a
/// generation of projections is active, and the projections are within the configured staleness
/// limit, if there is one; otherwise 503.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "service",
    responses((status = 200, description = "Requests can be answered.", body = Ready)),
)]
pub(crate) async fn ready(State(service): State<Service>) -> Result<Json<Ready>, Problem> {
    if !service.ring().is_ready() {
        let detail = "the keys that tokens are checked with are not known yet";
        return Err(Problem::Unavailable {
            detail,
            cause: None,
        });
    }
    let readiness = service.database().readiness().await?;
    let readiness = readiness.ok_or(Problem::Unavailable {
        detail: "no generation is active yet",
        cause: None,
    })?;
    if let Some(limit) = service.limits().ready_staleness {
        let is_fresh = readiness
            .staleness_seconds
            .is_some_and(|seconds| seconds <= limit.as_secs_f64());
        if !is_fresh {
            let detail = "the projections are further behind than allowed";
            return Err(Problem::Unavailable {
                detail,
                cause: None,
            });
        }
    }
    Ok(Json(Ready {
        status: "ready",
        generation: readiness.generation,
        staleness_seconds: readiness.staleness_seconds,
    }))
}

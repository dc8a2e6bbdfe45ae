//! `GET /healthz` and `GET /readyz`, for whoever starts, stops and routes to the process. They ask
//! for no token and tell nothing of any tenant.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::problem::Problem;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Healthy {
    /// `ok`.
    status: &'static str,
}

/// Whether the process lives
///
/// Nothing else: a process is not better for being restarted while its database is away.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "get_health",
    tag = "service",
    responses((status = 200, description = "It lives and answers.", body = Healthy)),
)]
pub(crate) async fn healthy() -> Json<Healthy> {
    Json(Healthy { status: "ok" })
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// `ready`.
    status: &'static str,
    /// Which generation of projections answers.
    generation: i32,
    /// Seconds from the watermark to now; null until every partition has begun.
    #[schema(required)]
    staleness_seconds: Option<f64>,
}

/// Whether requests can be answered
///
/// They can where the keys of tokens are known, Postgres is there, a generation of projections is
/// active, and, where a limit is configured, it is fresh enough; else 503.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "get_readiness",
    tag = "service",
    responses((status = 200, description = "They can.", body = Ready)),
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

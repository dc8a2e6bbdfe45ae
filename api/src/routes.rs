//! Which path is answered by whom, and what stands around every answer.

mod counts;
mod customer;
mod customers;
mod health;
mod journeys;
mod page;
mod segments;
mod status;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::Service;
use crate::auth::authenticate;
use crate::envelope::envelope;
use crate::guard::guard;
use crate::problem::Problem;

/// Everything, from the outside in: envelope, guard, authentication, handler.
pub(crate) fn router(service: &Service) -> Router {
    let v1 = Router::new()
        .route("/customers", get(customers::list))
        .route("/customers/{id}", get(customer::one))
        .route("/segments", get(segments::list))
        .route("/segments/{name}/members", get(segments::members))
        .route("/journeys", get(journeys::list))
        .route("/journeys/{name}/stages", get(journeys::stages))
        .route("/status", get(status::status))
        .route_layer(from_fn_with_state(service.clone(), authenticate));
    let guarded = Router::new()
        .nest("/v1", v1)
        .route("/readyz", get(health::ready))
        .route_layer(from_fn_with_state(service.clone(), guard));
    Router::new()
        .merge(guarded)
        // Not guarded: it says that the process lives, also when it is too busy for anything else.
        .route("/healthz", get(health::healthy))
        .fallback(async || Problem::NoSuchRoute)
        .layer(DefaultBodyLimit::max(service.limits().body_bytes))
        .layer(from_fn_with_state(service.clone(), envelope))
        .with_state(service.clone())
}

#[cfg(test)]
mod tests;

//! Which path is answered by whom.

mod counts;
mod customer;
mod customers;
mod health;
mod journeys;
mod page;
mod segments;
mod status;
mod warming;

use axum::Router;
use axum::routing::get;

use crate::problem::Problem;
use crate::{Service, layers};

/// Every route, within its [layers].
pub(crate) fn router(service: &Service) -> Router {
    let of_tenants = Router::new()
        .route("/customers", get(customers::list))
        .route("/customers/{id}", get(customer::one))
        .route("/segments", get(segments::list))
        .route("/segments/{name}/members", get(segments::members))
        .route("/journeys", get(journeys::list))
        .route("/journeys/{name}/stages", get(journeys::stages))
        .route("/status", get(status::status));
    let of_nobody = Router::new().route("/readyz", get(health::ready));
    let all = Router::new()
        .nest("/v1", layers::of_tenants(service, of_tenants))
        .merge(layers::of_nobody(service, of_nobody))
        // Not guarded: it says that the process lives, also when it is too busy for anything else.
        .route("/healthz", get(health::healthy))
        .fallback(async || Problem::NoSuchRoute);
    layers::of_all(service, all).with_state(service.clone())
}

#[cfg(test)]
mod tests;

//! Which path is answered by whom.

mod at_risk;
mod backfilling;
mod campaigns;
mod churn;
mod conversations;
mod counts;
mod customer;
mod customers;
mod docs;
mod groups;
mod health;
mod journeys;
mod page;
mod revenue;
mod rollups;
mod segments;
mod series;
mod status;
mod value;

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Problem;
use crate::{Service, layers, openapi};

/// Every route, within its [layers].
pub(crate) fn router(service: &Service) -> Router {
    let all = Router::new()
        .merge(layers::authenticated(service, authenticated().into()))
        .merge(layers::readiness(service, readiness().into()))
        .merge(layers::public(service, public().into()))
        .merge(liveness())
        .fallback(async || Problem::NoSuchRoute);
    layers::of_all(service, all).with_state(service.clone())
}

/// What every route is, and what its layers make of it.
pub(crate) fn description() -> OpenApi {
    openapi::empty()
        .merge_from(openapi::authenticated(authenticated().into_openapi()))
        .merge_from(openapi::readiness(readiness().into_openapi()))
        .merge_from(openapi::public(public().into_openapi()))
        .merge_from(openapi::liveness(liveness().into_openapi()))
}

/// Those whose answer depends on who asks. Only by `routes!`, here and below: it is what brings a
/// route's description along.
fn authenticated() -> OpenApiRouter<Service> {
    OpenApiRouter::default()
        .routes(routes!(customers::list))
        .routes(routes!(customer::one))
        .routes(routes!(customer::why::why))
        .routes(routes!(customer::timeline::page))
        .routes(routes!(segments::list))
        .routes(routes!(segments::members))
        .routes(routes!(journeys::list))
        .routes(routes!(series::segment))
        .routes(routes!(series::main_rollups))
        .routes(routes!(journeys::funnel::stages))
        .routes(routes!(journeys::funnel::flows))
        .routes(routes!(journeys::funnel::bottlenecks))
        .routes(routes!(revenue::revenue))
        .routes(routes!(conversations::conversations))
        .routes(routes!(campaigns::campaigns))
        .routes(routes!(customer::predictions::predictions))
        .routes(routes!(customer::next_action::next_best_action))
        .routes(routes!(churn::overview))
        .routes(routes!(at_risk::at_risk))
        .routes(routes!(value::overview))
        .routes(routes!(groups::rfm))
        .routes(routes!(groups::clusters))
        .routes(routes!(status::status))
}

/// Those that ask the database and want no token.
fn readiness() -> OpenApiRouter<Service> {
    OpenApiRouter::default().routes(routes!(health::ready))
}

/// Those that are the same for everybody.
fn public() -> OpenApiRouter<Service> {
    OpenApiRouter::default()
        .routes(routes!(docs::document))
        .routes(routes!(docs::page))
}

/// Not guarded: it says that the process lives, also when it is too busy for anything else.
fn liveness() -> OpenApiRouter<Service> {
    OpenApiRouter::default().routes(routes!(health::healthy))
}

#[cfg(test)]
mod tests;

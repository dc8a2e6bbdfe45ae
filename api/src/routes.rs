//! The routes of the API: one file a resource, and the groups by the layers around them.

mod backfilling;
mod band;
mod by_value;
mod campaigns;
mod churn;
mod clusters;
mod conversations;
mod counts;
mod customer;
mod customers;
mod docs;
mod health;
mod journeys;
mod page;
mod path;
mod revenue;
mod rfm;
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

/// Returns every route, within its [layers].
pub(crate) fn router(service: &Service) -> Router {
    let all = Router::new()
        .merge(layers::authenticated(service, authenticated().into()))
        .merge(layers::readiness(service, readiness().into()))
        .merge(layers::public(service, public().into()))
        .merge(liveness())
        .fallback(async || Problem::NoSuchRoute);
    layers::of_all(service, all).with_state(service.clone())
}

/// Describes every route, with the effects of its layers.
pub(crate) fn description() -> OpenApi {
    openapi::document([
        openapi::authenticated(authenticated().into_openapi()),
        openapi::readiness(readiness().into_openapi()),
        openapi::public(public().into_openapi()),
        openapi::liveness(liveness().into_openapi()),
    ])
}

/// Returns the `OpenAPI` document as it is served: indented JSON, the same for the same source.
pub fn document() -> String {
    openapi::to_json(&description())
}

/// Returns the routes whose answer depends on the caller. Routes are added by `routes!` alone, which
/// brings the description along.
fn authenticated() -> OpenApiRouter<Service> {
    OpenApiRouter::default()
        .routes(routes!(customers::list))
        .routes(routes!(customer::one))
        .routes(routes!(customer::why::why))
        .routes(routes!(customer::timeline::page))
        .routes(routes!(segments::list))
        .routes(routes!(segments::members::members))
        .routes(routes!(journeys::list))
        .routes(routes!(segments::series::series))
        .routes(routes!(series::series))
        .routes(routes!(journeys::stages::stages))
        .routes(routes!(journeys::flows::flows))
        .routes(routes!(journeys::bottlenecks::bottlenecks))
        .routes(routes!(revenue::revenue))
        .routes(routes!(conversations::conversations))
        .routes(routes!(campaigns::campaigns))
        .routes(routes!(customer::predictions::predictions))
        .routes(routes!(customer::next_action::next_best_action))
        .routes(routes!(churn::overview))
        .routes(routes!(churn::at_risk::at_risk))
        .routes(routes!(value::overview))
        .routes(routes!(rfm::rfm))
        .routes(routes!(clusters::clusters))
        .routes(routes!(status::status))
}

/// Returns the routes that read the database and require no token.
fn readiness() -> OpenApiRouter<Service> {
    OpenApiRouter::default().routes(routes!(health::ready))
}

/// Returns the routes whose answer is the same for every caller.
fn public() -> OpenApiRouter<Service> {
    OpenApiRouter::default()
        .routes(routes!(docs::document))
        .routes(routes!(docs::page))
}

/// Returns the routes without a guard, which answer even while the process is overloaded.
fn liveness() -> OpenApiRouter<Service> {
    OpenApiRouter::default().routes(routes!(health::healthy))
}

#[cfg(test)]
mod tests;

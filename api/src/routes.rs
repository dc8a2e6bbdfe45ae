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
mod health;
mod journeys;
mod page;
mod parked;
mod path;
mod personal;
mod reference;
mod revenue;
mod rfm;
mod rollups;
mod segments;
mod series;
mod state;
mod status;
mod value;

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::state::RouteState;
use crate::http::Problem;
use crate::layers::Layers;
use crate::{openapi, pages};

/// Returns every route, within its layers.
pub(crate) fn router(layers: &Layers, state: RouteState) -> Router {
    let all = Router::new()
        .merge(layers.authenticated(authenticated().into()))
        .merge(Router::from(readiness()))
        .merge(layers.public(public().into()))
        .merge(liveness())
        .fallback(async || Problem::no_such_route());
    layers.all(all).with_state(state)
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
fn authenticated() -> OpenApiRouter<RouteState> {
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
        .routes(routes!(parked::summary))
}

/// Returns the routes that report the last check of the database and require no token.
fn readiness() -> OpenApiRouter<RouteState> {
    OpenApiRouter::default().routes(routes!(health::ready))
}

/// Returns the routes whose answer is the same for every caller.
fn public() -> OpenApiRouter<RouteState> {
    OpenApiRouter::default()
        .routes(routes!(reference::document))
        .routes(routes!(pages::reference::page))
}

/// Returns the routes without a guard, which answer even while the process is overloaded.
fn liveness() -> OpenApiRouter<RouteState> {
    OpenApiRouter::default().routes(routes!(health::healthy))
}

#[cfg(test)]
mod tests;

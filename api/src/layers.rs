//! What stands around the routes, in one place and in order.
//!
//! From the outside in, a request of a tenant meets
//!
//! 1. the [envelope]: request id, trace, problem documents, security headers, metrics;
//! 2. CORS, which answers preflights, and compression;
//! 3. [authentication](authenticate): the limit of its peer, then its token;
//! 4. the rate limits of its tenant and its token;
//! 5. the [guard]: size, requests under way (of all, and of its tenant), time, panics. From here
//!    on it runs in a task of its own;
//! 6. the cache of answers;
//! 7. its handler.
//!
//! Whatever refuses does so before what is dearer than itself. Compression is outside the cache,
//! so an answer is kept once, and its `ETag` must be a weak one: its bytes may differ on the wire.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tower::ServiceBuilder;

use crate::Service;
use crate::auth::authenticate;
use crate::envelope::envelope;
use crate::guard::guard;

/// Around every route whose answer depends on who asks: 3 to 6.
pub(crate) fn of_tenants(service: &Service, routes: Router<Service>) -> Router<Service> {
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(service.clone(), authenticate))
        .layer(from_fn_with_state(service.clone(), guard));
    routes.route_layer(layers)
}

/// Around a route that asks the database and wants no token: 5 alone.
pub(crate) fn of_nobody(service: &Service, routes: Router<Service>) -> Router<Service> {
    routes.route_layer(from_fn_with_state(service.clone(), guard))
}

/// Around everything, also what is not there: 1 and 2.
pub(crate) fn of_all(service: &Service, routes: Router<Service>) -> Router<Service> {
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(service.clone(), envelope))
        .layer(DefaultBodyLimit::max(service.limits().body_bytes));
    routes.layer(layers)
}

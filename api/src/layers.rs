//! What stands around the routes, in one place and in order.
//!
//! From the outside in, a request of a tenant meets
//!
//! 1. the [request middleware](crate::http::middleware): request id, trace, problem documents, security headers, metrics;
//! 2. CORS, which answers preflights, and compression;
//! 3. [authentication](authenticate): the limit of its peer, then its token;
//! 4. the [rate limits](limit_rate) of its token and its tenant;
//! 5. the [cache](crate::response_cache): positions are waited for, and what is kept and holds is answered;
//! 6. the [guard](crate::http::guard): size, requests under way (of all, and of its tenant), time, panics. From here
//!    on it runs in a task of its own;
//! 7. its handler.
//!
//! 3 to 6 are [one layer](of_tenant): each of axum's copies all that is within it, also for a
//! request that goes no further than the cache.
//!
//! Whatever refuses does so before what is dearer than itself. Compression is outside the cache,
//! so an answer is kept once, and its `ETag` must be a weak one: its bytes may differ on the wire.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceBuilder;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::cors::CorsLayer;

use crate::Service;
use crate::auth::authenticate;
use crate::http::guard::guard;
use crate::http::middleware::request_middleware;
use crate::http::{Condition, Problem};
use crate::limits::limit_rate;

/// Around every route whose answer depends on who asks: 3 to 6.
pub(crate) fn authenticated(service: &Service, routes: Router<Service>) -> Router<Service> {
    routes.route_layer(from_fn_with_state(service.clone(), of_tenant))
}

/// What waits has the request to itself, since a body cannot be shared between threads.
async fn of_tenant(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let verified = authenticate(&service, &mut request).await?;
    let quotas = limit_rate(&service, &request, &verified)?;
    let condition = Condition::of(request.headers());
    let answered = match service.cache().lookup(&mut request, &verified.caller).await {
        Ok(None) => {
            request.extensions_mut().insert(verified.caller.clone());
            guard(State(service), request, next).await
        }
        Ok(Some(cached)) => Ok(cached),
        Err(problem) => Err(problem),
    };
    let mut response = condition.apply(answered.into_response());
    quotas.write(response.headers_mut());
    Ok(response)
}

/// Around a route that asks the database and wants no token: 6 alone.
pub(crate) fn readiness(service: &Service, routes: Router<Service>) -> Router<Service> {
    routes.route_layer(from_fn_with_state(service.clone(), guard))
}

/// Around a route that is the same for everybody: what it costs is charged to its peer.
pub(crate) fn public(service: &Service, routes: Router<Service>) -> Router<Service> {
    routes.route_layer(from_fn_with_state(service.clone(), of_peer))
}

async fn of_peer(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    service.rates().peers.draw(&request).inspect_err(|_| {
        service.admission_metrics().limited("peer");
    })?;
    Ok(next.run(request).await)
}

/// Around everything, also what is not there: 1 and 2.
pub(crate) fn of_all(service: &Service, routes: Router<Service>) -> Router<Service> {
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(service.clone(), request_middleware))
        .option_layer(cors(service.allowed_origins()))
        .layer(compression())
        .layer(DefaultBodyLimit::max(service.limits().body_bytes));
    routes.layer(layers)
}

/// Smaller bodies fit into a packet as they are.
const COMPRESSED_ABOVE: u64 = 1_024;

/// gzip or zstd, as the client likes; fast rather than small. An event stream must not wait for a
/// block to fill.
fn compression() -> CompressionLayer<impl Predicate> {
    let predicate = SizeAbove::new(COMPRESSED_ABOVE).and(NotForContentType::SSE);
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(predicate)
}

/// What a page of another origin may send and read, where origins are allowed at all. Tokens are in
/// a header that no browser sends by itself, so nothing here lets one page act for another.
fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let sent = [
        header::AUTHORIZATION,
        header::IF_NONE_MATCH,
        HeaderName::from_static("tidemark-wait"),
        HeaderName::from_static("x-request-id"),
    ];
    let read = [
        "etag",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "tidemark-definitions",
        "tidemark-generation",
        "tidemark-lag",
        "tidemark-watermark",
        "x-request-id",
    ];
    let layer = CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(sent)
        .expose_headers(read.map(HeaderName::from_static))
        .max_age(Duration::from_hours(1));
    Some(layer)
}

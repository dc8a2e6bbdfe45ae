//! The layers around the routes, in order.
//!
//! From the outside in, an authenticated request passes
//!
//! 1. the [request middleware](crate::http::RequestMiddleware): request id, trace, problem
//!    documents, security headers, metrics;
//! 2. CORS, which answers preflights, and compression;
//! 3. [authentication](crate::auth::Authenticator): the rate limit of its peer, then its token;
//! 4. the [rate limits](crate::rate_limits) of its token and its tenant;
//! 5. the [response cache](crate::response_cache), which first waits for positions;
//! 6. the [guard](crate::http::Guard): size, concurrency (in total and of its tenant), time,
//!    panics. From here on the request runs in a task of its own;
//! 7. its handler.
//!
//! Steps 3 to 6 are one axum layer, because each layer clones everything within it, even for a
//! request that is answered by the cache.
//!
//! A cheap refusal comes before an expensive one. Compression is outside the cache, so a response
//! is cached once, and its `ETag` must be weak: its bytes may differ on the wire.

use std::sync::Arc;
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

use crate::auth::Authenticator;
use crate::http::{
    ConcurrencyLimits, Condition, Guard, Peers, Problem, RequestMiddleware, request_middleware,
};
use crate::rate_limits::RateLimits;
use crate::response_cache::ResponseCache;

/// The layers, each with what it needs. Cheap to clone: every clone shares the same limits.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub(crate) middleware: RequestMiddleware,
    pub(crate) allowed_origins: Vec<HeaderValue>,
    pub(crate) body_bytes: usize,
    pub(crate) peers: Arc<Peers>,
    pub(crate) guard: Guard,
    pub(crate) authenticated: Arc<AuthenticatedLayer>,
}

/// Steps 3 to 6 for authenticated routes.
#[derive(Debug)]
pub(crate) struct AuthenticatedLayer {
    pub(crate) authenticator: Authenticator,
    pub(crate) rates: RateLimits,
    pub(crate) cache: Arc<ResponseCache>,
    pub(crate) concurrency: Arc<ConcurrencyLimits>,
    pub(crate) guard: Guard,
}

impl Layers {
    /// Wraps routes that require a token: steps 3 to 6.
    pub(crate) fn authenticated<S>(&self, routes: Router<S>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let layer = Arc::clone(&self.authenticated);
        routes.route_layer(from_fn_with_state(layer, authenticated))
    }

    /// Wraps routes of a test: the guard of step 6.
    #[cfg(test)]
    pub(crate) fn guarded<S>(&self, routes: Router<S>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        routes.route_layer(from_fn_with_state(self.guard.clone(), guarded))
    }

    /// Wraps public routes, whose response is the same for every caller: the rate limit of the
    /// peer.
    pub(crate) fn public<S>(&self, routes: Router<S>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        routes.route_layer(from_fn_with_state(Arc::clone(&self.peers), limited))
    }

    /// Wraps all routes, and the response to a path without a route: steps 1 and 2.
    pub(crate) fn all<S>(&self, routes: Router<S>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let layers = ServiceBuilder::new()
            .layer(from_fn_with_state(
                self.middleware.clone(),
                request_middleware,
            ))
            .option_layer(cors(&self.allowed_origins))
            .layer(compression())
            .layer(DefaultBodyLimit::max(self.body_bytes));
        routes.layer(layers)
    }
}

async fn authenticated(
    State(layer): State<Arc<AuthenticatedLayer>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let authenticating = layer.authenticator.authenticate(&mut request);
    let verified = layer.guard.within_time(authenticating).await?;
    let quotas = layer.rates.draw(&request, &verified)?;
    let condition = Condition::from_headers(request.headers());
    let caller = &verified.caller;
    // The length is checked before the cache, which answers whatever the body.
    let looked_up = match layer.guard.check_length(&request) {
        Ok(()) => layer.cache.lookup(&mut request, caller).await,
        Err(problem) => Err(problem),
    };
    let response = match looked_up {
        Ok(None) => {
            request.extensions_mut().insert(caller.clone());
            let (tenant, limits) = (caller.tenant.clone(), Arc::clone(&layer.concurrency));
            let work = |request| async move {
                let _permit = limits.acquire(&tenant).await?;
                Ok(next.run(request).await)
            };
            layer.guard.run(request, work).await
        }
        Ok(Some(cached)) => Ok(cached),
        Err(problem) => Err(problem),
    };
    let mut response = condition.apply(response.into_response());
    quotas.write(response.headers_mut());
    Ok(response)
}

#[cfg(test)]
async fn guarded(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let work = |request| async move { Ok(next.run(request).await) };
    guard.run(request, work).await
}

async fn limited(
    State(peers): State<Arc<Peers>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    peers.draw(&request)?;
    Ok(next.run(request).await)
}

/// The size in bytes below which a body fits into a packet uncompressed.
const COMPRESSED_ABOVE: u64 = 1_024;

/// Compresses with gzip or zstd, as accepted, and for speed rather than size. An event stream is
/// left as it is, because it must not wait until a block is full.
fn compression() -> CompressionLayer<impl Predicate> {
    let predicate = SizeAbove::new(COMPRESSED_ABOVE).and(NotForContentType::SSE);
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(predicate)
}

/// Allows pages of these origins to call the API; `None` if there are none. The token is in a
/// header that no browser sends by itself, so one page cannot act on behalf of another.
fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let request_headers = [
        header::AUTHORIZATION,
        header::IF_NONE_MATCH,
        HeaderName::from_static("tidemark-wait"),
        HeaderName::from_static("x-request-id"),
    ];
    let response_headers = [
        "age",
        "etag",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "tidemark-definitions",
        "tidemark-generation",
        "tidemark-lag",
        "tidemark-lag-as-of",
        "tidemark-stale",
        "tidemark-watermark",
        "x-request-id",
    ];
    let layer = CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(request_headers)
        .expose_headers(response_headers.map(HeaderName::from_static))
        .max_age(Duration::from_hours(1));
    Some(layer)
}

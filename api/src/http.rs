//! HTTP plumbing: sockets, request middleware, limits, extractors and problem documents.
//!
//! It knows neither the routes nor the tables of this API, so another HTTP service can use it.

mod conditional;
mod extract;
mod guard;
mod limits;
mod metrics;
mod middleware;
mod problem;
mod request_id;
mod server;
mod static_response;

pub(crate) use self::conditional::Condition;
pub(crate) use self::extract::{NoParams, Path, QueryParams};
pub(crate) use self::guard::{Guard, GuardLimits};
#[cfg(test)]
pub(crate) use self::limits::Peer;
pub(crate) use self::limits::{
    Buckets, ConcurrencyLimits, Exceeded, LimitMetrics, PeerConnections, Peers, Quotas,
};
pub use self::limits::{InvalidNetwork, Network, Rate, SmallBurst};
pub(crate) use self::metrics::HttpMetrics;
pub use self::metrics::metrics_router;
pub(crate) use self::middleware::{RequestMiddleware, request_middleware};
pub(crate) use self::problem::{Document, Problem};
pub(crate) use self::request_id::RequestId;
pub(crate) use self::server::{ServerLimits, serve};
pub(crate) use self::static_response::StaticResponse;

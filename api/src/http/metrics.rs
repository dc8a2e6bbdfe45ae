//! Metrics of requests, and the router that exposes all metrics. The doc comment of each field is
//! its help text.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// The bounds of the histogram, in seconds: from a cached response to the request timeout.
const LATENCY_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The metrics of requests.
#[derive(Debug, Clone)]
pub(crate) struct HttpMetrics {
    /// Requests answered, by route and status.
    requests: IntCounterVec,
    /// Seconds from the head of a request to the head of its response, by route.
    latency: HistogramVec,
    /// Requests in progress.
    pub(crate) in_flight: IntGauge,
    /// Requests refused because too many were in progress.
    pub(crate) shed: IntCounter,
    /// Requests that took longer than allowed.
    pub(crate) timed_out: IntCounter,
}

impl HttpMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            requests: IntCounterVec::new(
                Opts::new(
                    "tidemark_api_requests_total",
                    "Requests answered, by route and status.",
                ),
                &["route", "status"],
            )?,
            latency: HistogramVec::new(
                HistogramOpts::new(
                    "tidemark_api_request_seconds",
                    "Seconds from the head of a request to the head of its response, by route.",
                )
                .buckets(LATENCY_BUCKETS.to_vec()),
                &["route"],
            )?,
            in_flight: IntGauge::new("tidemark_api_requests_in_flight", "Requests in progress.")?,
            shed: IntCounter::new(
                "tidemark_api_requests_shed_total",
                "Requests refused because too many were in progress.",
            )?,
            timed_out: IntCounter::new(
                "tidemark_api_requests_timed_out_total",
                "Requests that took longer than allowed.",
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.latency.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.shed.clone()))?;
        registry.register(Box::new(metrics.timed_out.clone()))?;
        Ok(metrics)
    }

    /// Records a response. `route` is a pattern, never a path, because the number of paths is
    /// unbounded.
    pub(crate) fn record(&self, route: &str, status: StatusCode, elapsed: Duration) {
        self.requests
            .with_label_values(&[route, status.as_str()])
            .inc();
        self.latency
            .with_label_values(&[route])
            .observe(elapsed.as_secs_f64());
    }
}

/// Returns a router with `GET /metrics`: everything registered, in the Prometheus text format.
///
/// Serve it on a listener of its own, because it requires no token and covers every tenant.
pub fn metrics_router(registry: Registry) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(registry)
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "encoding metrics failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

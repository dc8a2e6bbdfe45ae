//! What is counted and measured. The doc comment of each field is its help text.

mod admission;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use sqlx::PgPool;

pub(crate) use self::admission::AdmissionMetrics;

/// From a cached millisecond to the request timeout.
const LATENCY_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The API's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Requests answered, by route and status.
    requests: IntCounterVec,
    /// Seconds from the head of a request to the head of its answer, by route.
    latency: HistogramVec,
    /// Requests under way.
    pub(crate) in_flight: IntGauge,
    /// Requests refused because too many were under way.
    pub(crate) shed: IntCounter,
    /// Requests that took longer than allowed.
    pub(crate) timed_out: IntCounter,
    /// Reads of personal attributes recorded in the audit table.
    pub(crate) audited: IntCounter,
}

impl Metrics {
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
                    "Seconds from the head of a request to the head of its answer, by route.",
                )
                .buckets(LATENCY_BUCKETS.to_vec()),
                &["route"],
            )?,
            in_flight: IntGauge::new("tidemark_api_requests_in_flight", "Requests under way.")?,
            shed: IntCounter::new(
                "tidemark_api_requests_shed_total",
                "Requests refused because too many were under way.",
            )?,
            timed_out: IntCounter::new(
                "tidemark_api_requests_timed_out_total",
                "Requests that took longer than allowed.",
            )?,
            audited: IntCounter::new(
                "tidemark_api_audited_reads_total",
                "Reads of personal attributes recorded in the audit table.",
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.latency.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.shed.clone()))?;
        registry.register(Box::new(metrics.timed_out.clone()))?;
        registry.register(Box::new(metrics.audited.clone()))?;
        Ok(metrics)
    }

    /// `route` is a pattern, never a path: paths are without number.
    pub(crate) fn answered(&self, route: &str, status: StatusCode, elapsed: Duration) {
        self.requests
            .with_label_values(&[route, status.as_str()])
            .inc();
        self.latency
            .with_label_values(&[route])
            .observe(elapsed.as_secs_f64());
    }
}

/// Connections of the pool, counted when somebody looks.
#[derive(Debug)]
pub(crate) struct PoolCollector {
    pool: PgPool,
    /// Connections open.
    open: IntGauge,
    /// Connections open and not in use.
    idle: IntGauge,
}

impl PoolCollector {
    pub(crate) fn register(pool: PgPool, registry: &Registry) -> Result<(), prometheus::Error> {
        let open = IntGauge::new("tidemark_api_pool_connections", "Connections open.")?;
        let idle = IntGauge::new(
            "tidemark_api_pool_idle_connections",
            "Connections open and not in use.",
        )?;
        registry.register(Box::new(Self { pool, open, idle }))
    }
}

impl Collector for PoolCollector {
    fn desc(&self) -> Vec<&Desc> {
        [self.open.desc(), self.idle.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.open.set(i64::from(self.pool.size()));
        self.idle
            .set(i64::try_from(self.pool.num_idle()).unwrap_or(i64::MAX));
        [self.open.collect(), self.idle.collect()].concat()
    }
}

/// `GET /metrics` of everything registered, in the Prometheus text format.
///
/// Serve it on a listener of its own: it asks for no token and tells about every tenant.
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

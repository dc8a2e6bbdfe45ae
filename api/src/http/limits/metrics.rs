//! Metrics of the limits.

use prometheus::{IntCounterVec, Opts, Registry};

/// Requests that a limit refused.
#[derive(Debug, Clone)]
pub(crate) struct LimitMetrics {
    /// Requests refused by a rate limit (peer, tenant, token) or because too many of the tenant
    /// were under way (share).
    limited: IntCounterVec,
}

impl LimitMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let limited = IntCounterVec::new(
            Opts::new(
                "tidemark_api_requests_limited_total",
                "Requests refused by a rate limit (peer, tenant, token) or because too many of \
                 the tenant were under way (share).",
            ),
            &["limit"],
        )?;
        registry.register(Box::new(limited.clone()))?;
        Ok(Self { limited })
    }

    /// Counts a request that this limit refused.
    pub(crate) fn count(&self, limit: &str) {
        self.limited.with_label_values(&[limit]).inc();
    }
}

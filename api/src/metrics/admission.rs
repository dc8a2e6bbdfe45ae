//! What is counted of those who want in. The doc comment of each field is its help text.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Of tokens, keys and limits.
#[derive(Debug, Clone)]
pub(crate) struct AdmissionMetrics {
    /// Tokens whose signature was checked.
    pub(crate) tokens_checked: IntCounter,
    /// Tokens that were checked before and are still good.
    pub(crate) tokens_known: IntCounter,
    /// Reads of the keys for tokens that failed or made no sense.
    pub(crate) key_failures: IntCounter,
    /// Requests refused by a rate limit (peer, tenant, token) or because too many of the tenant
    /// were under way (share).
    limited: IntCounterVec,
}

impl AdmissionMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            tokens_checked: IntCounter::new(
                "tidemark_api_tokens_checked_total",
                "Tokens whose signature was checked.",
            )?,
            tokens_known: IntCounter::new(
                "tidemark_api_tokens_known_total",
                "Tokens that were checked before and are still good.",
            )?,
            key_failures: IntCounter::new(
                "tidemark_api_key_failures_total",
                "Reads of the keys for tokens that failed or made no sense.",
            )?,
            limited: IntCounterVec::new(
                Opts::new(
                    "tidemark_api_requests_limited_total",
                    "Requests refused by a rate limit (peer, tenant, token) or because too many \
                     of the tenant were under way (share).",
                ),
                &["limit"],
            )?,
        };
        registry.register(Box::new(metrics.tokens_checked.clone()))?;
        registry.register(Box::new(metrics.tokens_known.clone()))?;
        registry.register(Box::new(metrics.key_failures.clone()))?;
        registry.register(Box::new(metrics.limited.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn limited(&self, limit: &str) {
        self.limited.with_label_values(&[limit]).inc();
    }
}

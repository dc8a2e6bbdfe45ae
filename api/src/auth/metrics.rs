//! Metrics of authentication. The doc comment of each field is its help text.

use prometheus::{IntCounter, Registry};

/// Tokens and the keys that verify them.
#[derive(Debug, Clone)]
pub(crate) struct AuthMetrics {
    /// Tokens whose signature was verified.
    pub(crate) tokens_checked: IntCounter,
    /// Tokens that were verified before and are still valid.
    pub(crate) tokens_known: IntCounter,
    /// Failed reads of the keys that verify tokens.
    pub(crate) key_failures: IntCounter,
}

impl AuthMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            tokens_checked: IntCounter::new(
                "tidemark_api_tokens_checked_total",
                "Tokens whose signature was verified.",
            )?,
            tokens_known: IntCounter::new(
                "tidemark_api_tokens_known_total",
                "Tokens that were verified before and are still valid.",
            )?,
            key_failures: IntCounter::new(
                "tidemark_api_key_failures_total",
                "Failed reads of the keys that verify tokens.",
            )?,
        };
        registry.register(Box::new(metrics.tokens_checked.clone()))?;
        registry.register(Box::new(metrics.tokens_known.clone()))?;
        registry.register(Box::new(metrics.key_failures.clone()))?;
        Ok(metrics)
    }
}

//! What is counted of the cache. The hit ratio is hits by hits and misses.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::kept::{Entry, Key};

/// By how they ended.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) hits: IntCounter,
    pub(super) misses: IntCounter,
    pub(super) stale: IntCounter,
    pub(super) bypasses: IntCounter,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "tidemark_api_cache_requests_total",
                "Requests by what the cache did: hit, miss, stale (the database was away), \
                 bypass (Tidemark-Wait, or a read that is recorded).",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        Ok(Self {
            hits: requests.with_label_values(&["hit"]),
            misses: requests.with_label_values(&["miss"]),
            stale: requests.with_label_values(&["stale"]),
            bypasses: requests.with_label_values(&["bypass"]),
        })
    }
}

/// What is kept, counted when somebody looks.
#[derive(Debug)]
pub(super) struct KeptCollector {
    kept: moka::sync::Cache<Key, Arc<Entry>>,
    /// Answers kept.
    entries: IntGauge,
    /// Bytes of answers kept.
    bytes: IntGauge,
}

impl KeptCollector {
    pub(super) fn register(
        kept: moka::sync::Cache<Key, Arc<Entry>>,
        registry: &Registry,
    ) -> Result<(), prometheus::Error> {
        let entries = IntGauge::new("tidemark_api_cache_entries", "Answers kept.")?;
        let bytes = IntGauge::new("tidemark_api_cache_bytes", "Bytes of answers kept.")?;
        registry.register(Box::new(Self {
            kept,
            entries,
            bytes,
        }))
    }
}

impl Collector for KeptCollector {
    fn desc(&self) -> Vec<&Desc> {
        [self.entries.desc(), self.bytes.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let as_gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.entries.set(as_gauge(self.kept.entry_count()));
        self.bytes.set(as_gauge(self.kept.weighted_size()));
        [self.entries.collect(), self.bytes.collect()].concat()
    }
}

//! Metrics of the cache. The hit ratio is hits / (hits + misses).

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::entry::{Entry, Key};

/// Requests, by the outcome in the cache.
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

/// The size of the cache, read when metrics are collected.
#[derive(Debug)]
pub(super) struct SizeCollector {
    cache: moka::sync::Cache<Key, Arc<Entry>>,
    /// The number of cached responses.
    entries: IntGauge,
    /// The size of the cached responses, in bytes.
    bytes: IntGauge,
}

impl SizeCollector {
    pub(super) fn register(
        cache: moka::sync::Cache<Key, Arc<Entry>>,
        registry: &Registry,
    ) -> Result<(), prometheus::Error> {
        let entries = IntGauge::new("tidemark_api_cache_entries", "Cached responses.")?;
        let bytes = IntGauge::new("tidemark_api_cache_bytes", "Bytes of cached responses.")?;
        registry.register(Box::new(Self {
            cache,
            entries,
            bytes,
        }))
    }
}

impl Collector for SizeCollector {
    fn desc(&self) -> Vec<&Desc> {
        [self.entries.desc(), self.bytes.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let as_gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.entries.set(as_gauge(self.cache.entry_count()));
        self.bytes.set(as_gauge(self.cache.weighted_size()));
        [self.entries.collect(), self.bytes.collect()].concat()
    }
}

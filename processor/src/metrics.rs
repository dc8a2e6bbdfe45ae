//! The processor's metrics: the doc comment of each is its help text.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Everything the processor counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Records taken from the log and settled: folded, recognised or parked.
    pub records: IntCounter,
    /// Events folded into state for the first time.
    pub folded: IntCounter,
    /// Events recognised as duplicates.
    pub duplicates: IntCounter,
    /// Events parked, by reason.
    pub parked: IntCounterVec,
    /// Parked events folded after all.
    pub redriven: IntCounter,
    /// Due times fired.
    pub timers_fired: IntCounter,
    /// Discrete output changes written.
    pub changes: IntCounter,
    /// Customers evaluated anew because definitions changed.
    pub reevaluated: IntCounter,
    /// Commits that landed.
    pub commits: IntCounter,
    /// Seconds from sending a batch to its commit.
    pub commit_seconds: Histogram,
    /// Customers written in one commit.
    pub commit_customers: Histogram,
    /// Times a write was refused because somebody else owns the partition.
    pub fenced: IntCounter,
    /// Times a database or registry that was away made a partition wait.
    pub waits: IntCounterVec,
    /// Customer states found in memory.
    pub cache_hits: IntCounter,
    /// Customer states read from the database.
    pub cache_misses: IntCounter,
    /// Bytes of the memory budget in use.
    pub memory_bytes: IntGauge,
    /// Records of a partition behind the last stable offset.
    pub lag: IntGaugeVec,
    /// The clock of a partition, in seconds since 1970.
    pub clock: IntGaugeVec,
    /// Partitions owned.
    pub partitions: IntGauge,
    /// Version (offset) of the newest definitions accepted.
    pub definitions_version: IntGauge,
}

impl Metrics {
    /// Makes the metrics and registers them; a registry takes one processor.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let made = Maker { registry };
        Ok(Self {
            records: made.counter(
                "tidemark_records_total",
                "Records taken from the log and settled: folded, recognised or parked.",
            )?,
            folded: made.counter(
                "tidemark_events_folded_total",
                "Events folded into state for the first time.",
            )?,
            duplicates: made.counter(
                "tidemark_events_duplicate_total",
                "Events recognised as duplicates.",
            )?,
            parked: made.counters(
                "tidemark_events_parked_total",
                "Events parked, by reason.",
                &["reason"],
            )?,
            redriven: made.counter(
                "tidemark_events_redriven_total",
                "Parked events folded after all.",
            )?,
            timers_fired: made.counter("tidemark_timers_fired_total", "Due times fired.")?,
            changes: made.counter("tidemark_changes_total", "Discrete output changes written.")?,
            reevaluated: made.counter(
                "tidemark_customers_reevaluated_total",
                "Customers evaluated anew because definitions changed.",
            )?,
            commits: made.counter("tidemark_commits_total", "Commits that landed.")?,
            commit_seconds: made.histogram(
                "tidemark_commit_seconds",
                "Seconds from sending a batch to its commit.",
                prometheus::exponential_buckets(0.001, 2.0, 14)?,
            )?,
            commit_customers: made.histogram(
                "tidemark_commit_customers",
                "Customers written in one commit.",
                prometheus::exponential_buckets(1.0, 4.0, 8)?,
            )?,
            fenced: made.counter(
                "tidemark_fenced_total",
                "Times a write was refused because somebody else owns the partition.",
            )?,
            waits: made.counters(
                "tidemark_waits_total",
                "Times a database or registry that was away made a partition wait.",
                &["for"],
            )?,
            cache_hits: made.counter(
                "tidemark_cache_hits_total",
                "Customer states found in memory.",
            )?,
            cache_misses: made.counter(
                "tidemark_cache_misses_total",
                "Customer states read from the database.",
            )?,
            memory_bytes: made.gauge(
                "tidemark_memory_bytes",
                "Bytes of the memory budget in use.",
            )?,
            lag: made.gauges(
                "tidemark_lag_records",
                "Records of a partition behind the last stable offset.",
                &["partition"],
            )?,
            clock: made.gauges(
                "tidemark_clock_seconds",
                "The clock of a partition, in seconds since 1970.",
                &["partition"],
            )?,
            partitions: made.gauge("tidemark_partitions_owned", "Partitions owned.")?,
            definitions_version: made.gauge(
                "tidemark_definitions_version",
                "Version (offset) of the newest definitions accepted.",
            )?,
        })
    }
}

struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn registered<C: Collector + Clone + 'static>(
        &self,
        metric: C,
    ) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.registered(IntCounter::new(name, help)?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.registered(IntGauge::new(name, help)?)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: Vec<f64>,
    ) -> Result<Histogram, prometheus::Error> {
        self.registered(Histogram::with_opts(
            HistogramOpts::new(name, help).buckets(buckets),
        )?)
    }
}

//! The processor's metrics: the doc comment of each is its help text.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Declares the metrics: each field's doc comment is also what a scrape shows as its help.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ty = $make:ident($name:literal $(, $more:expr)*);)+) => {
        /// Everything the processor counts.
        #[derive(Debug, Clone)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl Metrics {
            /// Makes the metrics and registers them; a registry takes one processor.
            pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
                Ok(Self {
                    $($field: registered(
                        registry,
                        $make($name, concat!($($help),+).trim() $(, $more)*)?,
                    )?,)+
                })
            }
        }
    };
}

metrics! {
    /// Records read from the log and folded, recognised as duplicates, forwarded, or parked.
    records: IntCounter = counter("tidemark_records_total");
    /// Events folded into state for the first time.
    folded: IntCounter = counter("tidemark_events_folded_total");
    /// Events recognised as duplicates.
    duplicates: IntCounter = counter("tidemark_events_duplicate_total");
    /// Misrouted events published to their expected partition, by cause.
    forwarded: IntCounterVec = counters("tidemark_events_forwarded_total", "cause");
    /// Events parked, by reason.
    parked: IntCounterVec = counters("tidemark_events_parked_total", "reason");
    /// Parked events that were folded later.
    redriven: IntCounter = counter("tidemark_events_redriven_total");
    /// Records passed over, because they were appended before their tenant was offboarded.
    offboarded: IntCounter = counter("tidemark_records_offboarded_total");
    /// Parked events discarded by an operator.
    discarded: IntCounter = counter("tidemark_events_discarded_total");
    /// Tenants deferred in a partition because too many of their records were parked.
    tenants_halted: IntGaugeVec = gauges("tidemark_tenants_halted", "partition");
    /// Tenants deferred in a partition because their parked events take as many bytes as they may.
    tenants_over_quota: IntGaugeVec = gauges("tidemark_tenants_over_quota", "partition");
    /// Bytes of the parked events of the tenant that has most in a partition.
    parked_bytes: IntGaugeVec = gauges("tidemark_parked_bytes", "partition");
    /// Bytes of the parked events of a partition that name no defined tenant.
    parked_bytes_without_tenant: IntGaugeVec = gauges("tidemark_parked_without_tenant_bytes", "partition");
    /// Bytes of parked events that a tenant may have in one partition.
    parked_quota: IntGauge = gauge("tidemark_parked_quota_bytes");
    /// Bytes of a partition's largest customer, as each commit of it writes them; 0 below 64 KiB.
    largest_customer: IntGaugeVec = gauges("tidemark_largest_customer_bytes", "partition");
    /// Tenants deferred in a partition because they are not defined.
    tenants_undefined: IntGaugeVec = gauges("tidemark_tenants_undefined", "partition");
    /// Customers deferred in a partition because they could not be processed.
    customers_quarantined: IntGaugeVec = gauges("tidemark_customers_quarantined", "partition");
    /// Records of deferred tenants and customers that were read again.
    caught_up: IntCounter = counter("tidemark_records_caught_up_total");
    /// Timers fired.
    timers_fired: IntCounter = counter("tidemark_timers_fired_total");
    /// Discrete output changes written.
    changes: IntCounter = counter("tidemark_changes_total");
    /// Customers re-evaluated because definitions changed.
    reevaluated: IntCounter = counter("tidemark_customers_reevaluated_total");
    /// Commits that landed.
    commits: IntCounter = counter("tidemark_commits_total");
    /// Seconds from sending a batch to its commit.
    commit_seconds: Histogram = histogram("tidemark_commit_seconds", 0.001, 2.0, 14);
    /// Customers written in one commit.
    commit_customers: Histogram = histogram("tidemark_commit_customers", 1.0, 4.0, 8);
    /// Commits refused because another process owns the partition.
    fenced: IntCounter = counter("tidemark_fenced_total");
    /// Waits of a partition for an unavailable database, registry or broker.
    waits: IntCounterVec = counters("tidemark_waits_total", "for");
    /// Customer states found in the cache.
    cache_hits: IntCounter = counter("tidemark_cache_hits_total");
    /// Customer states read from the database.
    cache_misses: IntCounter = counter("tidemark_cache_misses_total");
    /// Bytes of the memory budget in use.
    memory_bytes: IntGauge = gauge("tidemark_memory_bytes");
    /// Records of a partition that are committed to the log and not folded.
    lag: IntGaugeVec = gauges("tidemark_lag_records", "partition");
    /// Records of a partition that open transactions, and records after them, hold back.
    open_transactions: IntGaugeVec = gauges("tidemark_open_transaction_records", "partition");
    /// Seconds for which a partition with records to fold has not moved, while all servers were available.
    stalled: IntGaugeVec = gauges("tidemark_stalled_seconds", "partition");
    /// The instant by which every timer due in a partition has fired, in seconds since 1970.
    timers_fired_to: IntGaugeVec = gauges("tidemark_timers_fired_to_seconds", "partition");
    /// The clock of a partition, in seconds since 1970.
    clock: IntGaugeVec = gauges("tidemark_clock_seconds", "partition");
    /// Records between the beginning of the log and the first that a deferred tenant or customer needs.
    headroom_records: IntGaugeVec = gauges("tidemark_deferred_headroom_records", "partition");
    /// Seconds until retention may delete the first record that a deferred tenant or customer needs.
    headroom_seconds: IntGaugeVec = gauges("tidemark_deferred_headroom_seconds", "partition");
    /// Whether a topic loses records by its retention or cleanup policy (1), or keeps them for good (0).
    retention_limited: IntGaugeVec = gauges("tidemark_retention_limited", "topic");
    /// Milliseconds by which this host's clock is ahead of a server's; of Kafka only how far it is behind.
    clock_difference: IntGaugeVec = gauges("tidemark_clock_difference_milliseconds", "server");
    /// Partitions owned.
    partitions: IntGauge = gauge("tidemark_partitions_owned");
    /// Version (offset) of the newest definitions accepted.
    definitions_version: IntGauge = gauge("tidemark_definitions_version");
    /// 1 while the definitions topic holds a record that only a newer version of Tidemark can read.
    definitions_unknown_format: IntGauge = gauge("tidemark_definitions_unknown_format");
}

impl Metrics {
    /// Drops the gauges of a partition: its next owner shows them.
    pub(crate) fn forget(&self, partition: i32) {
        let partition = partition.to_string();
        for gauges in self.by_partition() {
            // Refused where nothing was shown yet.
            gauges.remove_label_values(&[&partition]).ok();
        }
    }

    fn by_partition(&self) -> [&IntGaugeVec; 14] {
        [
            &self.lag,
            &self.open_transactions,
            &self.stalled,
            &self.timers_fired_to,
            &self.clock,
            &self.tenants_halted,
            &self.headroom_records,
            &self.headroom_seconds,
            &self.tenants_over_quota,
            &self.parked_bytes,
            &self.parked_bytes_without_tenant,
            &self.largest_customer,
            &self.tenants_undefined,
            &self.customers_quarantined,
        ]
    }
}

type Made<M> = Result<M, prometheus::Error>;

fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Made<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counter(name: &str, help: &str) -> Made<IntCounter> {
    IntCounter::new(name, help)
}

fn counters(name: &str, help: &str, label: &str) -> Made<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), &[label])
}

fn gauge(name: &str, help: &str) -> Made<IntGauge> {
    IntGauge::new(name, help)
}

fn gauges(name: &str, help: &str, label: &str) -> Made<IntGaugeVec> {
    IntGaugeVec::new(Opts::new(name, help), &[label])
}

/// Buckets from `first`, each `factor` times the one before.
fn histogram(name: &str, help: &str, first: f64, factor: f64, count: usize) -> Made<Histogram> {
    let buckets = prometheus::exponential_buckets(first, factor, count)?;
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_given_up_leaves_no_gauge_behind() {
        // Given a partition with a value in every gauge by partition
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).expect("names are valid and distinct");
        for gauges in metrics.by_partition() {
            gauges.with_label_values(&["3"]).set(1);
        }
        // When it is given up
        metrics.forget(3);
        // Then no family shows it
        let shown = registry.gather().iter().any(|family| {
            let labels = family
                .get_metric()
                .iter()
                .flat_map(prometheus::proto::Metric::get_label);
            labels.into_iter().any(|label| label.name() == "partition")
        });
        assert!(!shown, "an alert on it would go on firing");
    }

    #[test]
    fn every_metric_is_registered_once_with_a_help_text() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).expect("names are valid and distinct");
        metrics.parked.with_label_values(&["late"]).inc();
        let families = registry.gather();
        let parked = families
            .iter()
            .find(|family| family.name() == "tidemark_events_parked_total");
        assert_eq!(
            parked.map(prometheus::proto::MetricFamily::help),
            Some("Events parked, by reason.")
        );
        assert!(families.iter().all(|family| !family.help().is_empty()));
        assert!(Metrics::register(&registry).is_err());
    }
}

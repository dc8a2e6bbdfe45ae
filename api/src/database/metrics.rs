//! Metrics of the connection pool.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Registry};
use sqlx::PgPool;

/// The connections of the pool, read when metrics are collected.
#[derive(Debug)]
pub(super) struct PoolCollector {
    pool: PgPool,
    /// Open connections.
    open: IntGauge,
    /// Open connections that are not in use.
    idle: IntGauge,
}

impl PoolCollector {
    pub(super) fn register(pool: PgPool, registry: &Registry) -> Result<(), prometheus::Error> {
        let open = IntGauge::new("tidemark_api_pool_connections", "Open connections.")?;
        let idle = IntGauge::new(
            "tidemark_api_pool_idle_connections",
            "Open connections that are not in use.",
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

//! Metrics of the connection pool.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Registry};
use sqlx::PgPool;

/// Returns the counter of requests that found every connection in use.
pub(super) fn busy() -> Result<IntCounter, prometheus::Error> {
    IntCounter::new(
        "tidemark_api_pool_busy_total",
        "Requests refused because all connections to the database were in use.",
    )
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::time::Duration;

    use super::super::Database;
    use crate::{AuthConfig, Config};

    #[tokio::test]
    async fn busy_pool_of_a_database_that_responds_is_told_from_a_database_that_is_away() {
        let auth = AuthConfig::new(
            "tidemark",
            "tidemark-api",
            "a secret of 32 bytes, no shorter",
        );
        let mut config = Config::new("postgres://nowhere/nothing", auth);
        config.limits.acquire_timeout = Duration::from_millis(50);
        let database = Database::unavailable(&config).unwrap();
        let problem = database.acquire().await.unwrap_err();
        assert_eq!((problem.kind(), database.busy.get()), ("unavailable", 0));
        database.set_reachable(true);
        let problem = database.acquire().await.unwrap_err();
        assert_eq!((problem.kind(), database.busy.get()), ("busy", 1));
    }
}

//! A fresh database for each test, on one cluster for the whole run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tidemark_processor::migrate::{GenerationSpec, ensure_generation, migrate};
use tidemark_processor::store::{Store, StoreConfig};
use tidemark_schemas::Partitioner;

use crate::cluster::Cluster;

pub(crate) const TOPIC: &str = "customer-events";

/// The cluster all tests share.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(""))
}

/// One database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
}

/// What the tests' generation is folded from.
pub(crate) fn spec() -> GenerationSpec {
    GenerationSpec {
        topic: TOPIC.to_owned(),
        partitions: 4,
        partitioner: Partitioner::Murmur2,
    }
}

/// How the processor would connect.
pub(crate) fn config(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.to_owned(),
        role: Some("tidemark_processor".to_owned()),
        writers: 4,
        synchronous_commit: false,
    }
}

impl Database {
    /// With nothing in it.
    pub(crate) async fn empty() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        execute(
            &cluster().url("postgres", "postgres"),
            &format!("create database {name}"),
        )
        .await;
        Self {
            url: cluster().url("postgres", &name),
            name,
        }
    }

    /// With a generation.
    pub(crate) async fn ready() -> Self {
        let database = Self::empty().await;
        migrate(&database.url).await.unwrap();
        ensure_generation(&database.url, &spec()).await.unwrap();
        database
    }

    /// As the processor sees it.
    pub(crate) async fn store(&self) -> Store {
        Store::connect(&config(&self.url)).await.unwrap()
    }

    /// As a superuser sees it.
    pub(crate) async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// As the read API sees it.
    pub(crate) async fn api(&self) -> PgConnection {
        let mut connection = self.admin().await;
        sqlx::raw_sql("set role tidemark_api")
            .execute(&mut connection)
            .await
            .unwrap();
        connection
    }

    /// One number.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&mut self.admin().await)
            .await
            .unwrap()
    }
}

/// Runs statements as somebody.
pub(crate) async fn execute(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut connection)
        .await
        .unwrap();
}

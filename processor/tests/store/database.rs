//! A fresh database for each test, on one cluster for the whole run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tidemark_processor::migrate::{GenerationSpec, ensure_generation, migrate};
use tidemark_processor::store::{
    Database as SharedDatabase, OperatorStore, Store, StoreConfig, StoreError,
};
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

/// The log of the tests' generation.
pub(crate) fn spec() -> GenerationSpec {
    GenerationSpec {
        topic: TOPIC.to_owned(),
        partitions: 4,
        partitioner: Partitioner::Murmur2,
    }
}

/// The processor's configuration.
pub(crate) fn config(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.to_owned(),
        role: Some("tidemark_processor".to_owned()),
        writers: 4,
        synchronous_commit: false,
    }
}

/// Opens the active generation.
pub(crate) async fn open(config: &StoreConfig) -> Result<Store, StoreError> {
    let database = SharedDatabase::connect(config).await?;
    let generation = database.active_generation().await?;
    Store::open(&database, generation)
}

impl Database {
    /// An empty database.
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

    /// A database with a generation.
    pub(crate) async fn ready() -> Self {
        let database = Self::empty().await;
        migrate(&database.url).await.unwrap();
        ensure_generation(&database.url, &spec()).await.unwrap();
        database
    }

    /// The processor's store.
    pub(crate) async fn store(&self) -> Store {
        open(&config(&self.url)).await.unwrap()
    }

    /// The operators' store.
    pub(crate) async fn operators(&self) -> OperatorStore {
        let shared = SharedDatabase::connect(&config(&self.url)).await.unwrap();
        let generation = shared.active_generation().await.unwrap();
        OperatorStore::open(&shared, generation).unwrap()
    }

    /// A superuser's connection.
    pub(crate) async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// The read API's connection.
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

/// Goes on beside the test, and ends with it at the latest.
#[expect(
    clippy::disallowed_methods,
    reason = "the runtime of a test ends with the test"
)]
pub(crate) fn background<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(work)
}

/// Waits until a query finds something, for at most ten seconds.
pub(crate) async fn eventually(database: &Database, condition: &'static str) {
    let mut connection = database.admin().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let holds: bool = sqlx::query_scalar(condition)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        if holds {
            return;
        }
        assert!(Instant::now() < deadline, "never: {condition}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes every transaction that writes a customer wait, after the fence, for as long as the
/// connection it answers lives.
pub(crate) async fn hold_commits(database: &Database) -> PgConnection {
    hold(
        database,
        "create trigger hold before insert on gen_1.customer",
    )
    .await
}

/// The same, but the transaction waits in its COMMIT.
pub(crate) async fn hold_at_commit(database: &Database) -> PgConnection {
    let trigger = "create constraint trigger hold after insert on gen_1.customer \
                   deferrable initially deferred";
    hold(database, trigger).await
}

async fn hold(database: &Database, trigger: &str) -> PgConnection {
    let mut holder = database.admin().await;
    let statements = format!(
        "create function hold() returns trigger language plpgsql as $$
         begin perform pg_advisory_xact_lock_shared(1); return new; end $$;
         {trigger} for each row execute function hold();
         select pg_advisory_lock(1);"
    );
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut holder)
        .await
        .unwrap();
    holder
}

/// Whether a session waits for the lock of [`hold_commits`].
pub(crate) const COMMIT_IS_HELD: &str = "select exists (select from pg_locks \
    join pg_database on pg_database.oid = pg_locks.database \
    where locktype = 'advisory' and not granted and datname = current_database())";

/// Whether a session waits for the end of another transaction.
pub(crate) const SOMEBODY_WAITS_FOR_A_ROW: &str = "select exists (select from pg_stat_activity \
    where wait_event = 'transactionid' and datname = current_database())";

/// Runs statements under a role.
pub(crate) async fn execute(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut connection)
        .await
        .unwrap();
}

/// The one number a query answers.
pub(crate) async fn number(
    connection: &mut PgConnection,
    query: String,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_one(connection)
        .await
}

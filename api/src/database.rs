//! The database: read-only snapshots of one tenant.
//!
//! Every request reads one snapshot: a repeatable-read transaction that names its tenant for
//! row-level security and looks up the active generation before it reads anything else. There is
//! no other way to a pooled connection, so no query can omit its tenant.
//!
//! Neither a disconnect nor a timeout drops a transaction halfway, because a cancelled `begin` poisons
//! a pooled connection: the [guard](crate::http::Guard) runs each request in a task of its own, and
//! Postgres enforces the time limits.

mod failure;
mod metrics;
mod readiness;
mod snapshot;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::future::Cache;
use prometheus::{IntCounter, Registry};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::{AssertSqlSafe, Connection, Error};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_schemas::{Instant, TenantId};

use self::failure::Failure;
pub(crate) use self::failure::is_unavailable;
use self::metrics::PoolCollector;
pub(crate) use self::readiness::Readiness;
pub(crate) use self::snapshot::{Snapshot, clock, instant};
use crate::auth::Caller;
use crate::http::Problem;
use crate::{ApiError, Config};

/// The number of cached definitions: the current version of each tenant and, during a change, the
/// previous one.
const CACHED_DEFINITIONS: u64 = 10_000;
/// The idle time after which a connection is tested before use. A test costs a round trip.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// The access of a query to its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadMode {
    /// Read-only.
    Read,
    /// Reads, and may write an audit row.
    Audited,
}

/// The connection pool, and the cached definitions.
#[derive(Debug)]
pub(crate) struct Database {
    pool: PgPool,
    options: ArcSwap<PgConnectOptions>,
    session: Session,
    /// The definitions by tenant and version. A version never changes, so none expires.
    definitions: Cache<(TenantId, i64), Arc<TenantDefinitions>>,
    /// The instant in place of the database's clock.
    clock: Option<Instant>,
    /// Whether the last check reached the database.
    is_reachable: AtomicBool,
    /// Requests that found all connections in use.
    busy: IntCounter,
}

impl Database {
    /// Connects, and refuses a role that bypasses row-level security.
    pub(crate) async fn connect(config: &Config) -> Result<Self, ApiError> {
        let options = PgConnectOptions::from_str(&config.database_url)
            .map_err(ApiError::DatabaseUrl)?
            .application_name("tidemark-api");
        let session = Session::from_config(config);
        // Not through the pool, which retries for long and then reports a timeout, not the reason.
        let mut connection = session
            .connect(&options)
            .await
            .map_err(ApiError::Database)?;
        let (role, is_privileged, is_processor) =
            sqlx::query_as(include_str!("sql/effective_role.sql"))
                .fetch_one(&mut connection)
                .await
                .map_err(ApiError::Database)?;
        if is_privileged {
            return Err(ApiError::PrivilegedRole(role));
        }
        if is_processor {
            return Err(ApiError::ProcessorRole(role));
        }
        connection.close().await.map_err(ApiError::Database)?;
        Self::connect_lazily(options, session, config)
    }

    /// Returns a database that connects on the first use.
    fn connect_lazily(
        options: PgConnectOptions,
        session: Session,
        config: &Config,
    ) -> Result<Self, ApiError> {
        let (alone, session_alone) = (options.clone(), session.clone());
        let pool = PgPoolOptions::new()
            .max_connections(config.connections)
            .acquire_timeout(config.limits.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| {
                Box::pin(async move {
                    if metadata.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| {
                let session = session.clone();
                Box::pin(async move { session.set(connection).await })
            })
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            options: ArcSwap::from_pointee(alone),
            session: session_alone,
            definitions: Cache::new(CACHED_DEFINITIONS),
            clock: config.clock,
            is_reachable: AtomicBool::new(false),
            busy: metrics::busy()?,
        })
    }

    /// Returns a database that is unavailable.
    #[cfg(test)]
    pub(crate) fn unavailable(config: &Config) -> Result<Self, ApiError> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(1);
        Self::connect_lazily(options, Session::from_config(config), config)
    }

    /// Registers the metrics of the connection pool.
    pub(crate) fn register_metrics(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.busy.clone()))?;
        PoolCollector::register(self.pool.clone(), registry)
    }

    /// Closes all connections, once they are no longer in use.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Opens a connection outside the pool, for reads of rows that belong to no tenant.
    pub(crate) async fn connect_unpooled(&self) -> Result<PgConnection, Error> {
        self.session.connect(&self.options.load_full()).await
    }

    /// Uses this password for new connections. Open connections stay open.
    pub(crate) fn set_password(&self, password: &str) {
        let options = PgConnectOptions::clone(&self.options.load()).password(password);
        self.pool.set_connect_options(options.clone());
        self.options.store(Arc::new(options));
    }

    /// Opens a snapshot of the caller's tenant.
    pub(crate) async fn snapshot<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        caller: &'c Caller,
        access: ReadMode,
    ) -> Result<Snapshot<'c>, Problem> {
        let begin = match access {
            ReadMode::Read => "begin isolation level repeatable read read only",
            ReadMode::Audited => "begin isolation level repeatable read",
        };
        let transaction = connection.begin_with(begin).await?;
        Snapshot::open(transaction, &self.definitions, caller).await
    }

    /// Returns a connection on which the read that failed can be retried, or the problem if a
    /// retry cannot help.
    pub(crate) async fn recover(
        &self,
        mut connection: PoolConnection<Postgres>,
        problem: Problem,
    ) -> Result<PoolConnection<Postgres>, Problem> {
        match Failure::from_problem(&problem) {
            Some(Failure::StalePlan) => connection.clear_cached_statements().await?,
            Some(Failure::ConnectionLost) => {
                drop(connection.detach()); // not back into the pool
                connection = self.acquire().await?;
            }
            Some(Failure::Unavailable | Failure::Refused) | None => return Err(problem),
        }
        tracing::debug!(
            cause = problem.cause().map(tracing::field::display),
            "retrying the read"
        );
        Ok(connection)
    }

    /// Returns the active generation and its staleness, without a tenant; `None` if no generation is
    /// active. Opens the connection, outside the pool, if there is none.
    pub(crate) async fn probe(
        &self,
        connection: &mut Option<PgConnection>,
    ) -> Result<Option<Readiness>, Problem> {
        let open = match connection.take() {
            Some(open) => open,
            None => self.connect_unpooled().await?,
        };
        let transaction = connection
            .insert(open)
            .begin_with("begin isolation level repeatable read read only")
            .await?;
        Readiness::read(transaction, self.clock).await
    }

    /// Records whether the last check reached the database.
    pub(crate) fn set_reachable(&self, is_reachable: bool) {
        self.is_reachable.store(is_reachable, Ordering::Release);
    }

    /// Acquires a pooled connection; 503 `busy` if all were in use for too long, although the database
    /// responds.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Problem> {
        match self.pool.acquire().await {
            Err(error @ Error::PoolTimedOut) if self.is_reachable.load(Ordering::Acquire) => {
                self.busy.inc();
                let problem = Problem::retryable(
                    "busy",
                    "Too many concurrent reads",
                    "all connections to the database are in use",
                );
                Err(problem.with_cause(error))
            }
            acquired => Ok(acquired?),
        }
    }
}

/// The settings of each connection.
#[derive(Debug, Clone)]
struct Session {
    role: Option<String>,
    statement_timeout: String,
}

impl Session {
    fn from_config(config: &Config) -> Self {
        let milliseconds = config.limits.statement_timeout.as_millis();
        Self {
            role: config.role.clone(),
            statement_timeout: format!("{milliseconds}ms"),
        }
    }

    async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection, Error> {
        let mut connection = PgConnection::connect_with(options).await?;
        self.set(&mut connection).await?;
        Ok(connection)
    }

    async fn set(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(include_str!("sql/session.sql"))
            .bind(&self.statement_timeout)
            .execute(&mut *connection)
            .await?;
        if let Some(role) = &self.role {
            let role = role.replace('"', "\"\"");
            // `set role` takes no parameter, so the name, which is configuration, is quoted.
            let statement = AssertSqlSafe(format!("set role \"{role}\""));
            sqlx::raw_sql(statement).execute(connection).await?;
        }
        Ok(())
    }
}

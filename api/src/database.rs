//! Postgres, read-only and one tenant at a time.
//!
//! Every request reads one snapshot: a repeatable-read transaction that names its tenant for
//! row-level security and looks up the active generation before it reads anything else. There is
//! no other way to a connection, so no query can forget its tenant.
//!
//! A transaction is never dropped halfway by a client that goes away or by a timeout (a cancelled
//! `begin` poisons a pooled connection): the [guard](crate::http::Guard) runs each request in a task of
//! its own, and time limits are the server's.

mod failure;
mod metrics;
mod readiness;
mod snapshot;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::future::Cache;
use prometheus::Registry;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::{AssertSqlSafe, Connection};
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

/// Parsed definitions kept: every tenant's current version, and during a change the one before.
const DEFINITIONS_KEPT: u64 = 10_000;
/// The idle time after which a connection is tested before use. A test costs a round trip.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// What a request will do with its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reads only.
    Read,
    /// Reads, and may record that it did.
    Audited,
}

/// The pool, and what is remembered between requests.
#[derive(Debug)]
pub(crate) struct Database {
    pool: PgPool,
    options: ArcSwap<PgConnectOptions>,
    session: Session,
    /// By tenant and version; a version never changes, so nothing ever expires.
    definitions: Cache<(TenantId, i64), Arc<TenantDefinitions>>,
    /// Instead of the database's own clock.
    clock: Option<Instant>,
}

impl Database {
    /// Connects, and refuses a role that row-level security does not bind.
    pub(crate) async fn connect(config: &Config) -> Result<Self, ApiError> {
        let options = PgConnectOptions::from_str(&config.database_url)
            .map_err(ApiError::DatabaseUrl)?
            .application_name("tidemark-api");
        let session = Session::of(config);
        // Not through the pool, which tries for long and then only says that it tried for long.
        let mut connection = session
            .connect(&options)
            .await
            .map_err(ApiError::Database)?;
        let (role, is_privileged) = sqlx::query_as(include_str!("sql/effective_role.sql"))
            .fetch_one(&mut connection)
            .await
            .map_err(ApiError::Database)?;
        if is_privileged {
            return Err(ApiError::PrivilegedRole(role));
        }
        connection.close().await.map_err(ApiError::Database)?;
        Ok(Self::over(options, session, config))
    }

    /// Connects when first asked.
    fn over(options: PgConnectOptions, session: Session, config: &Config) -> Self {
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
        Self {
            pool,
            options: ArcSwap::from_pointee(alone),
            session: session_alone,
            definitions: Cache::new(DEFINITIONS_KEPT),
            clock: config.clock,
        }
    }

    /// Returns a database that is unavailable.
    #[cfg(test)]
    pub(crate) fn unavailable(config: &Config) -> Self {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(1);
        Self::over(options, Session::of(config), config)
    }

    /// Registers the metrics of the connection pool.
    pub(crate) fn register_metrics(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        PoolCollector::register(self.pool.clone(), registry)
    }

    /// Closes all connections, once they are no longer in use.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// A connection beside the pool, for who reads no tenant's rows.
    pub(crate) async fn connect_unpooled(&self) -> Result<PgConnection, sqlx::Error> {
        self.session.connect(&self.options.load_full()).await
    }

    /// Connections made from now on use this password; those there are stay in.
    pub(crate) fn set_password(&self, password: &str) {
        let options = PgConnectOptions::clone(&self.options.load()).password(password);
        self.pool.set_connect_options(options.clone());
        self.options.store(Arc::new(options));
    }

    /// Takes a connection from the pool.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Problem> {
        Ok(self.pool.acquire().await?)
    }

    /// Opens a snapshot of the caller's tenant.
    pub(crate) async fn snapshot<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        caller: &'c Caller,
        access: Access,
    ) -> Result<Snapshot<'c>, Problem> {
        let begin = match access {
            Access::Read => "begin isolation level repeatable read read only",
            Access::Audited => "begin isolation level repeatable read",
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
                connection = self.pool.acquire().await?;
            }
            Some(Failure::Unavailable | Failure::Refused) | None => return Err(problem),
        }
        tracing::debug!(
            cause = problem.cause().map(tracing::field::display),
            "retrying the read"
        );
        Ok(connection)
    }

    /// Whether Postgres answers, and how far the active generation is; for no tenant.
    pub(crate) async fn readiness(&self) -> Result<Option<Readiness>, Problem> {
        let mut connection = self.pool.acquire().await?;
        let transaction = connection
            .begin_with("begin isolation level repeatable read read only")
            .await?;
        Readiness::read(transaction, self.clock).await
    }
}

/// What is set once on each connection.
#[derive(Debug, Clone)]
struct Session {
    role: Option<String>,
    statement_timeout: String,
}

impl Session {
    fn of(config: &Config) -> Self {
        let milliseconds = config.limits.statement_timeout.as_millis();
        Self {
            role: config.role.clone(),
            statement_timeout: format!("{milliseconds}ms"),
        }
    }

    async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(options).await?;
        self.set(&mut connection).await?;
        Ok(connection)
    }

    async fn set(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(include_str!("sql/session.sql"))
            .bind(&self.statement_timeout)
            .execute(&mut *connection)
            .await?;
        if let Some(role) = &self.role {
            let role = role.replace('"', "\"\"");
            // `set role` takes no parameter; the name is configuration, and quoted.
            let statement = AssertSqlSafe(format!("set role \"{role}\""));
            sqlx::raw_sql(statement).execute(connection).await?;
        }
        Ok(())
    }
}

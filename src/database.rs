//! What the command line itself asks Postgres: how far folding is. It never writes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, FromRow};

use crate::config;
use crate::failure::Usage;

mod customers;

pub(crate) use customers::Current;

/// How long Postgres may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The URL with the password that is configured beside it.
pub fn url(database: &config::Database) -> Result<String, Usage> {
    let mut url = reqwest::Url::parse(&database.url)
        .map_err(|error| Usage::new(format!("database.url is not a URL: {error}")))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(Usage::new("database.url must begin with postgres://"));
    }
    if let Some(password) = &database.password {
        url.query_pairs_mut()
            .append_pair("password", password.reveal());
    }
    Ok(url.into())
}

/// Where Postgres is, without what is secret.
pub(crate) fn place(database: &config::Database) -> String {
    url(database)
        .ok()
        .and_then(|url| url.parse::<PgConnectOptions>().ok())
        .map_or_else(
            || "database.url".to_owned(),
            |options| host_and_port(&options),
        )
}

fn host_and_port(options: &PgConnectOptions) -> String {
    format!("{}:{}", options.get_host(), options.get_port())
}

/// The active generation, read as the processor's role.
#[derive(Debug, Clone)]
pub struct Generation {
    pool: PgPool,
    id: i32,
}

/// One partition as folded.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct PartitionProgress {
    /// Which.
    pub partition: i32,
    /// First offset not folded.
    pub next_offset: i64,
    /// Last stable offset, when last seen.
    pub log_end: i64,
    /// In microseconds.
    #[serde(skip)]
    pub clock: i64,
    /// Version of the definitions in force; -1 before the first.
    pub definitions: i64,
    /// Who folds it.
    pub owner: Option<String>,
    /// Seconds since the last commit.
    pub idle_seconds: f64,
}

/// One tenant as folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct TenantProgress {
    /// Which.
    pub tenant: String,
    /// With state.
    pub customers: i64,
    /// Folded, duplicates not counted.
    pub events: i64,
}

/// Parked events of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Parked {
    /// Where it could be read.
    pub tenant: Option<String>,
    /// Why.
    pub reason: String,
    /// How many.
    pub events: i64,
}

/// A tenant of whom nothing is folded in a partition.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Halt {
    /// Which.
    pub tenant: String,
    /// Where.
    pub partition: i32,
    /// Of the record that passed the limit.
    pub offset: i64,
    /// How many of the records looked back on were parked.
    pub parked: i32,
    /// How many were looked back on.
    pub records: i32,
    /// In microseconds.
    pub halted_at: i64,
    /// Who asked for it to go on, if its owner has not seen that yet.
    pub resume_by: Option<String>,
}

impl Generation {
    /// Connects and finds the active generation.
    pub async fn connect(database: &config::Database) -> anyhow::Result<Self> {
        let role = &database.processor_role;
        let options: PgConnectOptions = url(database)?
            .parse()
            .map_err(|error| Usage::new(format!("database.url: {error}")))?;
        let options = options.options([("role", role)]);
        // A pool would say no more than that it waited: a first connection says why it cannot.
        let first = tokio::time::timeout(CONNECT_TIMEOUT, options.connect());
        let mut first = match first.await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(unreachable(&options, role, &error)),
            Err(_) => return Err(unreachable(&options, role, &sqlx::Error::PoolTimedOut)),
        };
        let id: i32 = sqlx::query_scalar(include_str!("database/active_generation.sql"))
            .fetch_optional(&mut first)
            .await
            .map_err(|error| not_readable(role, error))?
            .ok_or_else(|| anyhow!("no generation is active: run `tidemark migrate`"))?;
        first.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(options.options([("search_path", format!("gen_{id}"))]));
        Ok(Self { pool, id })
    }

    /// Its number.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Every partition of a topic.
    pub async fn partitions(&self, topic: &str) -> sqlx::Result<Vec<PartitionProgress>> {
        sqlx::query_as(include_str!("database/partitions.sql"))
            .bind(topic)
            .fetch_all(&self.pool)
            .await
    }

    /// The first offset not folded, of every partition of a topic.
    pub async fn positions(&self, topic: &str) -> sqlx::Result<BTreeMap<i32, i64>> {
        let partitions = self.partitions(topic).await?;
        Ok(partitions
            .into_iter()
            .map(|found| (found.partition, found.next_offset))
            .collect())
    }

    /// Every tenant with customers.
    pub async fn tenants(&self) -> sqlx::Result<Vec<TenantProgress>> {
        sqlx::query_as(include_str!("database/tenants.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Tenants that are defined, with or without customers.
    pub async fn defined_tenants(&self) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(include_str!("database/defined_tenants.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Ids and states of a tenant's customers after one of them, by id; the first so many.
    pub async fn states(
        &self,
        tenant: &str,
        after: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
        sqlx::query_as(include_str!("database/states.sql"))
            .bind(tenant)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }

    /// Parked events by tenant and reason.
    pub async fn parked(&self) -> sqlx::Result<Vec<Parked>> {
        sqlx::query_as(include_str!("database/parked.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Tenants halted anywhere.
    pub async fn halts(&self) -> sqlx::Result<Vec<Halt>> {
        sqlx::query_as(include_str!("database/halts.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Timers that the clock has passed and that have not fired yet.
    pub async fn due_timers(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar(include_str!("database/due_timers.sql"))
            .fetch_one(&self.pool)
            .await
    }

    /// Re-evaluations under way: tenants and the version they are evaluated with.
    pub async fn reevaluations(&self) -> sqlx::Result<Vec<(String, i64)>> {
        sqlx::query_as(include_str!("database/reevaluations.sql"))
            .fetch_all(&self.pool)
            .await
    }
}

/// The role may do less than it must, or the tables are not there.
fn not_readable(role: &str, error: sqlx::Error) -> anyhow::Error {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let what = if code.as_deref() == Some("42501") {
        format!("the role {role} may not read the generations (see database.processor_role)")
    } else {
        "cannot read the generations: has `tidemark migrate` been run?".to_owned()
    };
    anyhow::Error::new(error).context(what)
}

fn unreachable(options: &PgConnectOptions, role: &str, error: &sqlx::Error) -> anyhow::Error {
    let place = host_and_port(options);
    let advice = advice(&error.to_string());
    match error {
        sqlx::Error::Database(refused) if refused.code().as_deref() == Some("42501") => anyhow!(
            "Postgres at {place} refused: {refused} (`grant {role} to` the login in \
             database.url, or see database.processor_role)"
        ),
        sqlx::Error::Database(refused) if refused.code().as_deref() == Some("22023") => anyhow!(
            "Postgres at {place} refused: {refused} (run `tidemark migrate`, or see \
             database.processor_role)"
        ),
        sqlx::Error::Database(refused) => anyhow!("Postgres at {place} refused: {refused}{advice}"),
        sqlx::Error::PoolTimedOut => {
            anyhow!("Postgres at {place} did not answer within {CONNECT_TIMEOUT:?}")
        }
        other => anyhow!("Postgres at {place} is unreachable: {other}{advice}"),
    }
}

/// Which setting an error speaks of, in brackets; nothing where none is to blame.
pub(crate) fn advice(error: &str) -> String {
    /// The first that fits.
    const SETTINGS: [(&str, &str); 7] = [
        ("UnknownIssuer", "sslrootcert in database.url"),
        (
            "not valid for name",
            "the host in database.url, which the server's certificate does not name",
        ),
        (
            "certificate authentication",
            "sslcert and sslkey in database.url",
        ),
        (
            "valid client certificate",
            "sslcert and sslkey in database.url",
        ),
        (
            "password authentication failed",
            "the user in database.url, and database.password or its file",
        ),
        (
            "pg_hba.conf",
            "sslmode and the user in database.url, or the server's pg_hba.conf",
        ),
        ("does not support TLS", "sslmode in database.url"),
    ];
    SETTINGS
        .iter()
        .find(|(words, _)| error.contains(words))
        .map_or_else(String::new, |(_, setting)| format!(" (see {setting})"))
}

//! The queries of the command line itself: progress of folding, customers, definitions. It never writes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, FromRow};
use tidemark_processor::store::{self, StoreError};
use tidemark_schemas::Instant;

use crate::config;
use crate::failure::Usage;

mod customers;
mod offboarding;

pub(crate) use customers::Current;
pub use offboarding::Offboarding;

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the URL with the password that is configured beside it.
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

/// Returns host and port of Postgres, without secrets.
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

/// The projections of the active generation, read as the processor's role.
#[derive(Debug, Clone)]
pub struct Projections {
    pool: PgPool,
    id: i32,
    partition_count: i32,
}

/// The progress of one partition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, FromRow)]
pub struct PartitionProgress {
    /// The partition.
    pub partition: i32,
    /// The first offset that is not folded.
    pub next_offset: i64,
    /// The last stable offset, when its owner last saw it.
    #[serde(skip)]
    pub(crate) log_end: Option<i64>,
    /// When its owner last saw it, in microseconds.
    #[serde(skip)]
    pub(crate) log_end_at: Option<i64>,
    /// The clock, in microseconds.
    #[serde(skip)]
    pub(crate) clock: Option<i64>,
    /// The instant by which every timer due has fired, in microseconds.
    #[serde(skip)]
    pub(crate) fired_to: Option<i64>,
    /// The version of the definitions in force; -1 before the first.
    pub definitions: i64,
    /// The processor that claimed the partition last.
    pub owner: Option<String>,
    /// The last sign of life of an owner, in microseconds.
    #[serde(skip)]
    pub(crate) seen_at: Option<i64>,
    /// The seconds since that.
    pub silent_seconds: Option<f64>,
}

impl PartitionProgress {
    /// Returns the clock; `None` before the first record.
    pub fn clock(&self) -> Option<Instant> {
        reached(self.clock)
    }

    /// Returns the instant by which every timer due has fired; `None` before the first record.
    pub fn timers_fired_to(&self) -> Option<Instant> {
        reached(self.fired_to)
    }

    /// Returns the end of the log as its owner last saw it, and when.
    pub fn stored_end(&self) -> Option<(i64, Instant)> {
        let at = self.log_end_at.and_then(Instant::from_micros);
        self.log_end.zip(at)
    }
}

/// Converts an instant that the partition has reached.
fn reached(micros: Option<i64>) -> Option<Instant> {
    let instant = micros.and_then(Instant::from_micros);
    instant.filter(|instant| *instant > Instant::MIN)
}

/// The customers and events of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct TenantProgress {
    /// The tenant.
    pub tenant: String,
    /// Its name, if its definitions have one.
    pub name: Option<String>,
    /// The number of customers with state.
    pub customers: i64,
    /// The number of events folded, without duplicates.
    pub events: i64,
}

/// A tenant that is defined, or that events name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct TenantOverview {
    /// The tenant.
    pub tenant: String,
    /// Its name, if its definitions have one.
    pub name: Option<String>,
    /// The version of its newest definitions; `None`: it is not defined.
    pub definitions: Option<i64>,
    /// The number of customers with state.
    pub customers: i64,
    /// The number of events folded, without duplicates.
    pub events: i64,
    /// The latest instant at which an event occurred, in microseconds.
    #[serde(skip)]
    pub last_event: Option<i64>,
    /// The number of parked events.
    pub parked: i64,
    /// The number of events that wait in the log, because their tenant or customer is deferred.
    pub deferred: i64,
    /// The number of partitions in which rows are left to erase, because the tenant is offboarded.
    pub offboarding: i64,
}

/// A customer that takes much to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct LargeCustomer {
    /// The tenant.
    pub tenant: String,
    /// The customer.
    pub customer: String,
    /// The bytes that each commit of the customer writes.
    pub bytes: i64,
}

/// The parked events of a tenant in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct ParkedBytes {
    /// The tenant; `None` for events of which no tenant could be read.
    pub tenant: Option<String>,
    /// The partition.
    pub partition: i32,
    /// The bytes that count towards the quota.
    pub bytes: i64,
}

/// Parked events of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Parked {
    /// The tenant, where it could be read.
    pub tenant: Option<String>,
    /// The reason for parking.
    pub reason: String,
    /// The number of events.
    pub events: i64,
}

impl Projections {
    /// Connects, and finds the active generation.
    pub async fn connect(database: &config::Database) -> anyhow::Result<Self> {
        let role = &database.processor_role;
        let options: PgConnectOptions = url(database)?
            .parse()
            .map_err(|error| Usage::new(format!("database.url: {error}")))?;
        let options = options.options([("role", role)]);
        // A pool only reports a timeout; a first connection reports why it fails.
        let first = tokio::time::timeout(CONNECT_TIMEOUT, options.connect());
        let mut first = match first.await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(unreachable(&options, role, &error)),
            Err(_) => return Err(unreachable(&options, role, &sqlx::Error::PoolTimedOut)),
        };
        let generation =
            store::Generation::active(&mut first)
                .await
                .map_err(|error| match error {
                    StoreError::Refused(error) => not_readable(role, error),
                    other => other.into(),
                })?;
        generation.check_layout()?;
        let id = generation.id;
        first.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(options.options([("search_path", format!("gen_{id}"))]));
        Ok(Self {
            pool,
            id,
            partition_count: generation.partitions,
        })
    }

    /// Returns the number of the generation.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Returns the number of partitions of the topic.
    pub fn partition_count(&self) -> i32 {
        self.partition_count
    }

    /// Returns the progress of every partition of a topic.
    pub async fn partitions(&self, topic: &str) -> sqlx::Result<Vec<PartitionProgress>> {
        sqlx::query_as(include_str!("database/partitions.sql"))
            .bind(topic)
            .bind(self.partition_count)
            .fetch_all(&self.pool)
            .await
    }

    /// Returns the first offset that is not folded, of every partition of a topic.
    pub async fn positions(&self, topic: &str) -> sqlx::Result<BTreeMap<i32, i64>> {
        let partitions = self.partitions(topic).await?;
        Ok(partitions
            .into_iter()
            .map(|found| (found.partition, found.next_offset))
            .collect())
    }

    /// Returns every tenant with customers.
    pub async fn tenants(&self) -> sqlx::Result<Vec<TenantProgress>> {
        sqlx::query_as(include_str!("database/tenants.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Returns the largest customers, if they are large, the largest first.
    pub async fn largest_customers(&self) -> sqlx::Result<Vec<LargeCustomer>> {
        sqlx::query_as(include_str!("database/largest_customers.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Returns every tenant that is defined, has customers, has parked events, is deferred, or is being
    /// offboarded.
    pub async fn tenant_overviews(&self) -> sqlx::Result<Vec<TenantOverview>> {
        sqlx::query_as(include_str!("database/tenant_overviews.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Returns the tenants that are defined, with or without customers.
    pub async fn defined_tenants(&self) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(include_str!("database/defined_tenants.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Returns a page of a tenant's customers after an id, in the order of ids: ids and states.
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

    /// Returns the numbers of parked events by tenant and reason.
    pub async fn parked(&self) -> sqlx::Result<Vec<Parked>> {
        sqlx::query_as(include_str!("database/parked.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Returns the tenants whose parked events take most bytes in one partition, the largest first.
    pub async fn parked_bytes(&self) -> sqlx::Result<Vec<ParkedBytes>> {
        sqlx::query_as(include_str!("database/parked_bytes.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Returns the number of timers that are due and have not fired yet.
    pub async fn due_timers(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar(include_str!("database/due_timers.sql"))
            .fetch_one(&self.pool)
            .await
    }

    /// Returns the re-evaluations in progress: tenants, and the version of the definitions.
    pub async fn reevaluations(&self) -> sqlx::Result<Vec<(String, i64)>> {
        sqlx::query_as(include_str!("database/reevaluations.sql"))
            .fetch_all(&self.pool)
            .await
    }
}

/// Explains a failed query: missing privileges, or missing tables.
fn not_readable(role: &str, error: sqlx::Error) -> anyhow::Error {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let what = if code.as_deref() == Some("42501") {
        format!("the role {role} may not read the generations (see database.processor_role)")
    } else {
        "cannot read the generations: run `tidemark migrate` if it has not been run".to_owned()
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

/// Returns the setting that an error is about, in brackets, or an empty text.
pub(crate) fn advice(error: &str) -> String {
    /// The settings by words of an error; the first match counts.
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

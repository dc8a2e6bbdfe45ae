//! Postgres: the only place where SQL is spoken.
//!
//! [`Store`] owns the writer connections. Every write of a partition goes through
//! [`Store::commit`], whose first statement is the fence; nothing else writes a generation's
//! tables. Statements live one a file in `store/`.
//!
//! Needs sessions of its own (`search_path` and role are set once per connection): a pooler in
//! front of Postgres must pool sessions, not transactions.

mod bundles;
mod claim;
mod commit;
pub(crate) mod connections;
pub(crate) mod error;
mod kept;
mod load;
mod parking;
mod rows;

use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgConnection;
use tidemark_projections::state::FOLD_VERSION;
use tidemark_schemas::{CustomerKey, Instant, TenantId};

use self::connections::Connections;
pub use self::error::StoreError;
use self::error::sql_state;
pub use self::kept::KeptBatches;
pub(crate) use self::parking::Wish;
pub use self::parking::{
    Action, Halt, OutcomeCount, ParkedCount, ParkedEvent, ParkedFilter, Request,
};
pub use self::rows::{
    Batch, BundleRow, ChangeSet, Claim, Committed, CustomerRow, HaltRow, Outcome, ParkedRow,
    Reevaluation, SettledRequest, TenantDigest, TrackedRow,
};

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `postgres://…`; the password may be left out where the server asks for none. Options of the
    /// URL are honoured: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `host` for a socket's
    /// directory, and `options` for settings such as `-c lock_timeout=2s`.
    pub url: String,
    /// Role to take on after connecting (`set role`); `None` keeps the login role.
    pub role: Option<String>,
    /// Writer connections: how many commits may be under way at once.
    pub writers: u32,
    /// Whether folding waits for the disk at COMMIT. Off by default: a crash of Postgres then
    /// rewinds offset and state together, and the log is read again from there.
    pub synchronous_commit: bool,
}

/// A generation of projections: one schema of tables, folded from one log by one fold version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its tables are in schema `gen_<id>`.
    pub id: i32,
    /// Of the binaries that may write it.
    pub fold_version: i32,
    /// The log.
    pub topic: String,
    /// Of the log.
    pub partitions: i32,
    /// Of the log, by name.
    pub partitioner: String,
}

impl Generation {
    /// The schema of its tables.
    pub fn schema(&self) -> String {
        format!("gen_{}", self.id)
    }

    /// The active one, if there is one; [`StoreError::NoGeneration`] before migrations too.
    pub(crate) async fn active(connection: &mut PgConnection) -> Result<Option<Self>, StoreError> {
        let found = sqlx::query(include_str!("store/active_generation.sql"))
            .fetch_optional(connection)
            .await;
        let row = match found {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(None),
            Err(error) if sql_state(&error).as_deref() == Some("42P01") => {
                return Err(StoreError::NoGeneration);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Self {
            id: row.try_get("id")?,
            fold_version: row.try_get("fold_version")?,
            topic: row.try_get("topic")?,
            partitions: row.try_get("partitions")?,
            partitioner: row.try_get("partitioner")?,
        }))
    }

    /// An error unless this binary's fold made it.
    pub(crate) const fn check_fold_version(&self) -> Result<(), StoreError> {
        if self.fold_version == FOLD_VERSION {
            return Ok(());
        }
        Err(StoreError::FoldVersion {
            generation: self.id,
            found: self.fold_version,
            ours: FOLD_VERSION,
        })
    }
}

/// The tables of one generation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    connections: Arc<Connections>,
    generation: Arc<Generation>,
    synchronous_commit: bool,
}

impl Store {
    /// Connects, checks that the generation exists, is active and has this fold version.
    pub async fn connect(config: &StoreConfig) -> Result<Self, StoreError> {
        let role = config.role.as_deref();
        let options = connections::parse_url(&config.url)?;
        let first = connections::writer_options(options.clone(), role, "tidemark");
        let mut connection = match connections::connect(&first).await {
            Err(StoreError::Refused(error)) => return Err(explain_role(error, role)),
            other => other?,
        };
        let generation = Generation::active(&mut connection)
            .await?
            .ok_or(StoreError::NoGeneration)?;
        generation.check_fold_version()?;
        let options = connections::writer_options(options, role, &generation.schema());
        Ok(Self {
            connections: Arc::new(Connections::new(options, config.writers)),
            generation: Arc::new(generation),
            synchronous_commit: config.synchronous_commit,
        })
    }

    /// Connections made from now on use this password; while none is let in, work waits.
    pub fn set_password(&self, password: &str) {
        self.connections.set_password(password);
    }

    /// The generation found active when connecting.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Takes the partition: epoch + 1, with synchronous commit, waiting for a commit under way.
    /// Makes the progress row (clock [`Instant::MIN`]) where there is none. A holder that does not
    /// come to an end within `lock_timeout` is disconnected.
    pub async fn claim(
        &self,
        topic: &str,
        partition: i32,
        owner: &str,
    ) -> Result<Claim, StoreError> {
        claim::claim(&self.connections, topic, partition, owner).await
    }

    /// Writes a batch in one transaction, the fence first. May be called again with the same batch
    /// after [`StoreError::Unavailable`]: what had landed is recognised and not written twice.
    ///
    /// A lost connection is tried again once on a new one before it becomes an error.
    pub async fn commit(&self, topic: &str, batch: &Batch) -> Result<Committed, StoreError> {
        commit::commit(&self.connections, self.synchronous_commit, topic, batch).await
    }

    /// The customers of these keys that exist.
    pub async fn load_customers(
        &self,
        keys: &[CustomerKey],
    ) -> Result<Vec<CustomerRow>, StoreError> {
        load::customers(&self.connections, keys).await
    }

    /// A tenant's customers of one partition, in id order after `after`.
    pub async fn load_tenant_customers(
        &self,
        partition: i32,
        tenant: &TenantId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<CustomerRow>, StoreError> {
        load::tenant_customers(&self.connections, partition, tenant, after, limit).await
    }

    /// Timers of one partition in order of (due, tenant, customer), strictly after `after`.
    pub async fn load_timers(
        &self,
        partition: i32,
        after: Option<&(Instant, CustomerKey)>,
        limit: i64,
    ) -> Result<Vec<(Instant, CustomerKey)>, StoreError> {
        load::timers(&self.connections, partition, after, limit).await
    }

    /// Parked events of one partition, reason and tenant, in offset order after `after`.
    pub async fn load_parked(
        &self,
        topic: &str,
        partition: i32,
        reason: &str,
        tenant: &TenantId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let which = load::ParkedOf {
            topic,
            partition,
            reason,
            tenant,
        };
        load::parked(&self.connections, &which, after, limit).await
    }

    /// The tenants of whom events are parked in a partition for a reason.
    pub async fn load_parked_tenants(
        &self,
        topic: &str,
        partition: i32,
        reason: &str,
    ) -> Result<Vec<TenantId>, StoreError> {
        load::parked_tenants(&self.connections, topic, partition, reason).await
    }

    /// Records of the definitions topic kept in the database, after a version.
    pub async fn load_bundles(&self, after: i64) -> Result<Vec<BundleRow>, StoreError> {
        bundles::load(&self.connections, after).await
    }

    /// Keeps a record of the definitions topic, with synchronous commit; again is harmless.
    /// `tenants` are the tenants it defines, with the JSON of each, empty when rejected.
    ///
    /// [`StoreError::Damaged`] when another record was kept under this version before: the
    /// definitions topic was made anew under our feet.
    pub async fn record_bundle(
        &self,
        bundle: &BundleRow,
        tenants: &[(TenantId, String)],
    ) -> Result<(), StoreError> {
        bundles::record(&self.connections, bundle, tenants).await
    }
}

/// A role that is not there, or that the login may not take on, fails at the start of a session.
fn explain_role(error: sqlx::Error, role: Option<&str>) -> StoreError {
    match (sql_state(&error).as_deref(), role) {
        (Some("22023"), Some(role)) => StoreError::Setup(format!(
            "there is no role {role}: run `tidemark migrate` first"
        )),
        (Some("42501"), Some(role)) => StoreError::Setup(format!(
            "the login may not take on the role {role}: `grant {role} to` it"
        )),
        _ => StoreError::Refused(error),
    }
}

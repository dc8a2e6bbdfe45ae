//! The tables of one generation in Postgres: claims, the fence, batches and what a partition loads.
//!
//! [`Database`] is the schema that all generations share; it says which of them is active.
//! [`Store::open`] opens the tables of the generation that it is given. Every write of a partition
//! goes through [`Store::commit`], whose first statement is the fence; heartbeats are written beside
//! it, operators write their commands through [`OperatorStore`], and nothing else writes a
//! generation's tables. Each
//! statement is a file in `store/`.
//!
//! The search path and the role are set once per connection: a pooler in front of Postgres must pool
//! sessions, not transactions.

pub mod batch;
mod claim;
mod commit;
pub(crate) mod connections;
mod database;
mod decode;
mod definitions;
pub(crate) mod error;
mod generation;
mod heartbeat;
mod identity;
mod kept;
mod load;
mod operators;

use std::sync::Arc;

use tidemark_schemas::{CustomerKey, Instant, TenantId};

pub(crate) use self::batch::parked_bytes;
pub use self::batch::{
    Batch, ChangeSet, CustomerRow, DeferralReason, DeferralRow, LargeRow, Outcome, ParkedBytesRow,
    ParkedRow, Reevaluation, Rows, Scope, SettledRequest, TenantDigest, TrackedRow, Unerased,
};
pub use self::claim::Claim;
pub use self::commit::Committed;
use self::connections::Connections;
pub use self::database::Database;
pub use self::definitions::{BundleEffect, BundleRow, KeptDefinitions};
pub use self::error::{RefusedRows, StoreError};
pub use self::generation::Generation;
pub use self::heartbeat::{Heartbeat, Owner};
pub use self::identity::{LastRecord, LogIdentity};
pub use self::kept::KeptBatches;
pub(crate) use self::load::{ActivationRow, OperatorCommand, TenantPage};
pub use self::operators::{
    Action, DeferredScope, OperatorStore, OutcomeCount, ParkedCount, ParkedEvent, ParkedFilter,
    ParkedGroup, Request,
};
use crate::parking::Reason;

/// The connection to Postgres.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `postgres://…`; the password may be left out where the server asks for none. Options of the
    /// URL are honoured: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `host` for a socket's
    /// directory, and `options` for settings such as `-c lock_timeout=2s`.
    pub url: String,
    /// Role to take on after connecting (`set role`); `None` keeps the login role.
    pub role: Option<String>,
    /// The number of writer connections, and so of concurrent commits.
    pub writers: u32,
    /// Makes folding wait for the disk at COMMIT. Off by default: a crash of Postgres then rewinds
    /// offset and state together, and the log is read again from there.
    pub synchronous_commit: bool,
}

/// The tables of one generation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    connections: Arc<Connections>,
    generation: Arc<Generation>,
}

impl Store {
    /// Opens a generation, active or not. Refuses one that another fold version or another layout
    /// of the tables made. Connects when the first connection is needed.
    pub fn open(database: &Database, generation: Generation) -> Result<Self, StoreError> {
        generation.check_versions()?;
        Ok(Self {
            database: database.clone(),
            connections: database.connections_to(&generation),
            generation: Arc::new(generation),
        })
    }

    /// Returns the generation of these tables.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Returns the database that the generation is part of.
    pub fn database(&self) -> &Database {
        &self.database
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
    /// after [`StoreError::Unavailable`]: a batch that has landed is recognised and not written twice.
    ///
    /// A lost connection is retried once on a new one before it becomes an error.
    pub async fn commit(&self, topic: &str, batch: &Batch) -> Result<Committed, StoreError> {
        commit::commit(
            &self.connections,
            self.database.config().synchronous_commit,
            topic,
            batch,
        )
        .await
    }

    /// Writes the heartbeats of partitions, fenced by the epochs of their claims. Moves no position and
    /// counts no commit.
    pub async fn write_heartbeats(
        &self,
        topic: &str,
        owner: &Owner,
        heartbeats: &[Heartbeat],
    ) -> Result<(), StoreError> {
        heartbeat::write(&self.connections, topic, owner, heartbeats).await
    }

    /// Returns the owner that wrote a heartbeat of a partition within the last ten seconds.
    pub(crate) async fn last_owner(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Option<Owner>, StoreError> {
        heartbeat::last_owner(&self.connections, topic, partition).await
    }

    /// Returns whether the clock of any partition has followed the wall clock.
    pub(crate) async fn has_followed_wall_clock(&self) -> Result<bool, StoreError> {
        load::has_followed_wall_clock(&self.connections).await
    }

    /// Loads the customers of these keys that exist.
    pub async fn load_customers(
        &self,
        keys: &[CustomerKey],
    ) -> Result<Vec<CustomerRow>, StoreError> {
        load::customers(&self.connections, keys).await
    }

    /// Loads a tenant's customers of one partition, in id order after `after`.
    pub async fn load_tenant_customers(
        &self,
        partition: i32,
        tenant: &TenantId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<CustomerRow>, StoreError> {
        let page = TenantPage {
            partition,
            tenant,
            after,
            limit,
        };
        load::tenant_customers(&self.connections, &page).await
    }

    /// Loads the keys of the customers of a page.
    pub(crate) async fn load_tenant_customer_keys(
        &self,
        page: &TenantPage<'_>,
    ) -> Result<Vec<CustomerKey>, StoreError> {
        load::tenant_customer_keys(&self.connections, page).await
    }

    /// Loads timers of one partition in order of (due, tenant, customer), strictly after `after`.
    pub async fn load_timers(
        &self,
        partition: i32,
        after: Option<&(Instant, CustomerKey)>,
        limit: i64,
    ) -> Result<Vec<(Instant, CustomerKey)>, StoreError> {
        load::timers(&self.connections, partition, after, limit).await
    }

    /// Loads parked events of one partition, reason and tenant, in offset order after `after`.
    pub async fn load_parked(
        &self,
        topic: &str,
        partition: i32,
        reason: Reason,
        tenant: &TenantId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ParkedRow>, StoreError> {
        let which = load::ParkedSelection {
            topic,
            partition,
            reason,
            tenant,
        };
        load::parked(&self.connections, &which, after, limit).await
    }

    /// Returns the tenants with events parked in a partition for a reason.
    pub async fn load_parked_tenants(
        &self,
        topic: &str,
        partition: i32,
        reason: Reason,
    ) -> Result<Vec<TenantId>, StoreError> {
        load::parked_tenants(&self.connections, topic, partition, reason).await
    }

    /// Loads what operators command for the parked events of a partition after an offset, in the order
    /// of the log: at most so many events, and none after so many bytes.
    pub(crate) async fn load_commands(
        &self,
        topic: &str,
        partition: i32,
        after: i64,
        most: [i64; 2],
    ) -> Result<Vec<OperatorCommand>, StoreError> {
        load::commands(&self.connections, topic, partition, after, most).await
    }

    /// Loads the activations of definitions, by partition and version.
    pub(crate) async fn load_activations(&self) -> Result<Vec<ActivationRow>, StoreError> {
        load::activations(&self.connections).await
    }

    /// Returns the first kind of rows that are left to erase of a tenant, if any; `None` before that has
    /// begun.
    pub(crate) async fn unerased(
        &self,
        partition: i32,
        tenant: &TenantId,
    ) -> Result<Option<Option<Unerased>>, StoreError> {
        load::unerased(&self.connections, partition, tenant).await
    }

    /// Loads the deferred scopes of a partition that operators resume.
    pub(crate) async fn load_resumed(&self, partition: i32) -> Result<Vec<Scope>, StoreError> {
        load::resumed(&self.connections, partition).await
    }

    /// Loads the clocks kept at records of a partition from one offset to before another.
    pub(crate) async fn load_clock_marks(
        &self,
        partition: i32,
        from: i64,
        to: i64,
    ) -> Result<Vec<(i64, Instant)>, StoreError> {
        load::clock_marks(&self.connections, partition, from, to).await
    }
}

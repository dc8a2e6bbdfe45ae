//! Postgres: the only place where SQL is spoken.
//!
//! [`Store`] owns the writer connections. Every write of a partition goes through
//! [`Store::commit`], whose first statement is the fence; nothing else writes a generation's
//! tables. Statements live one a file in `store/`.

use std::sync::Arc;

use tidemark_projections::digest::Digest;
use tidemark_projections::standing::Change;
use tidemark_schemas::{CustomerKey, Instant, TenantId};

/// What can go wrong between us and Postgres.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Away, restarting, or out of resources: waiting helps. Never parks an event.
    #[error("Postgres is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A bug or a foreign hand: waiting does not help.
    #[error("Postgres refused: {0}")]
    Refused(#[source] sqlx::Error),
    /// The stored bytes are not what this version writes.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
}

/// What a claim of a partition found. Load nothing of the partition before this.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The fence's epoch, ours until somebody else claims.
    pub epoch: i64,
    /// Commits since the partition began: every batch adds one.
    pub commits: i64,
    /// First offset not folded.
    pub next_offset: i64,
    /// The partition's clock.
    pub clock: Instant,
    /// Last sequence given to a change.
    pub change_seq: i64,
    /// Version of the definitions in force; -1 before the first.
    pub definitions: i64,
    /// Per tenant: customers, events folded, digest.
    pub digests: Vec<(TenantId, TenantDigest)>,
    /// Re-evaluations not finished.
    pub reevaluations: Vec<Reevaluation>,
}

/// Count and digest of one tenant's customers in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantDigest {
    /// Customers with state.
    pub customers: i64,
    /// Events folded, duplicates not counted.
    pub events: i64,
    /// Sum of state hashes.
    pub digest: Digest,
}

/// Progress of re-evaluating a tenant's customers under new definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reevaluation {
    /// Whose.
    pub tenant: TenantId,
    /// Version of the tenant's definitions to evaluate with.
    pub version: i64,
    /// Last customer done; `None` before the first.
    pub cursor: Option<String>,
    /// How many are done.
    pub evaluated: i64,
    /// Nothing left.
    pub done: bool,
}

/// One customer as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRow {
    /// Whose state.
    pub key: CustomerKey,
    /// Canonical core state.
    pub state: Vec<u8>,
    /// Encoded standing.
    pub standing: Vec<u8>,
    /// The standing's.
    pub evaluated_at: Instant,
    /// The standing's.
    pub definition_version: i64,
    /// Of the state.
    pub first_seen_at: Instant,
    /// Of the state.
    pub last_seen_at: Instant,
    /// 0 low, 1 medium, 2 high.
    pub band: Option<i16>,
}

/// A change with its place.
#[derive(Debug, Clone)]
pub struct ChangeRow {
    /// Contiguous per partition, from 1.
    pub seq: i64,
    /// Whose output.
    pub key: CustomerKey,
    /// What changed.
    pub change: Change,
}

/// An event that could not be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// Position on the topic.
    pub offset: i64,
    /// Where it could be read.
    pub tenant: Option<TenantId>,
    /// Where it could be read.
    pub customer: Option<String>,
    /// `undecodable`, `unknown_schema`, `incompatible`, `invalid`, `late`, `misrouted`,
    /// `unknown_tenant` or `panic`.
    pub reason: &'static str,
    /// For people.
    pub detail: String,
    /// For `invalid`: which field.
    pub field: Option<String>,
    /// As it came.
    pub key: Option<Vec<u8>>,
    /// As it came.
    pub value: Option<Vec<u8>>,
    /// As they came.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The broker's timestamp.
    pub appended_at: Instant,
}

/// Everything one commit writes. Rows are unique per key; the store sorts them.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Of the topic.
    pub partition: i32,
    /// The claim's.
    pub epoch: i64,
    /// The fence's expected count of commits; this batch makes it one more. That is how a lost
    /// answer to COMMIT is resolved, even for a batch that moves no offset.
    pub old_commits: i64,
    /// The fence's expected position.
    pub old_next_offset: i64,
    /// The position after this batch (may equal the old one: timers, re-evaluation).
    pub new_next_offset: i64,
    /// The clock after this batch, in microseconds.
    pub clock: i64,
    /// Last stable offset, when last seen.
    pub log_end: i64,
    /// Last sequence given to a change after this batch.
    pub change_seq: i64,
    /// Version of the definitions in force after this batch.
    pub definitions: i64,
    /// Last state of each customer touched.
    pub customers: Vec<CustomerRow>,
    /// Memberships entered or computed anew: customer, segment, since, version.
    pub memberships: Vec<(CustomerKey, Arc<str>, Instant, i64)>,
    /// Memberships left.
    pub memberships_left: Vec<(CustomerKey, Arc<str>)>,
    /// Stage by journey: customer, journey, stage, since.
    pub positions: Vec<(CustomerKey, Arc<str>, Arc<str>, Instant)>,
    /// Journeys a customer no longer stands in.
    pub positions_left: Vec<(CustomerKey, Arc<str>)>,
    /// Due times to write.
    pub timers: Vec<(CustomerKey, Instant)>,
    /// Customers with nothing due any more.
    pub timers_cleared: Vec<CustomerKey>,
    /// In sequence.
    pub changes: Vec<ChangeRow>,
    /// Newly parked.
    pub parked: Vec<ParkedRow>,
    /// Parked before, folded now: their offsets.
    pub unparked: Vec<i64>,
    /// Tenants whose counts changed, with their counts after this batch.
    pub digests: Vec<(TenantId, TenantDigest)>,
    /// Deltas: tenant, kind, name, delta (see the `counter` table).
    pub counters: Vec<(TenantId, &'static str, String, i64)>,
    /// Set when this batch ends at an offset divisible by 50,000: every tenant's counts there.
    pub checkpoint: Option<Vec<(TenantId, TenantDigest)>>,
    /// Set when new definitions come into force with this batch: (version, clock).
    pub activation: Option<(i64, Instant)>,
    /// Re-evaluations begun, advanced or finished.
    pub reevaluations: Vec<Reevaluation>,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is in.
    Yes,
    /// Somebody else owns the partition, or the database went back in time: nothing was written.
    Fenced,
}

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `postgres://…`; the password may be left out where the server asks for none.
    pub url: String,
    /// Role to take on after connecting (`set role`); `None` keeps the login role.
    pub role: Option<String>,
    /// Writer connections: how many commits may be under way at once.
    pub writers: u32,
    /// Whether folding waits for the disk at COMMIT. Off by default: a crash of Postgres then
    /// rewinds offset and state together, and the log is read again from there.
    pub synchronous_commit: bool,
}

/// The tables of one generation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// Connects, checks that the generation exists, is active and has this fold version.
    pub async fn connect(config: &StoreConfig) -> Result<Self, StoreError> {
        let _ = config;
        todo!()
    }

    /// Takes the partition: epoch + 1, with synchronous commit, waiting for a commit under way.
    /// Makes the progress row (clock [`Instant::MIN`]) where there is none.
    pub async fn claim(
        &self,
        topic: &str,
        partition: i32,
        owner: &str,
    ) -> Result<Claim, StoreError> {
        let _ = (topic, partition, owner);
        todo!()
    }

    /// Writes a batch in one transaction, the fence first. May be called again with the same batch
    /// after [`StoreError::Unavailable`]: what had landed is recognised and not written twice.
    pub async fn commit(&self, topic: &str, batch: &Batch) -> Result<Committed, StoreError> {
        let _ = (topic, batch);
        todo!()
    }

    /// The customers of these keys that exist.
    pub async fn load_customers(
        &self,
        keys: &[CustomerKey],
    ) -> Result<Vec<CustomerRow>, StoreError> {
        let _ = keys;
        todo!()
    }

    /// A tenant's customers of one partition, in id order after `after`.
    pub async fn load_tenant_customers(
        &self,
        partition: i32,
        tenant: &TenantId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<CustomerRow>, StoreError> {
        let _ = (partition, tenant, after, limit);
        todo!()
    }

    /// Timers of one partition in order of (due, tenant, customer), strictly after `after`.
    pub async fn load_timers(
        &self,
        partition: i32,
        after: Option<&(Instant, CustomerKey)>,
        limit: i64,
    ) -> Result<Vec<(Instant, CustomerKey)>, StoreError> {
        let _ = (partition, after, limit);
        todo!()
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
        let _ = (topic, partition, reason, tenant, after, limit);
        todo!()
    }

    /// Records of the definitions topic kept in the database, after a version.
    pub async fn load_bundles(&self, after: i64) -> Result<Vec<BundleRow>, StoreError> {
        let _ = after;
        todo!()
    }

    /// Keeps a record of the definitions topic, with synchronous commit; again is harmless.
    /// `tenants` are the tenants it defines, with the JSON of each, empty when rejected.
    pub async fn record_bundle(
        &self,
        bundle: &BundleRow,
        tenants: &[(TenantId, String)],
    ) -> Result<(), StoreError> {
        let _ = (bundle, tenants);
        todo!()
    }
}

/// A record of the definitions topic as kept in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRow {
    /// Offset on the definitions topic.
    pub version: i64,
    /// Its append time.
    pub appended_at: Instant,
    /// The record's bytes as text.
    pub bundle: String,
    /// Why it was not applied.
    pub rejected: Option<String>,
}

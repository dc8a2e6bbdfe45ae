//! What goes into the tables and comes out of them, as plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::counter::CounterKind;
use tidemark_projections::digest::Digest;
use tidemark_projections::evaluated::Change;
use tidemark_projections::rollups::Rollups;
use tidemark_projections::state::LeafId;
use tidemark_schemas::{CustomerKey, Instant, TenantId};
use uuid::Uuid;

use crate::parking::Reason;

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
    /// What is tracked, and from when on.
    pub tracked: Vec<TrackedRow>,
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
    /// The partition's clock when the definitions came into force here.
    pub activated_at: Instant,
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
    /// Tracked counters; empty without any.
    pub tracked: Vec<u8>,
    /// Encoded evaluated state.
    pub evaluated: Vec<u8>,
    /// The evaluated state's.
    pub evaluated_at: Instant,
    /// The evaluated state's.
    pub definition_version: i64,
    /// Of the state.
    pub first_seen_at: Instant,
    /// Of the state.
    pub last_seen_at: Instant,
    /// 0 low, 1 medium, 2 high.
    pub band: Option<i16>,
    /// Of a year, on the day of the last purchase, in minor units.
    pub value_minor: Option<i64>,
}

/// From when on a tracked leaf is exact in the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedRow {
    /// Whose.
    pub tenant: TenantId,
    /// The condition.
    pub leaf: LeafId,
    /// `None`: no longer asked for.
    pub exact_from: Option<Instant>,
}

/// What one commit changes of one customer.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// Contiguous per partition, from 1.
    pub seq: i64,
    /// Whose outputs.
    pub key: CustomerKey,
    /// The definitions all of them were computed with.
    pub definition_version: i64,
    /// What changed, in order; never empty.
    pub changes: Vec<Change>,
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
    /// Why it is parked.
    pub reason: Reason,
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
    /// Last sequence given to a change set after this batch.
    pub change_seq: i64,
    /// Version of the definitions in force after this batch.
    pub definitions: i64,
    /// Last state of each customer touched.
    pub customers: Vec<CustomerRow>,
    /// Memberships entered: customer, segment, since.
    pub memberships: Vec<(CustomerKey, Arc<str>, Instant)>,
    /// Memberships left.
    pub memberships_left: Vec<(CustomerKey, Arc<str>)>,
    /// Stage by journey: customer, journey, stage, since.
    pub positions: Vec<(CustomerKey, Arc<str>, Arc<str>, Instant)>,
    /// Journeys a customer no longer stands in.
    pub positions_left: Vec<(CustomerKey, Arc<str>)>,
    /// Due times to write.
    pub timers: Vec<(Instant, CustomerKey)>,
    /// Due times that have fired.
    pub timers_fired: Vec<(Instant, CustomerKey)>,
    /// In sequence.
    pub changes: Vec<ChangeSet>,
    /// Newly parked.
    pub parked: Vec<ParkedRow>,
    /// Parked before, folded now: their offsets.
    pub unparked: Vec<i64>,
    /// Tenants whose counts changed, with their counts after this batch.
    pub digests: Vec<(TenantId, TenantDigest)>,
    /// What became of what operators asked.
    pub settled: Vec<SettledRequest>,
    /// Tenants halted with this batch.
    pub halted: Vec<HaltRow>,
    /// Tenants folded again from this batch on.
    pub resumed: Vec<TenantId>,
    /// Deltas: tenant, kind, name, delta (see the `counter` table).
    pub counters: Vec<(TenantId, CounterKind, String, i64)>,
    /// Deltas of each tenant's rollups; none of a tenant without any.
    pub rollups: BTreeMap<TenantId, Rollups>,
    /// Set when this batch ends at an offset divisible by 50,000: every tenant's counts there.
    pub checkpoint: Option<Vec<(TenantId, TenantDigest)>>,
    /// Set when new definitions come into force with this batch: (version, clock).
    pub activation: Option<(i64, Instant)>,
    /// Re-evaluations begun, advanced or finished.
    pub reevaluations: Vec<Reevaluation>,
    /// What is tracked from now on, or no more.
    pub tracked: Vec<TrackedRow>,
}

/// What became of an operator's wish for one parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledRequest {
    /// The command.
    pub request: Uuid,
    /// The event.
    pub offset: i64,
    /// In one word.
    pub outcome: Outcome,
    /// For which it was parked, or still is.
    pub reason: Option<Reason>,
    /// Why it is still parked.
    pub detail: Option<String>,
}

/// What can become of an operator's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Folded at last.
    Folded,
    /// Folded before, from another record.
    Known,
    /// Tried again, and still parked.
    Parked,
    /// Let go.
    Discarded,
    /// Published again to its home.
    Republished,
    /// Not parked any more when its turn came.
    Gone,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Folded,
        Self::Known,
        Self::Parked,
        Self::Discarded,
        Self::Republished,
        Self::Gone,
    ];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folded => "folded",
            Self::Known => "known",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
            Self::Republished => "republished",
            Self::Gone => "gone",
        }
    }
}

/// A tenant halted in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaltRow {
    /// Whose records are parked from here on.
    pub tenant: TenantId,
    /// Of the record that passed the limit.
    pub offset: i64,
    /// How many of the records looked back on were parked.
    pub parked: i32,
    /// How many were looked back on.
    pub records: i32,
}

impl Batch {
    /// About how many bytes of memory it takes while it is written: its rows, the arguments and the
    /// message made of them, and what both grow ahead.
    pub(crate) fn bytes(&self) -> usize {
        const ROW: usize = 160;
        let customers: usize = self
            .customers
            .iter()
            .map(|row| ROW + row.state.len() + row.tracked.len() + row.evaluated.len())
            .sum();
        let parked: usize = self
            .parked
            .iter()
            .map(|row| {
                ROW + row.key.as_ref().map_or(0, Vec::len) + row.value.as_ref().map_or(0, Vec::len)
            })
            .sum();
        let narrow = self.memberships.len()
            + self.memberships_left.len()
            + self.positions.len()
            + self.timers.len()
            + self.timers_fired.len()
            + self
                .rollups
                .values()
                .map(|of| of.iter().len())
                .sum::<usize>();
        let changes: usize = self
            .changes
            .iter()
            .map(|set| ROW + set.changes.len() * size_of::<Change>())
            .sum();
        4 * (customers + parked + changes + narrow * ROW)
    }
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is in.
    Yes,
    /// Somebody else owns the partition, or the database went back in time: nothing was written.
    Fenced,
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

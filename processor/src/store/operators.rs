//! Parked events and deferred scopes as operators see them, and the commands that operators give.
//!
//! Only the owner of a partition moves its parked events, in its own transaction behind the fence.
//! So an operator requests it: [`OperatorStore::request`] records the command, the owner of the
//! partition applies it between two batches and records the outcome in the same transaction, and
//! [`OperatorStore::outcomes`] reads the outcomes.

mod queries;

use tidemark_schemas::{Instant, TenantId};
use uuid::Uuid;

pub use self::queries::OperatorStore;
use super::batch::{DeferralReason, Outcome, ParkedRow, Scope};
use crate::parking::Reason;

/// A filter of parked events; `None` matches all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParkedFilter {
    /// The tenant.
    pub tenant: Option<TenantId>,
    /// The reason.
    pub reason: Option<Reason>,
    /// The field of an invalid event.
    pub field: Option<String>,
    /// The partition.
    pub partition: Option<i32>,
    /// The first offset.
    pub from_offset: Option<i64>,
    /// The last offset.
    pub to_offset: Option<i64>,
    /// Parked at least so many seconds ago.
    pub older_than: Option<f64>,
    /// Parked at most so many seconds ago.
    pub newer_than: Option<f64>,
    /// Exactly these, as (partition, offset); if empty, all.
    pub positions: Vec<(i32, i64)>,
}

/// A parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEvent {
    /// The partition.
    pub partition: i32,
    /// The parked record.
    pub event: ParkedRow,
    /// The time of parking.
    pub parked_at: Instant,
}

/// The number of events of a tenant that are parked for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedCount {
    /// The tenant, if it could be read.
    pub tenant: Option<String>,
    /// The reason.
    pub reason: Reason,
    /// The number of events.
    pub events: i64,
}

/// The parked events of a tenant and a source that were appended on one day and parked for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedGroup {
    /// The tenant, if it could be read.
    pub tenant: Option<String>,
    /// The source, if it could be read.
    pub source: Option<String>,
    /// The reason.
    pub reason: Reason,
    /// The day of the append time in UTC, as `2026-01-31`.
    pub day: String,
    /// The number of events.
    pub events: i64,
    /// The bytes of their keys and values.
    pub bytes: i64,
    /// The first events: partition, offset and detail.
    pub examples: Vec<(i32, i64, String)>,
}

/// An action on parked events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Folds the event again, or forwards it.
    Redrive,
    /// Discards the event.
    Discard,
}

impl Action {
    /// Returns the stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Discard => "discard",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Redrive, Self::Discard]
            .into_iter()
            .find(|action| action.as_str() == name)
    }

    const fn audited_as(self) -> &'static str {
        match self {
            Self::Redrive => "parked.redrive",
            Self::Discard => "parked.discard",
        }
    }
}

/// An operator command for parked events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Identifies the command; several requests may carry the same id.
    pub id: Uuid,
    /// The action.
    pub action: Action,
    /// The operator.
    pub subject: String,
    /// The operator's reason.
    pub note: Option<String>,
}

/// The number of events of a request with the same outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeCount {
    /// `None` while they wait for the owner of their partition.
    pub outcome: Option<Outcome>,
    /// The reason for which they were or are parked.
    pub reason: Option<Reason>,
    /// The detail of one of them.
    pub detail: Option<String>,
    /// The number of events.
    pub events: i64,
}

/// A deferred scope, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredScope {
    /// The scope.
    pub scope: Scope,
    /// The partition.
    pub partition: i32,
    /// The reason.
    pub reason: DeferralReason,
    /// What happened.
    pub detail: String,
    /// The first record that was not folded.
    pub from_offset: i64,
    /// The first record that is not folded yet.
    pub next_offset: i64,
    /// The offsets up to the position of the partition.
    pub behind: i64,
    /// The clock of the scope: its projections are as of then.
    pub clock: Instant,
    /// The number of events passed over.
    pub events: i64,
    /// The beginning of the deferral.
    pub began_at: Instant,
    /// The operator that resumed it, while it catches up.
    pub resume_by: Option<String>,
}

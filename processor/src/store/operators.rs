//! Parked events and halted tenants as operators see them, and the commands that operators give.
//!
//! Only the owner of a partition moves its parked events, in its own transaction behind the fence.
//! So an operator requests it: [`OperatorStore::request`] records the command, the owner of the
//! partition applies it between two batches and records the outcome in the same transaction, and
//! [`OperatorStore::outcomes`] reads the outcomes.

mod queries;

use tidemark_schemas::{Instant, TenantId};
use uuid::Uuid;

pub use self::queries::OperatorStore;
use super::batch::{Outcome, ParkedRow};
use crate::parking::Reason;

/// Which parked events; what is `None` matches all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParkedFilter {
    /// Whose.
    pub tenant: Option<TenantId>,
    /// Why.
    pub reason: Option<Reason>,
    /// Of an invalid event.
    pub field: Option<String>,
    /// Where.
    pub partition: Option<i32>,
    /// At this offset or after it.
    pub from_offset: Option<i64>,
    /// At this offset or before it.
    pub to_offset: Option<i64>,
    /// Parked at least so many seconds ago.
    pub older_than: Option<f64>,
    /// Parked at most so many seconds ago.
    pub newer_than: Option<f64>,
    /// These alone, as (partition, offset); none: all.
    pub positions: Vec<(i32, i64)>,
}

/// A parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEvent {
    /// Where.
    pub partition: i32,
    /// What is kept of it.
    pub event: ParkedRow,
    /// Since when.
    pub parked_at: Instant,
}

/// How many events of a tenant are parked for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedCount {
    /// Where it could be read.
    pub tenant: Option<String>,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub events: i64,
}

/// What an operator wants of parked events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To be folded again.
    Redrive,
    /// To be let go.
    Discard,
    /// To be let go: it was published again to its home.
    Republished,
}

impl Action {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Discard => "discard",
            Self::Republished => "republished",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Redrive, Self::Discard, Self::Republished]
            .into_iter()
            .find(|action| action.as_str() == name)
    }

    const fn audited_as(self) -> &'static str {
        match self {
            Self::Redrive | Self::Republished => "parked.redrive",
            Self::Discard => "parked.discard",
        }
    }
}

/// An operator's wish for parked events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Names the command: several requests may carry the same.
    pub id: Uuid,
    /// What is wanted.
    pub action: Action,
    /// Who asks.
    pub subject: String,
    /// Why.
    pub note: Option<String>,
}

/// How many events of a request ended so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeCount {
    /// `None` while they wait for the owner of their partition.
    pub outcome: Option<Outcome>,
    /// For which they were parked, or still are.
    pub reason: Option<Reason>,
    /// One of them in detail.
    pub detail: Option<String>,
    /// How many.
    pub events: i64,
}

/// A tenant halted in a partition, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// Whose events are parked.
    pub tenant: String,
    /// Where.
    pub partition: i32,
    /// Of the record that passed the limit.
    pub offset: i64,
    /// How many of the records looked back on were parked.
    pub parked: i32,
    /// How many were looked back on.
    pub records: i32,
    /// Since when.
    pub halted_at: Instant,
    /// Who asked for it to go on, if its owner has not seen that yet.
    pub resume_by: Option<String>,
}

//! Core state of one customer: a product of small commutative accumulators.

use jiff::tz::TimeZone;
use tidemark_schemas::{CustomerEvent, Instant};

/// Bumped whenever the meaning or the encoding of core state changes. A processor folds only
/// generations of its own version.
pub const FOLD_VERSION: i32 = 1;

/// What core state depends on beside the events; fixed when the tenant is created.
#[derive(Debug, Clone)]
pub struct FoldRules {
    /// Where the tenant's days begin.
    pub zone: TimeZone,
    /// How far behind a customer's newest event high-volume events are recognised, in microseconds.
    pub dedup_horizon_micros: i64,
}

/// What folding an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// The state holds it now.
    New,
    /// The state held it already: nothing changed.
    Duplicate,
}

/// An event too far behind the customer's newest to be told from a duplicate. Park it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("older than the dedup horizon, which ends at {horizon}")]
pub struct Late {
    /// The earliest instant still accepted.
    pub horizon: Instant,
}

/// Bytes that are not a state of this fold version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a customer state: {0}")]
pub struct StateError(pub String);

/// Everything known of one customer, as a function of the set of its events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerState {}

impl CustomerState {
    /// Folds one event in. On an error the state is as it was.
    pub fn fold(&mut self, event: &CustomerEvent, rules: &FoldRules) -> Result<Folded, Late> {
        let _ = (event, rules);
        todo!()
    }

    /// Unites the states of two ids of one person: commutative, associative, idempotent.
    pub fn merge(&mut self, other: &Self) {
        let _ = other;
        todo!()
    }

    /// The canonical bytes: equal states, equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// The state of canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let _ = bytes;
        todo!()
    }

    /// When the earliest folded event occurred.
    pub fn first_seen_at(&self) -> Option<Instant> {
        todo!()
    }

    /// When the newest folded event occurred.
    pub fn last_seen_at(&self) -> Option<Instant> {
        todo!()
    }

    /// About how many bytes of memory this state holds, for budgets.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}

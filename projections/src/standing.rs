//! What was last known of a customer and since when: the memory between two evaluations.
//!
//! Core state says what is; a [`Standing`] says what Tidemark knew and when (history). Comparing
//! it with fresh outputs yields [`Change`]s.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::{CustomerKey, EventId, Instant};

use crate::definitions::TenantDefinitions;
use crate::models::Band;
use crate::state::{CustomerState, StateError};

/// Membership of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Effective time of the change that entered it.
    pub since: Instant,
    /// Version of the definitions it was last computed with.
    pub version: i64,
}

/// What was last known of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The instant of the last evaluation.
    pub evaluated_at: Instant,
    /// Version of the tenant's definitions it was made with.
    pub definition_version: i64,
    /// Segments it is in.
    pub segments: BTreeMap<Arc<str>, Membership>,
    /// Stage by journey, with when it was entered.
    pub stages: BTreeMap<Arc<str>, (Arc<str>, Instant)>,
    /// Churn band, where scored.
    pub band: Option<Band>,
}

/// What made an output change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An event.
    Event(EventId),
    /// Time alone.
    Timer,
    /// New definitions.
    Definition,
}

/// Which kind of output changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A segment was entered (`to` = the segment's name) or left (`from`).
    Segment,
    /// A journey's stage.
    Stage,
    /// The churn band.
    Band,
}

/// One discrete output changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which kind.
    pub kind: ChangeKind,
    /// Segment or journey; `churn` for a band.
    pub name: Arc<str>,
    /// Before.
    pub from: Option<Arc<str>>,
    /// After.
    pub to: Option<Arc<str>>,
    /// When it took effect.
    pub effective_at: Instant,
    /// Why.
    pub cause: Cause,
    /// Version of the definitions in force.
    pub definition_version: i64,
}

impl Change {
    /// The id of this change, derived from its content alone.
    pub fn id(&self, customer: &CustomerKey) -> u128 {
        let _ = customer;
        todo!()
    }
}

impl Standing {
    /// Of a customer of whom nothing is known yet. `evaluated_at` is [`Instant::MIN`].
    pub fn new(definition_version: i64) -> Self {
        Self {
            evaluated_at: Instant::MIN,
            definition_version,
            segments: BTreeMap::new(),
            stages: BTreeMap::new(),
            band: None,
        }
    }

    /// Steps through every due time up to and including `until`, each change stamped with its own
    /// due time and cause [`Cause::Timer`]; `evaluated_at` becomes the last due time stepped to.
    /// Call with the state as it is before the next event, and with the definitions it stands on.
    pub fn step_to(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        until: Instant,
        changes: &mut Vec<Change>,
    ) {
        let _ = (state, definitions, until, changes);
        todo!()
    }

    /// Evaluates after an event was folded, at max(`occurred_at`, `evaluated_at`).
    pub fn observe(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        event: EventId,
        occurred_at: Instant,
        changes: &mut Vec<Change>,
    ) {
        let _ = (state, definitions, event, occurred_at, changes);
        todo!()
    }

    /// Evaluates under new definitions at max(`at`, `evaluated_at`), changes stamped with the
    /// bundle's append time (`definitions.appended_at`, not after `at`) and cause
    /// [`Cause::Definition`].
    pub fn redefine(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        at: Instant,
        changes: &mut Vec<Change>,
    ) {
        let _ = (state, definitions, at, changes);
        todo!()
    }

    /// When this customer must be stepped next if nothing happens.
    pub fn next_due(
        &self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
    ) -> Option<Instant> {
        crate::outputs::next_change(state, definitions, self.evaluated_at)
    }

    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// From canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let _ = bytes;
        todo!()
    }
}

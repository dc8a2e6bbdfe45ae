//! One customer: core state, tracked counters and evaluated state, and how events, time and
//! definitions move all three together.
//!
//! The processor, the API, the command line and the tests all drive customers through [`Customer`]:
//! the order of the steps inside a fold is written here and nowhere else.

use tidemark_schemas::{CustomerEvent, CustomerId, Instant};

use crate::definitions::TenantDefinitions;
use crate::evaluated::{Change, EvaluatedState};
use crate::rollups::{self, Before, Rollups};
use crate::state::{CustomerState, Folded, Late, StateError, Tracked, size};

mod bound;
mod ledger;
mod tracking;

pub use bound::TooLarge;
use ledger::Moved;
pub use tracking::Tracking;

/// A customer of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Core state, with the tracked counters beside it.
    state: CustomerState,
    evaluated: EvaluatedState,
    size: bound::Size,
}

/// The stored bytes of a customer's three parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded<Bytes = Vec<u8>> {
    /// Core state.
    pub state: Bytes,
    /// Tracked counters; empty where nothing is counted.
    pub tracked: Bytes,
    /// Evaluated state.
    pub evaluated: Bytes,
}

/// A tenant's definitions in force in a partition.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// The definitions.
    pub definitions: &'a TenantDefinitions,
    /// The instants from which their tracked leaves count in the partition.
    pub tracking: &'a Tracking,
}

/// The effects of a step of a customer on its tenant's tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// Changes of discrete outputs, in order.
    pub changes: Vec<Change>,
    /// Amounts to add to rollups, those of the changes included.
    pub rollups: Rollups,
    /// The instant by which the customer must advance next if nothing else happens; `None`: never.
    pub next_due: Option<Instant>,
    /// Whether the stored parts of the customer may differ now.
    pub dirty: bool,
}

/// The result of folding an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Whether the event was new, a duplicate, or refused.
    pub outcome: Result<Folded, Refused>,
    /// The effects of the fold, and of the time that passed before it: a duplicate can have some.
    pub effects: Effects,
}

/// The reason why an event is not folded. Park it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too old to be told from a duplicate.
    #[error(transparent)]
    Late(#[from] Late),
    /// The customer has reached the tenant's bound.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Whether an event that is too old to be told from a duplicate is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lateness {
    Refused,
    Accepted,
}

impl Customer {
    /// Returns a customer without any event, under a version of its tenant's definitions.
    pub fn new(definition_version: i64) -> Self {
        Self {
            state: CustomerState::default(),
            evaluated: EvaluatedState::new(definition_version),
            size: bound::Size::default(),
        }
    }

    /// Reads a customer from its stored parts.
    pub fn decode(id: &CustomerId, stored: Encoded<&[u8]>) -> Result<Self, StateError> {
        let mut state = CustomerState::decode(stored.state)?;
        state.tracked = Tracked::decode(stored.tracked)?;
        state.belongs_to(id);
        let evaluated = EvaluatedState::decode(stored.evaluated)?;
        Ok(Self {
            state,
            evaluated,
            size: bound::Size::default(),
        })
    }

    /// Returns the parts to store.
    pub fn encode(&self) -> Encoded {
        Encoded {
            state: self.state.encode(),
            tracked: self.state.tracked.encode(),
            evaluated: self.evaluated.encode(),
        }
    }

    /// Core state, with the tracked counters.
    pub fn state(&self) -> &CustomerState {
        &self.state
    }

    /// The outputs as last evaluated.
    pub fn evaluated(&self) -> &EvaluatedState {
        &self.evaluated
    }

    /// Splits the customer into core state and evaluated state.
    pub fn into_parts(self) -> (CustomerState, EvaluatedState) {
        (self.state, self.evaluated)
    }

    /// Returns whether no event of the customer was folded.
    pub fn is_empty(&self) -> bool {
        self.state.first_seen_at().is_none()
    }

    /// Returns the instant by which the customer must advance next if nothing else happens: not
    /// after the next instant at which anything of it may change. `None`: never.
    pub fn next_due(&self, definitions: &TenantDefinitions) -> Option<Instant> {
        self.evaluated.next_look(&self.state, definitions)
    }

    /// Returns whether [`Self::redefine`] or [`Self::advance`] to an instant has anything to do.
    pub fn is_behind(&self, definitions: &TenantDefinitions, to: Instant) -> bool {
        !self.is_empty()
            && (self.evaluated.is_behind(definitions)
                || self.next_due(definitions).is_some_and(|due| due <= to))
    }

    /// Steps through every due time up to and including `to`, each change at its own due time.
    /// `definitions` are those of the last evaluation.
    pub fn advance(&mut self, definitions: &TenantDefinitions, to: Instant) -> Effects {
        let mut effects = Effects::default();
        if !self.is_empty() {
            self.step_to(definitions, to, &mut effects);
        }
        self.finish(effects, definitions)
    }

    /// Evaluates the customer under newer definitions, or by a newer evaluation version, which came into
    /// force when the partition's clock stood at `at`. Does nothing if the last evaluation was under
    /// these or later ones.
    ///
    /// Call it for each activation in turn, in order, and [`Self::advance`] afterwards.
    pub fn redefine(&mut self, in_force: InForce<'_>, at: Instant) -> Effects {
        let InForce {
            definitions,
            tracking,
        } = in_force;
        let mut effects = Effects::default();
        if !self.is_empty() && self.evaluated.is_behind(definitions) {
            effects.dirty = true;
            tracking.forget(&mut self.state.tracked);
            self.size.grow(0);
            let (state, evaluated) = (&self.state, &mut self.evaluated);
            evaluated.redefine(state, definitions, at, &mut effects.changes);
            effects.rollups = rollups::redefined(state, &mut evaluated.credit_window, definitions);
        }
        self.finish(effects, definitions)
    }

    /// Folds an event while the partition's clock stands at `clock`, under the definitions of the
    /// last evaluation.
    ///
    /// The customer first advances to the clock, or to the event if that is dated later; then the
    /// event is folded and evaluated; then the customer advances to the clock. Nothing of this happens
    /// where the customer has reached the tenant's bound.
    pub fn fold(&mut self, in_force: InForce<'_>, event: &CustomerEvent, clock: Instant) -> Fold {
        self.fold_with(Lateness::Refused, in_force, event, clock)
    }

    /// Folds an event as [`Self::fold`] does, even if it is late, because an operator accepted it.
    pub fn fold_accepted(
        &mut self,
        in_force: InForce<'_>,
        event: &CustomerEvent,
        clock: Instant,
    ) -> Fold {
        self.fold_with(Lateness::Accepted, in_force, event, clock)
    }

    fn fold_with(
        &mut self,
        lateness: Lateness,
        in_force: InForce<'_>,
        event: &CustomerEvent,
        clock: Instant,
    ) -> Fold {
        let InForce {
            definitions,
            tracking,
        } = in_force;
        let mut effects = Effects::default();
        if let Some(too_large) = self.size.refuses(&self.state, definitions, event) {
            return Fold {
                outcome: Err(too_large.into()),
                effects: self.finish(effects, definitions),
            };
        }
        if !self.is_empty() {
            self.step_to(definitions, clock.max(event.occurred_at), &mut effects);
        }
        let accepted = lateness == Lateness::Accepted;
        let window = self.evaluated.credit_window;
        let before = Before::fold(event, accepted, &self.state, window, definitions);
        let moved = Moved::before(event, &self.state, definitions);
        let outcome = match lateness {
            Lateness::Refused => self.state.fold(event, &definitions.rules),
            Lateness::Accepted => self.state.fold_accepted(event, &definitions.rules),
        };
        if outcome == Ok(Folded::New) {
            effects.dirty = true;
            moved.after(&mut self.state, definitions);
            let leaves = tracking.count(event, definitions, &mut self.state);
            self.size.grow(size::growth(event, leaves));
            let (state, evaluated) = (&self.state, &mut self.evaluated);
            effects.rollups = before.folded(state, &mut evaluated.credit_window, definitions);
            evaluated.observe(state, definitions, event, &mut effects.changes);
            self.step_to(definitions, clock, &mut effects);
        }
        Fold {
            outcome: outcome.map_err(Refused::from),
            effects: self.finish(effects, definitions),
        }
    }

    fn step_to(&mut self, definitions: &TenantDefinitions, to: Instant, effects: &mut Effects) {
        if self.next_due(definitions).is_some_and(|due| due <= to) {
            // Even if nothing was due after all: what is stored says when to look again.
            effects.dirty = true;
            let changes = &mut effects.changes;
            self.evaluated
                .step_to(&self.state, definitions, to, changes);
        }
    }

    /// Adds what follows from a step that is done.
    fn finish(&self, mut effects: Effects, definitions: &TenantDefinitions) -> Effects {
        for change in &effects.changes {
            effects.rollups.change(change, &definitions.rules);
        }
        if !self.is_empty() {
            effects.next_due = self.next_due(definitions);
        }
        effects
    }
}

impl Effects {
    /// Adds the effects of the step after this one.
    pub fn extend(&mut self, next: Self) {
        if self.changes.is_empty() {
            self.changes = next.changes;
        } else {
            self.changes.extend(next.changes);
        }
        self.rollups.extend(next.rollups);
        self.next_due = next.next_due;
        self.dirty |= next.dirty;
    }
}

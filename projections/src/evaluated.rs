//! Evaluated state: the outputs of a customer as last evaluated, and since when.
//!
//! Core state says what is; a [`EvaluatedState`] says what Tidemark knew and when (history). Comparing
//! it with fresh outputs yields [`Change`]s; comparing two evaluated states yields the rows that tell them
//! apart ([`Delta`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::{CustomerEvent, Instant};

use crate::definitions::TenantDefinitions;
use crate::journeys::Path;
use crate::models::Band;
use crate::outputs::{DiscreteScores, Found, History, Scores, evaluate_knowing};
use crate::state::CustomerState;
use log::{Log, Stamp};

mod delta;
mod discrete_scores;
mod encoding;
mod log;
mod offered;
mod positions;

pub use crate::change::{Cause, Change, ChangeKind};
pub use crate::outputs::Offered;
pub use delta::{Delta, Move};

/// The version of the functions from state, definitions and time to outputs. Raise it when the same
/// state is evaluated otherwise than before: every customer is then re-evaluated, as by an activation.
pub const EVALUATION_VERSION: i32 = 2;

/// The outputs of one customer as last evaluated.
#[derive(Debug, Clone)]
pub struct EvaluatedState {
    /// The instant of the last evaluation.
    pub evaluated_at: Instant,
    /// Version of the tenant's definitions it was made with.
    pub definition_version: i64,
    /// The [`EVALUATION_VERSION`] it was made by.
    pub evaluation_version: i32,
    /// Segments it is in, with the effective time of the change that entered them.
    pub segments: BTreeMap<Arc<str>, Instant>,
    /// The paths to the current stages, by journey.
    pub paths: BTreeMap<Arc<str>, Arc<Path>>,
    /// Churn band, where scored.
    pub band: Option<Band>,
    /// The number of days before an order in which campaigns are credited with it in the tenant's
    /// [rollups](crate::rollups); 0 if they are credited with nothing.
    pub credit_window: i32,
    /// Where trained models placed it.
    pub discrete_scores: DiscreteScores,
    /// Offers of the actions that are defined, and how many were accepted.
    pub offered: Offered,
    /// The next due time. It is stored, so that reading a customer takes no evaluation; it is no part of
    /// the outputs and not compared.
    due: Due,
}

/// The next due time of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Nothing was evaluated yet, or with other definitions.
    Unknown,
    /// The result of a full evaluation.
    Exactly(Option<Instant>),
    /// A lower bound: since the last full evaluation only touched outputs were evaluated.
    NotBefore(Option<Instant>),
}

impl PartialEq for EvaluatedState {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            evaluated_at,
            definition_version,
            evaluation_version,
            segments,
            paths,
            band,
            credit_window,
            discrete_scores,
            offered,
            due: _,
        } = self;
        *evaluated_at == other.evaluated_at
            && *definition_version == other.definition_version
            && *evaluation_version == other.evaluation_version
            && *segments == other.segments
            && *paths == other.paths
            && *band == other.band
            && *credit_window == other.credit_window
            && *discrete_scores == other.discrete_scores
            && *offered == other.offered
    }
}

impl Eq for EvaluatedState {}

impl EvaluatedState {
    /// Returns the evaluated state of a new customer; `evaluated_at` is [`Instant::MIN`].
    pub fn new(definition_version: i64) -> Self {
        Self {
            evaluated_at: Instant::MIN,
            definition_version,
            evaluation_version: EVALUATION_VERSION,
            segments: BTreeMap::new(),
            paths: BTreeMap::new(),
            band: None,
            credit_window: 0,
            discrete_scores: DiscreteScores::default(),
            offered: Offered::new(),
            due: Due::Unknown,
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
        // Due times only grow, and are made of the finitely many things the state holds: this ends.
        while let Some(due) = self.due_by(state, definitions, until) {
            let stamp = Stamp {
                effective_at: due,
                cause: Cause::Timer,
            };
            self.become_at(due, state, definitions, stamp, changes);
        }
    }

    /// Evaluates what an event can have touched, after it was folded, at max(`occurred_at`,
    /// `evaluated_at`). Call for each event that is folded, stepped to it before.
    pub fn observe(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        event: &CustomerEvent,
        changes: &mut Vec<Change>,
    ) {
        let at = event.occurred_at.max(self.evaluated_at);
        let stamp = Stamp {
            effective_at: at,
            cause: Cause::Event(event.event_id),
        };
        let next = match self.due {
            _ if !self.is_of(definitions) => None,
            Due::Unknown => None,
            Due::Exactly(next) | Due::NotBefore(next) => Some(next),
        };
        // What is due by now may be due to anything.
        let Some(next) = next.filter(|next| next.is_none_or(|next| next > at)) else {
            self.become_at(at, state, definitions, stamp, changes);
            return;
        };
        let touched = definitions.touched(&event.payload);
        let known = self.history(definitions, at);
        let found = Found::touched(touched, &self.segments, known, state, definitions, at);
        let next = next.into_iter().chain(found.next_change).min();
        self.due = Due::NotBefore(next);
        self.become_found(found, at, state, definitions, stamp, changes);
    }

    /// Returns whether the last evaluation was under these definitions, by this evaluation version.
    fn is_of(&self, definitions: &TenantDefinitions) -> bool {
        self.definition_version == definitions.version
            && self.evaluation_version == EVALUATION_VERSION
    }

    /// Returns whether the last evaluation was under older definitions than these, or under these by an
    /// older evaluation version.
    pub fn is_behind(&self, definitions: &TenantDefinitions) -> bool {
        (self.definition_version, self.evaluation_version)
            < (definitions.version, EVALUATION_VERSION)
    }

    /// Evaluates at max(`at`, `evaluated_at`) under new definitions, changes stamped with the
    /// bundle's append time (`definitions.appended_at`, not after `at`) and cause
    /// [`Cause::Definition`]; or under the same definitions by another evaluation version, changes
    /// stamped with `at` and cause [`Cause::Evaluation`].
    pub fn redefine(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        at: Instant,
        changes: &mut Vec<Change>,
    ) {
        let at = at.max(self.evaluated_at);
        let stamp = if self.definition_version == definitions.version && !self.is_of(definitions) {
            Stamp {
                effective_at: at,
                cause: Cause::Evaluation,
            }
        } else {
            Stamp {
                effective_at: definitions.appended_at,
                cause: Cause::Definition,
            }
        };
        self.become_at(at, state, definitions, stamp, changes);
    }

    /// Returns the instant by which the customer must be evaluated next if nothing else happens, under the
    /// state and definitions of the last evaluation; `None`: never.
    pub fn next_look(
        &self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
    ) -> Option<Instant> {
        match self.due {
            Due::Exactly(next) | Due::NotBefore(next) if self.is_of(definitions) => next,
            Due::Exactly(_) | Due::NotBefore(_) | Due::Unknown => self.next_due(state, definitions),
        }
    }

    /// Returns the next due time: the instant to which [`Self::step_to`] steps next.
    /// It is a function of the evaluated state, the state and the definitions.
    pub fn next_due(
        &self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
    ) -> Option<Instant> {
        match self.due {
            Due::Exactly(next) if self.is_of(definitions) => next,
            Due::Exactly(_) | Due::NotBefore(_) | Due::Unknown => {
                let known = self.history(definitions, self.evaluated_at);
                evaluate_knowing(known, state, definitions, self.evaluated_at).next_change
            }
        }
    }

    /// Returns [`Self::next_due`] if it is not after an instant, and stores it.
    fn due_by(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        until: Instant,
    ) -> Option<Instant> {
        let is_due = |next: &Instant| *next <= until;
        self.next_look(state, definitions).filter(is_due)?;
        let next = self.next_due(state, definitions);
        if self.is_of(definitions) {
            self.due = Due::Exactly(next);
        }
        next.filter(is_due)
    }

    /// Returns the history for the next evaluation; segments that it enters are entered at `entered`.
    pub fn history(&self, definitions: &TenantDefinitions, entered: Instant) -> History {
        History::new(&self.segments, definitions, entered).with_triggers(self.triggers(definitions))
    }

    /// Makes this what is known at an instant, and notes every difference.
    fn become_at(
        &mut self,
        at: Instant,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        stamp: Stamp,
        changes: &mut Vec<Change>,
    ) {
        let known = self.history(definitions, stamp.effective_at);
        let found = Found::all(known, state, definitions, at);
        self.due = Due::Exactly(found.next_change);
        self.become_found(found, at, state, definitions, stamp, changes);
    }

    /// Makes what an evaluation found what is known, and notes every difference.
    fn become_found(
        &mut self,
        found: Found<'_>,
        at: Instant,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        stamp: Stamp,
        changes: &mut Vec<Change>,
    ) {
        let first_new = changes.len();
        let version = definitions.version;
        let mut log = Log {
            stamp,
            definitions,
            changes,
        };
        self.evaluated_at = at;
        self.become_members(&found.members, definitions, &mut log);
        if let Some(stages) = found.stages {
            self.become_positions(&stages, state, definitions, &mut log);
        }
        if let Some(scores) = found.scores {
            self.become_scored(scores, &mut log);
        }
        if let Some(offered) = found.offered {
            self.offered = offered;
        }
        self.definition_version = version;
        self.evaluation_version = EVALUATION_VERSION;
        if let Some(new) = changes.get_mut(first_new..) {
            new.sort_by(|left, right| (left.kind, &left.name).cmp(&(right.kind, &right.name)));
        }
    }

    fn become_members(
        &mut self,
        members: &[(usize, bool)],
        definitions: &TenantDefinitions,
        log: &mut Log<'_>,
    ) {
        for (place, member) in members {
            let Some(segment) = definitions.segments.get(*place) else {
                continue;
            };
            let name = &segment.name;
            if *member == self.segments.contains_key(name) {
                continue;
            }
            if *member {
                let since = log.stamp.effective_at;
                self.segments.insert(Arc::clone(name), since);
                log.note_segment(name, true);
            } else {
                self.segments.remove(name);
                log.note_segment(name, false);
            }
        }
        if self.is_of(definitions) {
            return;
        }
        // Some may no longer be defined.
        self.segments.retain(|name, _| {
            let defined = definitions.segment(name).is_some();
            if !defined {
                log.note_segment(name, false);
            }
            defined
        });
    }

    fn become_scored(&mut self, scores: Scores, log: &mut Log<'_>) {
        if self.band != scores.band {
            let name = |band: Option<Band>| band.map(|band| Arc::from(band.name()));
            let (from, to) = (name(self.band), name(scores.band));
            log.note(ChangeKind::Band, Arc::from("churn"), from, to);
            self.band = scores.band;
        }
        if self.discrete_scores != scores.discrete_scores {
            discrete_scores::note(&self.discrete_scores, &scores.discrete_scores, log);
            self.discrete_scores = scores.discrete_scores;
        }
    }
}

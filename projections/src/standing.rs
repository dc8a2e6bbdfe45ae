//! What was last known of a customer and since when: the memory between two evaluations.
//!
//! Core state says what is; a [`Standing`] says what Tidemark knew and when (history). Comparing
//! it with fresh outputs yields [`Change`]s; comparing two standings yields the rows that tell them
//! apart ([`Delta`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::{EventId, Instant};

use crate::definitions::TenantDefinitions;
use crate::models::Band;
use crate::outputs::{Discrete, History, evaluate_knowing};
use crate::state::CustomerState;

mod change;
mod delta;
mod encoding;

pub use change::{Cause, Change, ChangeKind};
pub use delta::{Delta, Move};

/// Membership of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Effective time of the change that entered it.
    pub since: Instant,
    /// Version of the definitions it was last computed with.
    pub version: i64,
}

/// What was last known of one customer.
#[derive(Debug, Clone)]
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
    /// What the last evaluation found, so that the next need not repeat it. No part of what is
    /// known: neither stored nor compared.
    due: Due,
}

/// When a customer must be stepped next.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// Nothing was evaluated since this standing was read.
    Unknown,
    /// As evaluated with the definitions of this version.
    Known { version: i64, at: Option<Instant> },
}

impl PartialEq for Standing {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            evaluated_at,
            definition_version,
            segments,
            stages,
            band,
            due: _,
        } = self;
        *evaluated_at == other.evaluated_at
            && *definition_version == other.definition_version
            && *segments == other.segments
            && *stages == other.stages
            && *band == other.band
    }
}

impl Eq for Standing {}

impl Standing {
    /// Of a customer of whom nothing is known yet. `evaluated_at` is [`Instant::MIN`].
    pub fn new(definition_version: i64) -> Self {
        Self {
            evaluated_at: Instant::MIN,
            definition_version,
            segments: BTreeMap::new(),
            stages: BTreeMap::new(),
            band: None,
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
        while let Some(due) = self.due(state, definitions).filter(|due| *due <= until) {
            let stamp = Stamp {
                effective_at: due,
                cause: Cause::Timer,
            };
            self.become_at(due, state, definitions, stamp, changes);
        }
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
        let at = occurred_at.max(self.evaluated_at);
        let stamp = Stamp {
            effective_at: at,
            cause: Cause::Event(event),
        };
        self.become_at(at, state, definitions, stamp, changes);
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
        let stamp = Stamp {
            effective_at: definitions.appended_at,
            cause: Cause::Definition,
        };
        self.become_at(
            at.max(self.evaluated_at),
            state,
            definitions,
            stamp,
            changes,
        );
    }

    /// When this customer must be stepped next if nothing happens. With the state and definitions
    /// of the last evaluation the answer is known already.
    pub fn next_due(
        &self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
    ) -> Option<Instant> {
        match self.due {
            Due::Known { version, at } if version == definitions.version => at,
            Due::Known { .. } | Due::Unknown => {
                let known = self.history(definitions, self.evaluated_at);
                evaluate_knowing(known, state, definitions, self.evaluated_at).next_change
            }
        }
    }

    /// As [`Self::next_due`], remembered.
    pub fn due(
        &mut self,
        state: &CustomerState,
        definitions: &TenantDefinitions,
    ) -> Option<Instant> {
        let at = self.next_due(state, definitions);
        self.due = Due::Known {
            version: definitions.version,
            at,
        };
        at
    }

    /// What the next evaluation knows of this one; what it finds entered is so from `entered` on.
    pub fn history(&self, definitions: &TenantDefinitions, entered: Instant) -> History {
        History::new(&self.segments, definitions, entered)
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
        let discrete = evaluate_knowing(known, state, definitions, at);
        self.due = Due::Known {
            version: definitions.version,
            at: discrete.next_change,
        };
        self.evaluated_at = at;
        let first_new = changes.len();
        let mut log = Log {
            stamp,
            version: definitions.version,
            changes,
        };
        self.become_members(&discrete, definitions, &mut log);
        self.become_positions(&discrete, &mut log);
        if self.band != discrete.band {
            let name = |band: Option<Band>| band.map(|band| Arc::from(band.name()));
            let (from, to) = (name(self.band), name(discrete.band));
            log.note(ChangeKind::Band, Arc::from("churn"), from, to);
            self.band = discrete.band;
        }
        self.definition_version = definitions.version;
        if let Some(new) = changes.get_mut(first_new..) {
            new.sort_by(|left, right| (left.kind, &left.name).cmp(&(right.kind, &right.name)));
        }
    }

    fn become_members(
        &mut self,
        discrete: &Discrete<'_>,
        definitions: &TenantDefinitions,
        log: &mut Log<'_>,
    ) {
        let version = definitions.version;
        let mut held = 0;
        for (segment, member) in definitions.segments.iter().zip(&discrete.segments) {
            let name = &segment.name;
            if *member == self.segments.contains_key(name) {
                held += usize::from(*member);
            } else if *member {
                let since = log.stamp.effective_at;
                self.segments
                    .insert(Arc::clone(name), Membership { since, version });
                log.note(
                    ChangeKind::Segment,
                    Arc::clone(name),
                    None,
                    Some(Arc::clone(name)),
                );
                held += 1;
            } else {
                self.segments.remove(name);
                log.note(
                    ChangeKind::Segment,
                    Arc::clone(name),
                    Some(Arc::clone(name)),
                    None,
                );
            }
        }
        if held < self.segments.len() {
            // Some are no longer defined.
            self.segments.retain(|name, _| {
                let defined = definitions.segment(name).is_some();
                if !defined {
                    log.note(
                        ChangeKind::Segment,
                        Arc::clone(name),
                        Some(Arc::clone(name)),
                        None,
                    );
                }
                defined
            });
        }
        if self.definition_version != version {
            for membership in self.segments.values_mut() {
                membership.version = version;
            }
        }
    }

    fn become_positions(&mut self, discrete: &Discrete<'_>, log: &mut Log<'_>) {
        for now in &discrete.stages {
            let position = (Arc::clone(now.stage), now.since);
            let before = self.stages.get(now.journey).map(|(stage, _)| stage);
            if before != Some(now.stage) {
                let (journey, stage) = (Arc::clone(now.journey), Arc::clone(now.stage));
                log.note(ChangeKind::Stage, journey, before.cloned(), Some(stage));
            }
            if self.stages.get(now.journey) != Some(&position) {
                self.stages.insert(Arc::clone(now.journey), position);
            }
        }
        if discrete.stages.len() < self.stages.len() {
            // The journey, or the stage, is no longer defined.
            self.stages.retain(|journey, (stage, _)| {
                let stands = discrete.stages.iter().any(|now| now.journey == journey);
                if !stands {
                    let from = Some(Arc::clone(stage));
                    log.note(ChangeKind::Stage, Arc::clone(journey), from, None);
                }
                stands
            });
        }
    }
}

/// What all changes of one evaluation have in common.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    effective_at: Instant,
    cause: Cause,
}

/// Changes being written down.
struct Log<'a> {
    stamp: Stamp,
    version: i64,
    changes: &'a mut Vec<Change>,
}

impl Log<'_> {
    fn note(
        &mut self,
        kind: ChangeKind,
        name: Arc<str>,
        from: Option<Arc<str>>,
        to: Option<Arc<str>>,
    ) {
        let Stamp {
            effective_at,
            cause,
        } = self.stamp;
        let definition_version = self.version;
        self.changes.push(Change {
            kind,
            name,
            from,
            to,
            effective_at,
            cause,
            definition_version,
        });
    }
}

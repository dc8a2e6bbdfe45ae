//! The stages of a customer, and its paths to them.

use std::sync::Arc;

use super::{Cause, ChangeKind, EvaluatedState, Log};
use crate::definitions::{Journey, TenantDefinitions};
use crate::journeys::{Path, Trigger, enter};
use crate::outputs::{Standpoint, Triggers};
use crate::state::CustomerState;

impl EvaluatedState {
    /// The stages that conditions have entered so far, of every journey with conditions. What was
    /// entered by a condition that its stage has no more is forgotten.
    pub(crate) fn triggers(&self, definitions: &TenantDefinitions) -> Triggers {
        let journeys = definitions.conditional_journeys();
        journeys
            .map(|journey| (Arc::clone(&journey.name), self.triggers_of(journey)))
            .collect()
    }

    fn triggers_of(&self, journey: &Journey) -> Vec<Trigger> {
        let path = self.paths.get(&journey.name);
        let mut triggers = path.map_or_else(Vec::new, |path| path.triggers().to_vec());
        triggers.retain(|trigger| {
            let mut stages = journey.entered_by.iter();
            stages.any(|(stage, _)| journey.stages[*stage] == trigger.stage)
        });
        triggers
    }

    /// Takes over where the customer now stands. Memberships are those of now already.
    pub(super) fn become_positions(
        &mut self,
        stages: &[Standpoint<'_>],
        state: &CustomerState,
        definitions: &TenantDefinitions,
        log: &mut Log<'_>,
    ) {
        for now in stages {
            let before = self.paths.get(now.journey).map(|path| path.stage());
            if before != Some(now.stage) {
                let (journey, entered) = (Arc::clone(now.journey), Arc::clone(now.stage));
                log.note(ChangeKind::Stage, journey, before.cloned(), Some(entered));
            }
            if let Some(journey) = definitions.journeys.get(now.journey) {
                self.become_path(journey, state, definitions, log.stamp.cause);
            }
        }
        if stages.len() < self.paths.len() {
            // The journey, or the stage, is no longer defined.
            self.paths.retain(|journey, path| {
                let stands = stages.iter().any(|now| now.journey == journey);
                if !stands {
                    let from = Some(Arc::clone(path.stage()));
                    log.note(ChangeKind::Stage, Arc::clone(journey), from, None);
                }
                stands
            });
        }
    }

    fn become_path(
        &mut self,
        journey: &Journey,
        state: &CustomerState,
        definitions: &TenantDefinitions,
        cause: Cause,
    ) {
        // Time alone enters no stage but by a condition.
        if cause == Cause::Timer && journey.entered_by.is_empty() {
            return;
        }
        let mut triggers = self.triggers_of(journey);
        for (stage, segment) in &journey.entered_by {
            let segment = &definitions.segments[*segment].name;
            if let Some(since) = self.segments.get(segment) {
                enter(&mut triggers, journey, &journey.stages[*stage], *since);
            }
        }
        let entries = state.journeys.entries(&journey.name);
        let zone = &definitions.rules.zone;
        let before = self.paths.get(&journey.name);
        if before.is_some_and(|path| path.is(journey, entries, &triggers, zone)) {
            return;
        }
        if let Some(path) = Path::from_entries(journey, entries, triggers, zone) {
            self.paths.insert(Arc::clone(&journey.name), Arc::new(path));
        }
    }
}

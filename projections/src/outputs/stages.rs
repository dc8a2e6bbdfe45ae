//! The stages of a customer in an evaluation: by events, and by the conditions of stages.

use std::sync::Arc;

use super::evaluation::Evaluation;
use super::history::Triggers;
use super::standpoint::{Standpoint, standpoint};
use crate::definitions::Journey;
use crate::journeys::{Trigger, enter};

impl<'a> Evaluation<'a> {
    /// Where the customer stands, in the order of the journeys' names, once the membership of all
    /// segments that conditions are made of is known.
    pub(crate) fn all_stages(&self) -> Vec<Standpoint<'a>> {
        let mut stages = self.stages_by_events().to_vec();
        for journey in self.definitions.conditional_journeys() {
            stages.extend(self.stage_in(journey));
        }
        stages.sort_unstable_by_key(|stands| stands.journey);
        stages
    }

    /// Where the customer stands in a journey. A segment that asks for it comes after those that
    /// its stages' conditions are made of.
    pub(crate) fn stage_in(&self, journey: &'a Journey) -> Option<Standpoint<'a>> {
        if journey.entered_by.is_empty() {
            let mut stages = self.stages_by_events().iter();
            return stages
                .find(|stands| stands.journey == &journey.name)
                .copied();
        }
        standpoint(self.state, journey, &self.triggers(journey))
    }

    /// The stages that conditions have entered so far, of every journey with conditions.
    pub(crate) fn all_triggers(&self) -> Triggers {
        let journeys = self.definitions.conditional_journeys();
        journeys
            .map(|journey| (Arc::clone(&journey.name), self.triggers(journey)))
            .collect()
    }

    /// The stages of a journey that conditions have entered so far.
    pub(crate) fn triggers(&self, journey: &Journey) -> Vec<Trigger> {
        if journey.entered_by.is_empty() {
            return Vec::new();
        }
        let mut triggers = self.known.triggers(journey);
        for (stage, segment) in &journey.entered_by {
            if self.is_member_at(*segment) {
                let since = self.known.since(*segment);
                enter(&mut triggers, journey, &journey.stages[*stage], since);
            }
        }
        triggers
    }
}

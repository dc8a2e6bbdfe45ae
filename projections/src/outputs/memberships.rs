//! The segments that a customer is in, as far as an evaluation has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use super::history::{History, Triggers};
use crate::definitions::{Journey, TenantDefinitions, TouchedOutputs};
use crate::journeys::{Trigger, enter};

/// The memberships found so far, and the customer's history of them.
pub(crate) struct Memberships {
    history: History,
    /// Membership by place of the segment; empty until a segment is asked for.
    found: Vec<bool>,
}

impl Memberships {
    pub(crate) fn new(history: History) -> Self {
        Self {
            history,
            found: Vec::new(),
        }
    }

    /// Begins with none of so many segments.
    pub(crate) fn clear(&mut self, segments: usize) {
        self.found = vec![false; segments];
    }

    /// Takes over the evaluated membership of segments that those touched refer to, and that are not
    /// touched.
    pub(crate) fn assume(
        &mut self,
        touched: &TouchedOutputs,
        evaluated: &BTreeMap<Arc<str>, Instant>,
        definitions: &TenantDefinitions,
    ) {
        let segments = &definitions.segments;
        self.clear(segments.len());
        let touched_segments = touched.segments.iter();
        let others = touched_segments.flat_map(|place| definitions.referred_to(*place));
        let journeys = touched.stages.then(|| definitions.conditional_journeys());
        let entering = journeys.into_iter().flatten().flat_map(|of| &of.entered_by);
        for other in others.chain(entering.map(|(_, place)| place)) {
            let segment = segments.get(*other);
            let member = segment.is_some_and(|of| evaluated.contains_key(&of.name));
            self.set(*other, member);
        }
    }

    /// Notes the membership found of the segment at a place.
    pub(crate) fn set(&mut self, place: usize, member: bool) {
        if let Some(found) = self.found.get_mut(place) {
            *found = member;
        }
    }

    /// Returns the membership of the segment at a place, if it was evaluated; otherwise false.
    pub(crate) fn contains(&self, place: usize) -> bool {
        self.found.get(place).copied().unwrap_or(false)
    }

    /// Returns the time of entry into a segment of which the customer is a member.
    pub(crate) fn since(&self, place: usize) -> Instant {
        self.history.since(place)
    }

    /// Returns the stages of a journey that conditions have entered so far.
    pub(crate) fn triggers(&self, journey: &Journey) -> Vec<Trigger> {
        if journey.entered_by.is_empty() {
            return Vec::new();
        }
        let mut triggers = self.history.triggers(journey);
        for (stage, segment) in &journey.entered_by {
            if self.contains(*segment) {
                let since = self.since(*segment);
                enter(&mut triggers, journey, &journey.stages[*stage], since);
            }
        }
        triggers
    }

    /// Returns the stages that conditions have entered so far, of every journey with conditions.
    pub(crate) fn all_triggers(&self, definitions: &TenantDefinitions) -> Triggers {
        let journeys = definitions.conditional_journeys();
        journeys
            .map(|journey| (Arc::clone(&journey.name), self.triggers(journey)))
            .collect()
    }

    /// Returns the membership by place of the segment.
    pub(crate) fn into_vec(self) -> Vec<bool> {
        self.found
    }
}

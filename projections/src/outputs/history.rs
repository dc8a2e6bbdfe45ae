//! The history of a customer beside its state: the times of entry into segments, and the stages that
//! conditions entered.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use crate::definitions::{Journey, TenantDefinitions};
use crate::journeys::Trigger;

/// The stages that conditions entered, by journey.
pub(crate) type Triggers = Vec<(Arc<str>, Vec<Trigger>)>;

/// The history beside the state: the times of entry into segments.
#[derive(Debug, Clone)]
pub struct History {
    /// The times of entry of the segments that `member_for` reads, by index.
    since: Vec<(usize, Instant)>,
    /// The time of entry of segments found now.
    entered: Instant,
    /// Stages that their conditions entered before.
    triggers: Triggers,
}

impl History {
    /// Returns the history of a customer without one before that instant.
    pub fn none(entered: Instant) -> Self {
        Self {
            since: Vec::new(),
            entered,
            triggers: Vec::new(),
        }
    }

    /// Returns the history of a member of these segments; others are entered at `entered`.
    pub fn new(
        memberships: &BTreeMap<Arc<str>, Instant>,
        definitions: &TenantDefinitions,
        entered: Instant,
    ) -> Self {
        let since = definitions.lasting.iter().filter_map(|place| {
            let since = memberships.get(&definitions.segments.get(*place)?.name)?;
            Some((*place, *since))
        });
        Self {
            since: since.collect(),
            entered,
            triggers: Vec::new(),
        }
    }

    /// Adds the stages that conditions entered before, by journey.
    #[must_use]
    pub(crate) fn with_triggers(mut self, triggers: Triggers) -> Self {
        self.triggers = triggers;
        self
    }

    /// The stages of a journey that conditions entered before.
    pub(crate) fn triggers(&self, journey: &Journey) -> Vec<Trigger> {
        let mut known = self.triggers.iter();
        let known = known.find(|(name, _)| *name == journey.name);
        known.map_or_else(Vec::new, |(_, triggers)| triggers.clone())
    }

    /// Returns the time of entry into a segment of which the customer is a member now.
    pub(crate) fn since(&self, place: usize) -> Instant {
        let mut known = self.since.iter();
        let known = known.find(|(other, _)| *other == place);
        known.map_or(self.entered, |(_, since)| *since)
    }
}

//! `member_for`, `bucket` and `manual`, and since when a customer is known to be in a segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use super::evaluate::Evaluation;
use crate::definitions::TenantDefinitions;
use crate::definitions::expression::{BucketCondition, ManualCondition, MemberForCondition};

/// What is known beside the state: since when the customer has been in a segment.
#[derive(Debug, Clone)]
pub struct History {
    /// Of the segments that `member_for` asks about, by place, those it was in before.
    since: Vec<(usize, Instant)>,
    /// When the others are entered that it is found to be in now.
    entered: Instant,
}

impl History {
    /// Of a customer of whom nothing was known before that instant.
    pub fn none(entered: Instant) -> Self {
        Self {
            since: Vec::new(),
            entered,
        }
    }

    /// Of a customer that was in these segments; others that it is in now are entered at `entered`.
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
        }
    }

    /// Since when the customer has been in a segment that it is in now.
    pub(super) fn since(&self, place: usize) -> Instant {
        let mut known = self.since.iter();
        let known = known.find(|(other, _)| *other == place);
        known.map_or(self.entered, |(_, since)| *since)
    }
}

impl Evaluation<'_> {
    pub(super) fn member_for(&mut self, condition: &MemberForCondition) -> bool {
        if !self.is_member(&condition.segment) {
            return false;
        }
        let since = self.known.since(condition.segment.index);
        self.has_lasted(since, condition.duration)
    }

    pub(super) fn bucket(&self, condition: &BucketCondition) -> bool {
        let customer = self.state.customer();
        customer.is_some_and(|customer| condition.holds(customer))
    }

    pub(super) fn manual(&self, condition: &ManualCondition) -> bool {
        let customer = self.state.customer();
        customer.is_some_and(|customer| condition.holds(customer))
    }
}

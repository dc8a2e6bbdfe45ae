//! The outputs that are derived from attributes, directly or through other outputs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Expression, TenantDefinitions};
use crate::change::ChangeKind;

/// The names of the outputs that are derived from some attributes. An output tells its readers something of the
/// attributes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DerivedOutputs {
    /// The attributes that conditions test.
    pub attributes: BTreeSet<Arc<str>>,
    /// The segments.
    pub segments: BTreeSet<Arc<str>>,
    /// The journeys with a stage that is entered by a condition.
    pub journeys: BTreeSet<Arc<str>>,
    /// The actions with a condition of eligibility.
    pub actions: BTreeSet<Arc<str>>,
    /// The triggers that wait for a change of the others.
    pub triggers: BTreeSet<Arc<str>>,
}

impl DerivedOutputs {
    /// Adds the outputs that are derived under other definitions.
    pub fn extend(&mut self, other: Self) {
        self.attributes.extend(other.attributes);
        self.segments.extend(other.segments);
        self.journeys.extend(other.journeys);
        self.actions.extend(other.actions);
        self.triggers.extend(other.triggers);
    }

    /// Returns the changes of these outputs, by kind and name.
    pub fn changes(&self) -> impl Iterator<Item = (ChangeKind, &Arc<str>)> {
        let segments = self.segments.iter().map(|name| (ChangeKind::Segment, name));
        let journeys = self.journeys.iter().map(|name| (ChangeKind::Stage, name));
        let triggers = self.triggers.iter().map(|name| (ChangeKind::Trigger, name));
        segments.chain(journeys).chain(triggers)
    }

    /// Returns whether a condition reads one of the attributes or outputs.
    fn is_read_by(&self, condition: &Expression) -> bool {
        if let Expression::Attribute(condition) = condition {
            return self.attributes.contains(&condition.name);
        }
        let segment = condition.refers_to().map(|reference| &reference.name);
        segment.is_some_and(|name| self.segments.contains(name))
            || condition
                .journey()
                .is_some_and(|name| self.journeys.contains(name))
    }

    /// Returns whether a condition, or one inside it, reads one of the attributes or outputs.
    fn are_read_within(&self, expression: &Expression) -> bool {
        let mut are_read = false;
        expression.each(&mut |condition| are_read |= self.is_read_by(condition));
        are_read
    }
}

impl TenantDefinitions {
    /// Returns the outputs that are derived from the attributes of a kind.
    pub fn derived_from(&self, attribute: impl Fn(&str) -> bool) -> DerivedOutputs {
        let mut derived = DerivedOutputs::default();
        let eligible = self.actions.iter().flat_map(|action| &action.eligible);
        let segments = self.segments.iter().map(|segment| &segment.expression);
        for expression in segments.chain(eligible) {
            expression.each(&mut |condition| {
                if let Expression::Attribute(condition) = condition
                    && attribute(&condition.name)
                {
                    derived.attributes.insert(Arc::clone(&condition.name));
                }
            });
        }
        if derived.attributes.is_empty() {
            return derived;
        }
        // Segments, those that enter stages among them, stand after those that they are derived from.
        for (place, segment) in self.segments.iter().enumerate() {
            if !derived.are_read_within(&segment.expression) {
                continue;
            }
            derived.segments.insert(Arc::clone(&segment.name));
            for journey in self.journeys.values() {
                let mut entered_by = journey.entered_by.iter();
                if entered_by.any(|(_, segment)| *segment == place) {
                    derived.journeys.insert(Arc::clone(&journey.name));
                }
            }
        }
        for action in &self.actions {
            let eligible = action.eligible.as_ref();
            if eligible.is_some_and(|eligible| derived.are_read_within(eligible)) {
                derived.actions.insert(Arc::clone(&action.name));
            }
        }
        for trigger in &self.triggers {
            let (kind, of) = trigger.waits_for();
            let is_derived = match kind {
                ChangeKind::Segment => derived.segments.contains(of),
                ChangeKind::Stage => derived.journeys.contains(of),
                ChangeKind::Band
                | ChangeKind::Rfm
                | ChangeKind::Cluster
                | ChangeKind::RenewalBand
                | ChangeKind::Trigger => false,
            };
            if is_derived {
                derived.triggers.insert(Arc::clone(&trigger.name));
            }
        }
        derived
    }
}

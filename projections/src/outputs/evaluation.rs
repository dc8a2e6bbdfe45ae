//! An evaluation under way: the outputs of a customer at an instant, as far as they are asked for.
//! The conditions are in modules of their own, by kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use super::churn_score::ChurnScore;
use super::conditions::{
    attribute_holds, bucket_holds, churn_holds, cluster_holds, conversion_holds, event_holds,
    manual_holds, member_for_holds, orders_hold, record_holds, regularly_holds, restarted_holds,
    rfm_holds, sequence_holds, stage_holds, value_holds,
};
use super::discrete_scores::DiscreteScores;
use super::history::History;
use super::memberships::Memberships;
use super::next_change::NextChange;
use super::stages::all_stages;
use super::standpoint::Standpoint;
use super::state_at::StateAt;
use crate::definitions::expression::ScoreCondition;
use crate::definitions::{Expression, TenantDefinitions, TouchedOutputs};
use crate::state::CustomerState;

/// An evaluation under way.
pub(crate) struct Evaluation<'a> {
    now: StateAt<'a>,
    memberships: Memberships,
    next_change: NextChange,
    /// Whether the next change of the churn band is noted.
    band_noted: bool,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(
        history: History,
        state: &'a CustomerState,
        definitions: &'a TenantDefinitions,
        at: Instant,
    ) -> Self {
        Self {
            now: StateAt::new(state, definitions, at),
            memberships: Memberships::new(history),
            next_change: NextChange::after(at),
            band_noted: false,
        }
    }

    /// Finds the band, and the membership of those segments that are wanted, by place.
    pub(crate) fn evaluate_segments(&mut self, wanted: impl Fn(usize) -> bool) {
        self.churn_score();
        let segments = self.now.definitions().segments.len();
        self.memberships.clear(segments);
        for place in 0..segments {
            if wanted(place) {
                self.evaluate_segment(place);
            }
        }
    }

    /// Evaluates the membership of a segment, after those it refers to.
    pub(crate) fn evaluate_segment(&mut self, place: usize) -> bool {
        let segment = self.now.definitions().segments.get(place);
        let member = segment.is_some_and(|segment| self.holds(&segment.expression));
        self.memberships.set(place, member);
        member
    }

    /// Takes over the evaluated membership of segments that those touched refer to, and that are not
    /// touched.
    pub(crate) fn assume(
        &mut self,
        touched: &TouchedOutputs,
        evaluated: &BTreeMap<Arc<str>, Instant>,
    ) {
        let definitions = self.now.definitions();
        self.memberships.assume(touched, evaluated, definitions);
    }

    /// Evaluates a condition, once the segments it refers to are evaluated.
    pub(crate) fn holds(&mut self, expression: &Expression) -> bool {
        let Self {
            now,
            memberships,
            next_change,
            ..
        } = self;
        match expression {
            Expression::All(inner) => inner.iter().all(|expression| self.holds(expression)),
            Expression::Any(inner) => inner.iter().any(|expression| self.holds(expression)),
            Expression::Not(inner) => !self.holds(inner),
            // Evaluated before: its own next change is noted already.
            Expression::Segment(reference) => memberships.contains(reference.index),
            Expression::Attribute(condition) => attribute_holds(condition, now, next_change),
            Expression::Event(condition) => event_holds(condition, now, next_change),
            Expression::Orders(condition) => orders_hold(condition, now, next_change),
            Expression::Stage(condition) => stage_holds(condition, now, memberships, next_change),
            Expression::Churn(condition) => self
                .scored(|score, now, next_change| churn_holds(condition, score, now, next_change)),
            Expression::Sequence(condition) => sequence_holds(condition, now, next_change),
            Expression::Regularly(condition) => regularly_holds(condition, now, next_change),
            Expression::Restarted(condition) => restarted_holds(condition, now, next_change),
            Expression::MemberFor(condition) => {
                member_for_holds(condition, now, memberships, next_change)
            }
            Expression::Bucket(condition) => bucket_holds(condition, now),
            Expression::Manual(condition) => manual_holds(condition, now),
            Expression::Record(condition) => record_holds(condition, now, next_change),
            Expression::Score(ScoreCondition::Conversion(condition)) => {
                conversion_holds(condition, now, memberships, next_change)
            }
            Expression::Score(ScoreCondition::Rfm(condition)) => {
                self.scored(|score, now, next_change| {
                    rfm_holds(condition, score.history, now, next_change)
                })
            }
            Expression::Score(ScoreCondition::Cluster(clusters)) => {
                self.scored(|score, now, next_change| {
                    cluster_holds(clusters, score.history, now, next_change)
                })
            }
            Expression::Score(ScoreCondition::Value(condition)) => {
                self.scored(|score, now, next_change| {
                    value_holds(condition, score.history, now, next_change)
                })
            }
        }
    }

    /// Evaluates a condition on the churn score or the purchases; false without purchases.
    fn scored(
        &mut self,
        holds: impl FnOnce(&ChurnScore, &StateAt<'_>, &mut NextChange) -> bool,
    ) -> bool {
        let score = self.churn_score();
        score.is_some_and(|score| holds(&score, &self.now, &mut self.next_change))
    }

    /// Returns the churn score, and notes when time alone changes its band.
    pub(crate) fn churn_score(&mut self) -> Option<ChurnScore> {
        let score = *self.now.churn_score()?;
        if !std::mem::replace(&mut self.band_noted, true) {
            let age = score.age_at_next_band(&self.now.definitions().churn);
            self.next_change.note(self.now.start_of_age(age));
        }
        Some(score)
    }

    /// Returns the scores of trained models, and notes when time alone changes them.
    pub(crate) fn discrete_scores(&mut self) -> DiscreteScores {
        DiscreteScores::evaluate(&self.now, &mut self.next_change)
    }

    /// Returns the stages of the customer, once all segments that their conditions are made of are
    /// evaluated.
    pub(crate) fn all_stages(&self) -> Vec<Standpoint<'a>> {
        all_stages(&self.now, &self.memberships)
    }

    /// Returns the earliest later instant at which something evaluated may change by itself.
    pub(crate) fn next_change(&self) -> Option<Instant> {
        self.next_change.earliest()
    }

    pub(crate) fn now(&self) -> &StateAt<'a> {
        &self.now
    }

    pub(crate) fn memberships(&self) -> &Memberships {
        &self.memberships
    }

    pub(crate) fn into_memberships(self) -> Memberships {
        self.memberships
    }

    /// Returns the membership found of each segment, and the state that they were found of.
    pub(crate) fn into_parts(self) -> (Vec<bool>, StateAt<'a>) {
        (self.memberships.into_vec(), self.now)
    }
}

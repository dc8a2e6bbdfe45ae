//! The discrete outputs of a customer at an instant, and until when they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use super::discrete_scores::DiscreteScores;
use super::evaluation::Evaluation;
use super::history::History;
use super::offered::{Offered, offered};
use super::standpoint::Standpoint;
use super::state_at::StateAt;
use crate::definitions::{TenantDefinitions, TouchedOutputs};
use crate::models::Band;
use crate::state::CustomerState;

/// The outputs that change at an instant rather than gradually.
#[derive(Debug)]
pub struct Discrete<'a> {
    /// Membership of each segment, in the order of [`TenantDefinitions::segments`].
    pub segments: Vec<bool>,
    /// The stages of the customer, in the order of the journeys' names.
    pub stages: Vec<Standpoint<'a>>,
    /// Churn band, where scored.
    pub band: Option<Band>,
    /// P(alive), where scored; not discrete, but what the band was made of.
    pub p_alive: Option<f64>,
    /// The scores of trained models.
    pub discrete_scores: DiscreteScores,
    /// The earliest later instant at which one of these (but P(alive)) may change by itself.
    pub next_change: Option<Instant>,
}

/// Returns the discrete outputs of a state at an instant not before the newest event, for a customer
/// without a history: see [`evaluate_knowing`].
pub fn evaluate<'a>(
    state: &'a CustomerState,
    definitions: &'a TenantDefinitions,
    at: Instant,
) -> Discrete<'a> {
    evaluate_knowing(History::none(at), state, definitions, at)
}

/// Evaluates as [`evaluate`] does, for a customer with a history, which `member_for` needs.
pub fn evaluate_knowing<'a>(
    known: History,
    state: &'a CustomerState,
    definitions: &'a TenantDefinitions,
    at: Instant,
) -> Discrete<'a> {
    evaluate_at(known, state, definitions, at).0
}

/// Evaluates as [`evaluate_knowing`] does, and returns the state at the instant beside it.
pub(crate) fn evaluate_at<'a>(
    known: History,
    state: &'a CustomerState,
    definitions: &'a TenantDefinitions,
    at: Instant,
) -> (Discrete<'a>, StateAt<'a>) {
    let mut evaluation = Evaluation::new(known, state, definitions, at);
    evaluation.evaluate_segments(|_| true);
    let discrete_scores = evaluation.discrete_scores();
    let (stages, score) = (evaluation.all_stages(), evaluation.churn_score());
    let next_change = evaluation.next_change();
    let (segments, now) = evaluation.into_parts();
    let discrete = Discrete {
        segments,
        stages,
        band: score.map(|score| score.band),
        p_alive: score.map(|score| score.p_alive),
        discrete_scores,
        next_change,
    };
    (discrete, now)
}

/// Some of the discrete outputs: the rest is as it was.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// Membership by place of the segment, in order.
    pub(crate) members: Vec<(usize, bool)>,
    /// The stages; `None`: unchanged.
    pub(crate) stages: Option<Vec<Standpoint<'a>>>,
    /// The scores; `None`: unchanged.
    pub(crate) scores: Option<Scores>,
    /// The offers; `None`: unchanged.
    pub(crate) offered: Option<Offered>,
    /// The earliest later instant at which one of these may change by itself.
    pub(crate) next_change: Option<Instant>,
}

/// The scores that change at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scores {
    /// Churn band, where scored.
    pub(crate) band: Option<Band>,
    /// The scores of trained models.
    pub(crate) discrete_scores: DiscreteScores,
}

impl<'a> Found<'a> {
    /// All of them.
    pub(crate) fn all(
        known: History,
        state: &'a CustomerState,
        definitions: &'a TenantDefinitions,
        at: Instant,
    ) -> Self {
        let discrete = evaluate_knowing(known, state, definitions, at);
        Self {
            members: discrete.segments.into_iter().enumerate().collect(),
            stages: Some(discrete.stages),
            scores: Some(Scores {
                band: discrete.band,
                discrete_scores: discrete.discrete_scores,
            }),
            offered: Some(offered(state, definitions)),
            next_change: discrete.next_change,
        }
    }

    /// Evaluates the outputs that an event can have changed, for a customer that was in these segments
    /// before it and has no due time by now.
    pub(crate) fn touched(
        touched: TouchedOutputs,
        memberships: &BTreeMap<Arc<str>, Instant>,
        known: History,
        state: &'a CustomerState,
        definitions: &'a TenantDefinitions,
        at: Instant,
    ) -> Self {
        let mut evaluation = Evaluation::new(known, state, definitions, at);
        let conditional = definitions.conditional_journeys().next().is_some();
        if !touched.segments.is_empty() || (touched.stages && conditional) {
            evaluation.assume(&touched, memberships);
        }
        let scores = touched.scores.then(|| {
            let score = evaluation.churn_score();
            Scores {
                discrete_scores: evaluation.discrete_scores(),
                band: score.map(|score| score.band),
            }
        });
        let members = touched.segments.into_iter();
        let members = members.map(|place| (place, evaluation.evaluate_segment(place)));
        Self {
            members: members.collect(),
            stages: touched.stages.then(|| evaluation.all_stages()),
            scores,
            offered: touched.offers.then(|| offered(state, definitions)),
            next_change: evaluation.next_change(),
        }
    }
}

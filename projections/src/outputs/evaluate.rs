//! The discrete outputs of a customer at an instant, and until when they hold.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use super::discrete_scores::DiscreteScores;
use super::ledger::Ledger;
use super::members::History;
use super::offered::{Offered, offered};
use super::stages::standpoint;
use crate::days;
use crate::definitions::expression::SegmentReference;
use crate::definitions::{Expression, TenantDefinitions, TouchedOutputs};
use crate::models::{Band, PurchaseHistory};
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

/// The stage of a customer in a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standpoint<'a> {
    /// The journey's name.
    pub journey: &'a Arc<str>,
    /// The stage.
    pub stage: &'a Arc<str>,
    /// The instant of entry.
    pub since: Instant,
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
    evaluate_with_ledger(known, state, definitions, at).0
}

/// Evaluates as [`evaluate_knowing`] does, and returns the orders used.
pub(crate) fn evaluate_with_ledger<'a>(
    known: History,
    state: &'a CustomerState,
    definitions: &'a TenantDefinitions,
    at: Instant,
) -> (Discrete<'a>, Ledger) {
    let mut evaluation = Evaluation::new(known, state, definitions, at);
    evaluation.evaluate_segments(|_| true);
    let discrete_scores = evaluation.discrete_scores();
    let discrete = Discrete {
        stages: evaluation.all_stages(),
        band: evaluation.band,
        p_alive: evaluation.p_alive,
        discrete_scores,
        next_change: evaluation.next_change,
        segments: evaluation.segments,
    };
    let orders = evaluation.ledger.into_inner();
    let ledger = orders.unwrap_or_else(|| Ledger::new(&state.orders, definitions));
    (discrete, ledger)
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
            evaluation.score();
            Scores {
                discrete_scores: evaluation.discrete_scores(),
                band: evaluation.band,
            }
        });
        let members = touched.segments.into_iter();
        let members = members.map(|place| (place, evaluation.evaluate_segment(place)));
        Self {
            members: members.collect(),
            stages: touched.stages.then(|| evaluation.all_stages()),
            scores,
            offered: touched.offers.then(|| offered(state, definitions)),
            next_change: evaluation.next_change,
        }
    }
}

/// An evaluation under way.
///
/// `next_change` is the minimum over the conditions looked at. Those skipped, because another one
/// already decided, need no say: as long as those looked at stay as they are, the same ones are
/// skipped again.
pub(crate) struct Evaluation<'a> {
    pub(crate) known: History,
    pub(crate) state: &'a CustomerState,
    pub(crate) definitions: &'a TenantDefinitions,
    pub(crate) at: Instant,
    pub(crate) history: Option<PurchaseHistory>,
    pub(crate) p_alive: Option<f64>,
    pub(crate) band: Option<Band>,
    segments: Vec<bool>,
    scored: bool,
    // Looked up at most once, and not at all where nothing depends on them.
    ledger: OnceCell<Ledger>,
    stages: OnceCell<Vec<Standpoint<'a>>>,
    today: OnceCell<i32>,
    next_change: Option<Instant>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(
        known: History,
        state: &'a CustomerState,
        definitions: &'a TenantDefinitions,
        at: Instant,
    ) -> Self {
        Self {
            known,
            state,
            definitions,
            at,
            history: None,
            p_alive: None,
            band: None,
            segments: Vec::new(),
            scored: false,
            ledger: OnceCell::new(),
            stages: OnceCell::new(),
            today: OnceCell::new(),
            next_change: None,
        }
    }

    /// Finds the band, and the membership of those segments that are wanted, by place.
    pub(crate) fn evaluate_segments(&mut self, wanted: impl Fn(usize) -> bool) {
        self.score();
        self.segments = vec![false; self.definitions.segments.len()];
        for place in 0..self.segments.len() {
            if wanted(place) {
                self.evaluate_segment(place);
            }
        }
    }

    /// Membership of a segment, after those it refers to.
    fn evaluate_segment(&mut self, place: usize) -> bool {
        let definitions = self.definitions;
        let segment = definitions.segments.get(place);
        let member = segment.is_some_and(|segment| self.holds(&segment.expression));
        if let Some(found) = self.segments.get_mut(place) {
            *found = member;
        }
        member
    }

    /// Takes what is known of segments that those touched refer to, and that are not touched.
    fn assume(&mut self, touched: &TouchedOutputs, memberships: &BTreeMap<Arc<str>, Instant>) {
        let definitions = self.definitions;
        let segments = &definitions.segments;
        self.segments = vec![false; segments.len()];
        let touched_segments = touched.segments.iter();
        let others = touched_segments.flat_map(|place| definitions.referred_to(*place));
        let journeys = touched.stages.then(|| definitions.conditional_journeys());
        let entering = journeys.into_iter().flatten().flat_map(|of| &of.entered_by);
        for other in others.chain(entering.map(|(_, place)| place)) {
            let segment = segments.get(*other);
            let member = segment.is_some_and(|of| memberships.contains_key(&of.name));
            if let Some(known) = self.segments.get_mut(*other) {
                *known = member;
            }
        }
    }

    /// The membership found of each segment.
    pub(crate) fn into_members(self) -> Vec<bool> {
        self.segments
    }

    /// The earliest later instant at which something looked at may change by itself.
    pub(crate) fn next_change(&self) -> Option<Instant> {
        self.next_change
    }

    /// The orders.
    pub(crate) fn ledger(&self) -> &Ledger {
        let (state, definitions) = (self.state, self.definitions);
        let of = || Ledger::new(&state.orders, definitions);
        self.ledger.get_or_init(of)
    }

    /// Returns the stages in journeys without conditions, in the order of their names.
    pub(crate) fn stages_by_events(&self) -> &[Standpoint<'a>] {
        self.stages.get_or_init(|| {
            let journeys = self.definitions.journeys.values();
            let by_events = journeys.filter(|journey| journey.entered_by.is_empty());
            let standpoints = by_events.filter_map(|of| standpoint(self.state, of, &[]));
            standpoints.collect()
        })
    }

    /// The tenant's day.
    pub(crate) fn today(&self) -> i32 {
        *self
            .today
            .get_or_init(|| days::day_of(&self.definitions.rules.zone, self.at))
    }

    /// Notes that something may change at an instant, if that is still to come.
    pub(crate) fn may_change_at(&mut self, instant: Option<Instant>) {
        let Some(instant) = instant.filter(|instant| *instant > self.at) else {
            return;
        };
        if self.next_change.is_none_or(|earliest| instant < earliest) {
            self.next_change = Some(instant);
        }
    }

    /// Notes that something may change when the customer reaches an age in days.
    pub(crate) fn may_change_at_age(&mut self, age: Option<i64>) {
        let first = self.ledger().days.first().map(|day| i64::from(day.day));
        let day = first
            .zip(age)
            .and_then(|(first, age)| i32::try_from(first + age).ok());
        let start = day.and_then(|day| days::start_of(&self.definitions.rules.zone, day));
        self.may_change_at(start);
    }

    /// Scores churn; the band changes on the day on which the risk reaches the next threshold.
    pub(crate) fn score(&mut self) {
        if std::mem::replace(&mut self.scored, true) || self.state.orders.is_empty() {
            return;
        }
        self.history = self.ledger().purchase_history(self.today());
        let Some(history) = self.history else {
            return;
        };
        let model = &self.definitions.churn;
        let p_alive = model.p_alive(history);
        let band = model.band(1.0 - p_alive);
        self.p_alive = Some(p_alive);
        self.band = Some(band);
        let next_threshold = match band {
            Band::Low => model.thresholds.medium,
            Band::Medium => model.thresholds.high,
            Band::High => return,
        };
        let age = model.age_when(history, 1.0 - next_threshold, |p_alive| {
            model.band(1.0 - p_alive) > band
        });
        self.may_change_at_age(age);
    }

    pub(crate) fn holds(&mut self, expression: &Expression) -> bool {
        match expression {
            Expression::All(inner) => inner.iter().all(|expression| self.holds(expression)),
            Expression::Any(inner) => inner.iter().any(|expression| self.holds(expression)),
            Expression::Not(inner) => !self.holds(inner),
            // Evaluated before: its own `next_change` is noted already.
            Expression::Segment(reference) => self.is_member(reference),
            Expression::Attribute(condition) => self.attribute(condition),
            Expression::Event(condition) => self.event(condition),
            Expression::Orders(condition) => self.orders(condition),
            Expression::Stage(condition) => self.stage(condition),
            Expression::Churn(condition) => self.churn(condition),
            Expression::Sequence(condition) => self.sequence(condition),
            Expression::Regularly(condition) => self.regularly(condition),
            Expression::Restarted(condition) => self.restarted(condition),
            Expression::MemberFor(condition) => self.member_for(condition),
            Expression::Bucket(condition) => self.bucket(condition),
            Expression::Manual(condition) => self.manual(condition),
            Expression::Record(condition) => self.record(condition),
            Expression::Score(condition) => self.scored(condition),
        }
    }

    /// Membership of a segment evaluated before.
    pub(crate) fn is_member(&self, reference: &SegmentReference) -> bool {
        self.is_member_at(reference.index)
    }

    /// Returns [`Self::is_member`] for the segment at an index.
    pub(crate) fn is_member_at(&self, place: usize) -> bool {
        self.segments.get(place).copied().unwrap_or(false)
    }
}

//! An evaluation under way: what is known so far of a customer at an instant. The conditions are in
//! modules of their own, by kind.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::Instant;

use super::history::History;
use super::ledger::Ledger;
use super::standpoint::{Standpoint, standpoint};
use crate::days;
use crate::definitions::expression::SegmentReference;
use crate::definitions::{TenantDefinitions, TouchedOutputs};
use crate::models::{Band, PurchaseHistory};
use crate::state::CustomerState;

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
    pub(super) fn evaluate_segment(&mut self, place: usize) -> bool {
        let definitions = self.definitions;
        let segment = definitions.segments.get(place);
        let member = segment.is_some_and(|segment| self.holds(&segment.expression));
        if let Some(found) = self.segments.get_mut(place) {
            *found = member;
        }
        member
    }

    /// Takes what is known of segments that those touched refer to, and that are not touched.
    pub(super) fn assume(
        &mut self,
        touched: &TouchedOutputs,
        memberships: &BTreeMap<Arc<str>, Instant>,
    ) {
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

    /// Returns the membership found of each segment.
    pub(crate) fn into_members(self) -> Vec<bool> {
        self.segments
    }

    /// Returns the membership found of each segment, and the orders if they were needed.
    pub(super) fn into_parts(self) -> (Vec<bool>, Option<Ledger>) {
        (self.segments, self.ledger.into_inner())
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

    /// Membership of a segment evaluated before.
    pub(crate) fn is_member(&self, reference: &SegmentReference) -> bool {
        self.is_member_at(reference.index)
    }

    /// Returns [`Self::is_member`] for the segment at an index.
    pub(crate) fn is_member_at(&self, place: usize) -> bool {
        self.segments.get(place).copied().unwrap_or(false)
    }
}

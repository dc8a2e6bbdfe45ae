//! The difference of two evaluated states of a customer, as rows to write.

use std::sync::Arc;

use tidemark_schemas::Instant;

use super::{EvaluatedState, discrete_scores, offered};
use crate::counter::CounterKind;
use crate::journeys::{self, Path};
use crate::models::Band;
use crate::outputs::DiscreteScores;
use crate::rollups::Rollups;

/// The difference between what was known of a customer and what is known now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// Segments entered, with the time: rows to write.
    pub memberships: Vec<(Arc<str>, Instant)>,
    /// The newly entered ones among them: members to count.
    pub entered: Vec<Arc<str>>,
    /// Segments left: rows to delete, one member less.
    pub left: Vec<Arc<str>>,
    /// Journey, stage, since: rows to write.
    pub positions: Vec<(Arc<str>, Arc<str>, Instant)>,
    /// Journeys without a position: rows to delete.
    pub positions_left: Vec<Arc<str>>,
    /// The changed stages: counts to move.
    pub moved: Vec<Move>,
    /// Band before and now, where it is another: counts to move.
    pub band: Option<(Option<Band>, Option<Band>)>,
    /// The rollups of changed paths.
    pub rollups: Rollups,
    /// The scores before and after, if they differ: counts to move.
    pub discrete_scores: Option<(DiscreteScores, DiscreteScores)>,
    /// Offers and answers, of all and of the members of segments: what to add to counters.
    pub offers: Vec<(CounterKind, String, i64)>,
}

/// A move within a journey, into it or out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The journey.
    pub journey: Arc<str>,
    /// The stage before.
    pub from: Option<Arc<str>>,
    /// The stage now.
    pub to: Option<Arc<str>>,
}

impl Delta {
    /// Returns the difference between two evaluated states; `None` stands for a new customer.
    pub fn between(old: Option<&EvaluatedState>, new: &EvaluatedState) -> Self {
        let nothing = EvaluatedState::new(0);
        let old = old.unwrap_or(&nothing);
        let mut delta = Self::default();
        delta.compare_segments(old, new);
        delta.compare_stages(old, new);
        if old.band != new.band {
            delta.band = Some((old.band, new.band));
        }
        if old.discrete_scores != new.discrete_scores {
            delta.discrete_scores = Some((old.discrete_scores, new.discrete_scores));
        }
        delta.offers = offered::counters(old, new);
        delta
    }

    fn compare_segments(&mut self, old: &EvaluatedState, new: &EvaluatedState) {
        for (name, since) in &new.segments {
            let before = old.segments.get(name);
            if before != Some(since) {
                self.memberships.push((Arc::clone(name), *since));
            }
            if before.is_none() {
                self.entered.push(Arc::clone(name));
            }
        }
        let left = old
            .segments
            .keys()
            .filter(|name| !new.segments.contains_key(*name));
        self.left.extend(left.cloned());
    }

    fn compare_stages(&mut self, old: &EvaluatedState, new: &EvaluatedState) {
        for (journey, now) in &new.paths {
            let before = old.paths.get(journey);
            if before.is_some_and(|before| Arc::ptr_eq(before, now) || before == now) {
                continue;
            }
            let place = |path: &Path| (Arc::clone(path.stage()), path.since());
            let (before_place, now_place) = (before.map(|path| place(path)), place(now));
            if before_place.as_ref() != Some(&now_place) {
                let (stage, since) = now_place.clone();
                self.positions.push((Arc::clone(journey), stage, since));
            }
            let stage_before = before_place.map(|(stage, _)| stage);
            if stage_before.as_ref() != Some(&now_place.0) {
                self.moved.push(Move {
                    journey: Arc::clone(journey),
                    from: stage_before,
                    to: Some(now_place.0),
                });
            }
            if let Some(before) = before {
                journeys::count(journey, before, -1, &mut self.rollups);
            }
            journeys::count(journey, now, 1, &mut self.rollups);
        }
        for (journey, path) in &old.paths {
            if !new.paths.contains_key(journey) {
                self.positions_left.push(Arc::clone(journey));
                self.moved.push(Move {
                    journey: Arc::clone(journey),
                    from: Some(Arc::clone(path.stage())),
                    to: None,
                });
                journeys::count(journey, path, -1, &mut self.rollups);
            }
        }
    }

    /// Returns the amounts to add to the counters of the customer's tenant: kind, name and amount.
    pub fn counters(&self) -> Vec<(CounterKind, String, i64)> {
        let mut counters = Vec::new();
        let segments = |names: &[Arc<str>], delta: i64| {
            names
                .iter()
                .map(|name| (CounterKind::Segment, String::from(&**name), delta))
                .collect::<Vec<_>>()
        };
        counters.extend(segments(&self.entered, 1));
        counters.extend(segments(&self.left, -1));
        for Move { journey, from, to } in &self.moved {
            let name = |stage: &Arc<str>| format!("{journey}/{stage}");
            counters.extend(
                from.as_ref()
                    .map(|stage| (CounterKind::Stage, name(stage), -1)),
            );
            counters.extend(
                to.as_ref()
                    .map(|stage| (CounterKind::Stage, name(stage), 1)),
            );
        }
        if let Some((from, to)) = self.band {
            counters.extend(from.map(|band| (CounterKind::Band, band.name().to_owned(), -1)));
            counters.extend(to.map(|band| (CounterKind::Band, band.name().to_owned(), 1)));
        }
        if let Some((before, now)) = &self.discrete_scores {
            counters.extend(discrete_scores::counters(before, now));
        }
        counters.extend(self.offers.iter().cloned());
        counters
    }

    /// Whether the two are told apart by nothing that has a row of its own.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

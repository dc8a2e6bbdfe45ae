//! Segments that need history which the state does not hold: the instants from which they are exact.
//!
//! A tracked leaf counts from the instant at which its definition came into force. What it says of a
//! window is exact once the whole window lies after that; what it says of all time never is, until
//! a rebuild.

use tidemark_schemas::Instant;

use super::expression::{
    Ago, Duration, EventCondition, EventWindow, Expression, RegularlyCondition, SequenceCondition,
    TrackedLeaf,
};
use super::{Segment, TenantDefinitions};
use crate::days;
use crate::state::LeafId;

/// A segment that is not exact yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfilling {
    /// It counts what occurred from then on; none before the definition is in force.
    pub counts_from: Option<Instant>,
    /// The instant at which it is exact; none if only a rebuild makes it so.
    pub exact_at: Option<Instant>,
}

impl Backfilling {
    /// Combines the states of two leaves.
    fn and(self, other: Self) -> Self {
        let both = |one: Option<Instant>, other: Option<Instant>| Some(one?.max(other?));
        Self {
            counts_from: both(self.counts_from, other.counts_from),
            exact_at: both(self.exact_at, other.exact_at),
        }
    }
}

/// Returns the state of a leaf that counts from one instant and is exact from another.
fn until(
    at: Instant,
    counts_from: Option<Instant>,
    exact_at: impl FnOnce(Instant) -> Option<Instant>,
) -> Option<Backfilling> {
    let exact_at = counts_from.and_then(exact_at);
    let backfilling = Backfilling {
        counts_from,
        exact_at,
    };
    exact_at
        .is_none_or(|exact_at| exact_at > at)
        .then_some(backfilling)
}

impl TenantDefinitions {
    /// Whether a segment, or one it refers to, is not exact at an instant. `counts_from` says from
    /// when on a leaf counts.
    pub fn backfilling(
        &self,
        segment: &Segment,
        at: Instant,
        counts_from: &impl Fn(LeafId) -> Option<Instant>,
    ) -> Option<Backfilling> {
        self.backfilling_of(&segment.expression, at, counts_from)
    }

    /// Whether everything a segment wants counted is counted under other definitions already.
    pub fn counts_already(&self, segment: &Segment, before: &Self) -> bool {
        let since = before.appended_at;
        let counted = |leaf| before.tracked.contains_key(&leaf).then_some(since);
        self.backfilling(segment, since, &counted)
            .is_none_or(|backfilling| backfilling.counts_from.is_some())
    }

    fn backfilling_of(
        &self,
        expression: &Expression,
        at: Instant,
        counts_from: &impl Fn(LeafId) -> Option<Instant>,
    ) -> Option<Backfilling> {
        match expression {
            Expression::All(inner) | Expression::Any(inner) => inner
                .iter()
                .filter_map(|expression| self.backfilling_of(expression, at, counts_from))
                .reduce(Backfilling::and),
            Expression::Not(inner) => self.backfilling_of(inner, at, counts_from),
            // Segments stand after those they refer to: this ends.
            Expression::Segment(reference) => self
                .segments
                .get(reference.index)
                .and_then(|segment| self.backfilling(segment, at, counts_from)),
            Expression::Event(condition) => until(at, counts_from(condition.tracked?), |from| {
                self.exact_at(condition, from)
            }),
            Expression::Sequence(condition) => until(at, counts_from(condition.tracked), |from| {
                self.sequence_exact_at(condition, from)
            }),
            Expression::Regularly(condition) => {
                until(at, counts_from(condition.tracked?), |from| {
                    self.regularly_exact_at(condition, from)
                })
            }
            // Whether it was done before is never known.
            Expression::Restarted(condition) => {
                until(at, counts_from(condition.tracked?), |_| None)
            }
            Expression::MemberFor(condition) => self
                .segments
                .get(condition.segment.index)
                .and_then(|segment| self.backfilling(segment, at, counts_from)),
            Expression::Attribute(_)
            | Expression::Orders(_)
            | Expression::Stage(_)
            | Expression::Churn(_)
            | Expression::Record(_)
            | Expression::Score(_)
            | Expression::Bucket(_)
            | Expression::Manual(_) => None,
        }
    }

    /// It may have begun long before it was completed.
    fn sequence_exact_at(&self, condition: &SequenceCondition, from: Instant) -> Option<Instant> {
        match self.tracked.get(&condition.tracked)? {
            TrackedLeaf::Sequence(rule) => {
                self.after(self.after(from, rule.length)?, condition.within?)
            }
            TrackedLeaf::Count(_) => None,
        }
    }

    fn regularly_exact_at(&self, condition: &RegularlyCondition, from: Instant) -> Option<Instant> {
        let zone = &self.rules.zone;
        let begun = condition.period.of_day(days::day_of(zone, from));
        let over = begun.checked_add(condition.of)?;
        days::start_of(zone, condition.period.first_day(over)?)
    }

    fn after(&self, from: Instant, duration: Duration) -> Option<Instant> {
        match duration {
            Duration::Exact(micros) => Some(from.plus_micros(micros)),
            Duration::Days(length) => self.days_after(from, length),
        }
    }

    /// Returns the instant from which everything that the condition asks about lies after `from`.
    fn exact_at(&self, condition: &EventCondition, from: Instant) -> Option<Instant> {
        let zone = &self.rules.zone;
        let nothing_counted = condition.count.0.is_empty();
        let window = match condition.window {
            EventWindow::Ever if nothing_counted => Some(from),
            EventWindow::Ever => None,
            EventWindow::LastMicros(micros) => Some(from.plus_micros(micros)),
            EventWindow::LastDays(length) => self.days_after(from, length),
            // It begins after the counting did, or never was counted whole.
            EventWindow::Between(first, _) => {
                (days::start_of(zone, first)? >= from).then_some(from)
            }
        };
        let last = match condition.last {
            None => Some(from),
            Some(Ago::Within(duration)) => self.after(from, duration),
            // Without a bound, an earlier occurrence is unknown.
            Some(Ago::NotWithin(_)) => None,
        };
        let first_time = condition.first_time.is_none().then_some(from);
        Some(window?.max(last?).max(first_time?))
    }

    /// Returns the instant at which a window of days begins after `from`.
    fn days_after(&self, from: Instant, length: i32) -> Option<Instant> {
        let zone = &self.rules.zone;
        let day = days::day_of(zone, from).checked_add(length)?;
        days::start_of(zone, day)
    }
}

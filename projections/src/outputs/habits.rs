//! `sequence`, `regularly` and `restarted`: whether they hold, and when time alone ends that.

use jiff::tz::TimeZone;
use tidemark_schemas::event::ActivityTracked;

use super::evaluation::Evaluation;
use crate::days;
use crate::definitions::expression::{
    Ago, RegularlyCondition, RestartedCondition, SequenceCondition, SequenceRule, TrackedLeaf,
};
use crate::state::activity::Counter;
use crate::state::tracked::{Pace, Steps};
use crate::state::{CustomerState, LeafId, LeafRole};

impl Evaluation<'_> {
    pub(crate) fn sequence(&mut self, condition: &SequenceCondition) -> bool {
        let completed = self.state.tracked.completed(condition.tracked);
        completed.is_some_and(|then| self.was(condition.within.map(Ago::Within), then))
    }

    /// As time passes periods only leave, the oldest first; the current one begins empty.
    pub(crate) fn regularly(&mut self, condition: &RegularlyCondition) -> bool {
        let period = condition.period;
        let Some(counter) = counter(self.state, &condition.name, condition.tracked) else {
            return false;
        };
        let oldest = period.of_day(self.today()) - (condition.of - 1);
        let from = period.first_day(oldest).unwrap_or(i32::MIN);
        let mut periods: Vec<i32> = counter
            .days_from(from)
            .map(|held| period.of_day(held.day))
            .collect();
        periods.dedup();
        let at_least = usize::try_from(condition.at_least).unwrap_or(usize::MAX);
        let Some(spare) = periods.len().checked_sub(at_least) else {
            return false;
        };
        let gone = periods
            .get(spare)
            .and_then(|period| period.checked_add(condition.of));
        let zone = &self.definitions.rules.zone;
        let day = gone.and_then(|gone| period.first_day(gone));
        self.may_change_at(day.and_then(|day| days::start_of(zone, day)));
        true
    }

    /// The newest day on which it was taken up again decides.
    pub(crate) fn restarted(&mut self, condition: &RestartedCondition) -> bool {
        let Some(counter) = counter(self.state, &condition.name, condition.tracked) else {
            return false;
        };
        let zone = &self.definitions.rules.zone;
        let oldest = self.today().saturating_sub(condition.within - 1);
        let mut days = counter.days().rev().peekable();
        while let Some(held) = days.next().filter(|held| held.day >= oldest) {
            let before = match days.peek() {
                Some(before) => Some(before.day),
                // What was before that is so long ago that its day is no longer kept.
                None => (days::day_of(zone, counter.first) < held.day).then_some(i32::MIN),
            };
            if before.is_some_and(|before| before <= held.day.saturating_sub(condition.after)) {
                let gone = held.day.checked_add(condition.within);
                self.may_change_at(gone.and_then(|day| days::start_of(zone, day)));
                return true;
            }
        }
        false
    }
}

/// Returns the counter of a name, or of a tracked leaf.
pub(crate) fn counter<'s>(
    state: &'s CustomerState,
    name: &str,
    tracked: Option<LeafId>,
) -> Option<&'s Counter> {
    match tracked {
        Some(leaf) => state.tracked.get(leaf),
        None => state.activity.get(name),
    }
}

impl SequenceRule {
    /// Returns the parameters of a customer's progress.
    pub(crate) fn pace(&self) -> Pace {
        Pace {
            steps: self.steps.len(),
            length: self.length,
        }
    }

    fn steps_of(&self, activity: &ActivityTracked, zone: &TimeZone) -> Steps {
        let fits = |(place, step): (usize, &crate::definitions::expression::ActivityPattern)| {
            u8::from(step.fits(activity, zone)) << place
        };
        Steps(self.steps.iter().enumerate().map(fits).sum())
    }
}

impl TrackedLeaf {
    /// Returns the role of an activity for the leaf, if any.
    pub(crate) fn asks(&self, activity: &ActivityTracked, zone: &TimeZone) -> Option<LeafRole> {
        match self {
            Self::Count(pattern) => pattern.fits(activity, zone).then_some(LeafRole::Count),
            Self::Sequence(rule) => {
                let steps = rule.steps_of(activity, zone);
                (steps.0 != 0).then(|| LeafRole::Steps(steps, rule.pace()))
            }
        }
    }
}

//! The leaves `sequence`, `regularly` and `restarted`.

use super::ages::age_holds;
use crate::days;
use crate::definitions::expression::{
    Ago, RegularlyCondition, RestartedCondition, SequenceCondition,
};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;

pub(crate) fn sequence_holds(
    condition: &SequenceCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let completed = now.state().tracked.completed(condition.tracked);
    let within = condition.within.map(Ago::Within);
    completed.is_some_and(|then| age_holds(within, then, now, next_change))
}

/// As time passes periods only leave, the oldest first; the current one begins empty.
pub(crate) fn regularly_holds(
    condition: &RegularlyCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let period = condition.period;
    let Some(counter) = now.counter(&condition.name, condition.tracked) else {
        return false;
    };
    let oldest = period.of_day(now.today()) - (condition.of - 1);
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
    next_change.note(now.start_of(gone.and_then(|gone| period.first_day(gone))));
    true
}

/// The newest day on which the activity was taken up again decides.
pub(crate) fn restarted_holds(
    condition: &RestartedCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let Some(counter) = now.counter(&condition.name, condition.tracked) else {
        return false;
    };
    let oldest = now.first_of_last_days(condition.within);
    let mut days = counter.days().rev().peekable();
    while let Some(held) = days.next().filter(|held| held.day >= oldest) {
        let before = match days.peek() {
            Some(before) => Some(before.day),
            // The activity before that is so long ago that its day is no longer kept.
            None => (days::day_of(now.zone(), counter.first) < held.day).then_some(i32::MIN),
        };
        if before.is_some_and(|before| before <= held.day.saturating_sub(condition.after)) {
            next_change.note(now.end_in_last_days(held.day, condition.within));
            return true;
        }
    }
    false
}

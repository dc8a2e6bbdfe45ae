//! Ages of things that happened, and when they pass a bound.

use tidemark_schemas::Instant;

use crate::days;
use crate::definitions::expression::{Ago, Duration};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;

/// Whether an age is as required.
pub(crate) fn age_holds(
    required: Option<Ago>,
    then: Instant,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let (duration, within) = match required {
        None => return true,
        Some(Ago::Within(duration)) => (duration, true),
        Some(Ago::NotWithin(duration)) => (duration, false),
    };
    let end = within_until(duration, then, now);
    next_change.note(end);
    end.is_none_or(|end| now.at() < end) == within
}

/// Returns the instant at which that time will be longer ago; `None`: never.
pub(crate) fn within_until(
    duration: Duration,
    then: Instant,
    now: &StateAt<'_>,
) -> Option<Instant> {
    match duration {
        Duration::Exact(micros) => Some(then.plus_micros(micros)),
        Duration::Days(length) => now.start_of(days::day_of(now.zone(), then).checked_add(length)),
    }
}

/// Whether a condition that began then has lasted that long. Days are days of the calendar: from ten
/// o'clock to ten o'clock.
pub(crate) fn has_lasted(
    since: Instant,
    duration: Duration,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let long_enough = match duration {
        Duration::Exact(micros) => Some(since.plus_micros(micros)),
        Duration::Days(days) => days::same_time_after(now.zone(), since, days),
    };
    next_change.note(long_enough);
    long_enough.is_some_and(|instant| instant <= now.at())
}

//! The `attribute` leaf.

use tidemark_schemas::AttributeValue;

use super::ages::has_lasted;
use crate::days;
use crate::definitions::Moment;
use crate::definitions::expression::{AttributeCondition, AttributeTest, Duration};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;

pub(crate) fn attribute_holds(
    condition: &AttributeCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let current = now.state().attributes.get(&condition.name);
    let value = current
        .map(|current| current.value)
        .filter(|value| !matches!(value, AttributeValue::Null));
    let mut tests = condition.tests.iter();
    if !tests.all(|test| test_holds(test, value, now, next_change)) {
        return false;
    }
    match (condition.has_been_for, current) {
        (None, _) => true,
        (Some(duration), Some(current)) => has_lasted(current.since, duration, now, next_change),
        (Some(_), None) => false,
    }
}

fn test_holds(
    test: &AttributeTest,
    value: Option<&AttributeValue>,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    match (test, value) {
        (AttributeTest::WithinLast(duration), Some(value)) => {
            is_within_last(value, *duration, now, next_change)
        }
        _ => test.holds(value, now.zone()),
    }
}

/// Whether a point in time is past, but not longer than that. A window in days is made of whole
/// days, today and those before it.
fn is_within_last(
    value: &AttributeValue,
    duration: Duration,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let zone = now.zone();
    let Some(moment) = Moment::from_value(value, zone) else {
        return false;
    };
    let Some(start) = moment.start(zone) else {
        return false;
    };
    let end = match duration {
        Duration::Exact(micros) => Some(start.plus_micros(micros)),
        Duration::Days(days) => {
            let day = match moment {
                Moment::Day(day) => day,
                Moment::At(instant) => days::day_of(zone, instant),
            };
            now.start_of(day.checked_add(days))
        }
    };
    next_change.note(Some(start));
    next_change.note(end);
    start <= now.at() && end.is_none_or(|end| now.at() < end)
}

//! The `attribute` leaf.

use tidemark_schemas::{AttributeValue, Instant};

use super::ages::has_lasted;
use crate::days;
use crate::definitions::expression::{AttributeCondition, AttributeTest, Duration};
use crate::definitions::{Moment, PointInTime};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;

pub(crate) fn attribute_holds(
    condition: &AttributeCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let current = now.state().attributes.get(&condition.name);
    let value = current.and_then(|current| condition.value(current.value, now.zone()));
    let mut tests = condition.tests.iter();
    if !tests.all(|test| test_holds(test, value.as_deref(), now, next_change)) {
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
    let start = moment.start(zone);
    next_change.note(start.instant());
    if start > PointInTime::from(now.at()) {
        return false;
    }
    let end = match (duration, moment) {
        (Duration::Exact(micros), _) => start.plus_micros(micros),
        (Duration::Days(days), Moment::Day(day)) => {
            Moment::Day(day.saturating_add(days)).start(zone)
        }
        (Duration::Days(days), Moment::At(point)) => {
            // A point that is past and no instant lies before all instants.
            let day = days::day_of(zone, point.instant().unwrap_or(Instant::MIN));
            Moment::Day(day.saturating_add(days)).start(zone)
        }
    };
    next_change.note(end.instant());
    PointInTime::from(now.at()) < end
}

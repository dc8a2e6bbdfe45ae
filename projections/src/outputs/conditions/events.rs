//! The `event` leaf.

use tidemark_schemas::Instant;

use super::ages::age_holds;
use super::bounds::count_holds;
use crate::definitions::expression::{Bounds, EventCondition, EventWindow};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;
use crate::state::activity::Counter;

pub(crate) fn event_holds(
    condition: &EventCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let Some(counter) = now.counter(&condition.name, condition.tracked) else {
        let never = condition.first_time.is_none() && condition.last.is_none();
        return never && count_holds(&condition.count, 0);
    };
    window_holds(
        condition.window,
        &condition.count,
        counter,
        now,
        next_change,
    ) && age_holds(condition.first_time, counter.first, now, next_change)
        && age_holds(condition.last, counter.last, now, next_change)
}

/// Whether bounds hold for the number of events in a window.
pub(crate) fn window_holds(
    window: EventWindow,
    bounds: &Bounds<i64>,
    counter: &Counter,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    match window {
        EventWindow::Ever => count_holds(bounds, counter.count),
        EventWindow::Between(from, to) => count_holds(bounds, counter.between(from, to)),
        EventWindow::LastMicros(micros) => {
            let inside = counter.after(now.at().plus_micros(-micros));
            let leaving = inside.map(|at| (Some(at.plus_micros(micros)), 1));
            count_holds_until(bounds, leaving, next_change)
        }
        EventWindow::LastDays(length) => {
            let inside = counter.days_from(now.first_of_last_days(length));
            let leaving = inside.map(|of| {
                let end = now.end_in_last_days(of.day, length);
                (end, u64::from(of.events))
            });
            count_holds_until(bounds, leaving, next_change)
        }
    }
}

/// Whether the bounds hold for the events inside a window, which leave it oldest first; notes the
/// first instant at which that makes a difference.
fn count_holds_until(
    bounds: &Bounds<i64>,
    leaving: impl Iterator<Item = (Option<Instant>, u64)> + Clone,
    next_change: &mut NextChange,
) -> bool {
    let mut count = leaving.clone().map(|(_, events)| events).sum();
    let holds = count_holds(bounds, count);
    let mut leaving = leaving;
    let difference = leaving.find(|(_, events)| {
        count -= events;
        count_holds(bounds, count) != holds
    });
    next_change.note(difference.and_then(|(at, _)| at));
    holds
}

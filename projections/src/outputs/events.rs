//! The `event` leaf: whether it holds, and when time alone may change that.

use tidemark_schemas::Instant;

use super::evaluation::Evaluation;
use super::habits::counter;
use crate::days;
use crate::definitions::expression::{Ago, Bounds, Duration, EventCondition, EventWindow};
use crate::state::activity::Counter;

impl Evaluation<'_> {
    pub(crate) fn event(&mut self, condition: &EventCondition) -> bool {
        let Some(counter) = counter(self.state, &condition.name, condition.tracked) else {
            let never = condition.first_time.is_none() && condition.last.is_none();
            return never && count_holds(&condition.count, 0);
        };
        self.counted(condition.window, &condition.count, counter)
            && self.was(condition.first_time, counter.first)
            && self.was(condition.last, counter.last)
    }

    /// Whether bounds hold of how many fall into a window.
    pub(crate) fn counted(
        &mut self,
        window: EventWindow,
        bounds: &Bounds<i64>,
        counter: &Counter,
    ) -> bool {
        match window {
            EventWindow::Ever => count_holds(bounds, counter.count),
            EventWindow::Between(from, to) => count_holds(bounds, counter.between(from, to)),
            EventWindow::LastMicros(micros) => {
                let inside = counter.after(self.at.plus_micros(-micros));
                let leaving = inside.map(|at| (Some(at.plus_micros(micros)), 1));
                self.counted_until(bounds, leaving)
            }
            EventWindow::LastDays(length) => {
                let zone = &self.definitions.rules.zone;
                let inside = counter.days_from(self.today().saturating_sub(length - 1));
                let leaving = inside.map(|of| {
                    let gone = of.day.checked_add(length);
                    let at = gone.and_then(|day| days::start_of(zone, day));
                    (at, u64::from(of.events))
                });
                self.counted_until(bounds, leaving)
            }
        }
    }

    /// Whether the bounds hold of what is inside a window, which leaves it oldest first: when does
    /// that make a difference?
    fn counted_until(
        &mut self,
        bounds: &Bounds<i64>,
        leaving: impl Iterator<Item = (Option<Instant>, u64)> + Clone,
    ) -> bool {
        let mut count = leaving.clone().map(|(_, events)| events).sum();
        let holds = count_holds(bounds, count);
        let mut leaving = leaving;
        let difference = leaving.find(|(_, events)| {
            count -= events;
            count_holds(bounds, count) != holds
        });
        self.may_change_at(difference.and_then(|(at, _)| at));
        holds
    }

    /// Whether something was as long ago as asked.
    pub(crate) fn was(&mut self, asked: Option<Ago>, then: Instant) -> bool {
        let (duration, within) = match asked {
            None => return true,
            Some(Ago::Within(duration)) => (duration, true),
            Some(Ago::NotWithin(duration)) => (duration, false),
        };
        let end = self.within_until(duration, then);
        self.may_change_at(end);
        end.is_none_or(|end| self.at < end) == within
    }

    /// Returns the instant at which that time will be longer ago; `None`: never.
    pub(crate) fn within_until(&self, duration: Duration, then: Instant) -> Option<Instant> {
        let zone = &self.definitions.rules.zone;
        match duration {
            Duration::Exact(micros) => Some(then.plus_micros(micros)),
            Duration::Days(length) => days::day_of(zone, then)
                .checked_add(length)
                .and_then(|day| days::start_of(zone, day)),
        }
    }
}

pub(crate) fn count_holds(bounds: &Bounds<i64>, count: u64) -> bool {
    bounds.hold(|bound| i128::from(count).cmp(&i128::from(*bound)))
}

//! The leaves of expressions: whether they hold, and when that may change.
//!
//! Of an attribute without a value everything is false but `ne`, `not_in` and `missing`; so it is of
//! a value of another type (`gt` of a text).

use jiff::tz::TimeZone;
use tidemark_schemas::event::ActivityTracked;
use tidemark_schemas::{AttributeValue, Instant};

use super::evaluation::Evaluation;
use super::ledger::{Totals, totals_of};
use crate::days;
use crate::definitions::Moment;
use crate::definitions::expression::{
    ActivityPattern, AttributeCondition, AttributeTest, Bounds, ChurnCondition, Duration,
    OrderWindow, OrdersCondition, StageCondition,
};
use crate::journeys::runs;
use crate::number::compare_numbers;

impl Evaluation<'_> {
    pub(crate) fn attribute(&mut self, condition: &AttributeCondition) -> bool {
        let current = self.state.attributes.get(&condition.name);
        let value = current
            .map(|current| current.value)
            .filter(|value| !matches!(value, AttributeValue::Null));
        if !condition.tests.iter().all(|test| self.test(test, value)) {
            return false;
        }
        match (condition.has_been_for, current) {
            (None, _) => true,
            (Some(duration), Some(current)) => self.has_lasted(current.since, duration),
            (Some(_), None) => false,
        }
    }

    fn test(&mut self, test: &AttributeTest, value: Option<&AttributeValue>) -> bool {
        match (test, value) {
            (AttributeTest::WithinLast(duration), Some(value)) => {
                self.within_last(value, *duration)
            }
            _ => satisfies(test, value, &self.definitions.rules.zone),
        }
    }

    /// Whether something that began then has lasted that long. Days are days of the calendar: from
    /// ten o'clock to ten o'clock.
    pub(crate) fn has_lasted(&mut self, since: Instant, duration: Duration) -> bool {
        let long_enough = match duration {
            Duration::Exact(micros) => Some(since.plus_micros(micros)),
            Duration::Days(days) => {
                days::same_time_after(&self.definitions.rules.zone, since, days)
            }
        };
        self.may_change_at(long_enough);
        long_enough.is_some_and(|instant| instant <= self.at)
    }

    /// Whether a point in time is past, but not longer than that. A window in days is made of whole
    /// days, today and those before it.
    fn within_last(&mut self, value: &AttributeValue, duration: Duration) -> bool {
        let zone = &self.definitions.rules.zone;
        let Some(moment) = moment_of(value, zone) else {
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
                day.checked_add(days)
                    .and_then(|day| days::start_of(zone, day))
            }
        };
        self.may_change_at(Some(start));
        self.may_change_at(end);
        start <= self.at && end.is_none_or(|end| self.at < end)
    }

    pub(crate) fn orders(&mut self, condition: &OrdersCondition) -> bool {
        match condition.window {
            OrderWindow::Ever => orders_hold(condition, self.ledger().totals()),
            OrderWindow::Between(from, to) => {
                orders_hold(condition, self.ledger().totals_between(from, to))
            }
            OrderWindow::LastDays(days) => {
                if self.ledger().days.is_empty() {
                    return orders_hold(condition, Totals::default());
                }
                let from = self.today().saturating_sub(days - 1);
                let inside = self.ledger().days_from(from);
                let mut totals = totals_of(inside);
                let holds = orders_hold(condition, totals);
                // Time takes days away, oldest first: when does that make a difference?
                let leaving = inside.iter().find(|day| {
                    totals.subtract(day.totals);
                    orders_hold(condition, totals) != holds
                });
                let gone = leaving.and_then(|day| day.day.checked_add(days));
                let zone = &self.definitions.rules.zone;
                self.may_change_at(gone.and_then(|day| days::start_of(zone, day)));
                holds
            }
        }
    }

    pub(crate) fn stage(&mut self, condition: &StageCondition) -> bool {
        let journey = self.definitions.journeys.get(&condition.journey);
        let current = journey.and_then(|journey| self.stage_in(journey));
        if !condition.is.is_empty()
            && !current.is_some_and(|current| condition.is.contains(current.stage))
        {
            return false;
        }
        if condition
            .reached
            .as_ref()
            .is_some_and(|stage| !self.reached(condition, stage))
        {
            return false;
        }
        match (condition.in_for, current) {
            (None, _) => true,
            (Some(duration), Some(current)) => self.has_lasted(current.since, duration),
            (Some(_), None) => false,
        }
    }

    fn reached(&self, condition: &StageCondition, stage: &str) -> bool {
        let Some(journey) = self.definitions.journeys.get(&condition.journey) else {
            return false;
        };
        let entries = self.state.journeys.entries(&condition.journey);
        let triggers = self.triggers(journey);
        let mut reached = runs(journey, entries, &triggers).map(|(place, _)| place);
        let wanted = journey.position(stage);
        wanted.is_some_and(|wanted| reached.any(|place| place >= wanted))
    }

    pub(crate) fn churn(&mut self, condition: &ChurnCondition) -> bool {
        self.score();
        let (Some(band), Some(p_alive)) = (self.band, self.p_alive) else {
            return false;
        };
        // When the band changes is noted already.
        if !condition.bands.is_empty() && !condition.bands.contains(&band) {
            return false;
        }
        self.probability(&condition.risk, 1.0 - p_alive, |p_alive| 1.0 - p_alive)
            && self.probability(&condition.p_alive, p_alive, |p_alive| p_alive)
    }

    /// Whether bounds of a probability hold. P(alive) only falls by itself, so each bound changes
    /// once at most.
    fn probability(&mut self, bounds: &Bounds<f64>, now: f64, of: impl Fn(f64) -> f64) -> bool {
        bounds.0.iter().all(|(comparison, bound)| {
            let holds_for = |value: f64| comparison.holds(value.total_cmp(bound));
            let holds = holds_for(now);
            if let Some(history) = self.history {
                let model = &self.definitions.churn;
                let near = of(*bound);
                let age = model.age_when(history, near, |p_alive| holds_for(of(p_alive)) != holds);
                self.may_change_at_age(age);
            }
            holds
        })
    }
}

/// Whether a test holds of a value, whatever the time; of what was within some time it does not.
fn satisfies(test: &AttributeTest, value: Option<&AttributeValue>, zone: &TimeZone) -> bool {
    let Some(value) = value else {
        return matches!(
            test,
            AttributeTest::NotEquals(_) | AttributeTest::NotIn(_) | AttributeTest::Missing
        );
    };
    let starts = |is: &dyn Fn(Instant) -> bool| start_of_value(value, zone).is_some_and(is);
    match test {
        AttributeTest::Equals(other) => same(value, other),
        AttributeTest::NotEquals(other) => !same(value, other),
        AttributeTest::Compares(comparison, other) => {
            compare_numbers(value, other).is_some_and(|ordering| comparison.holds(ordering))
        }
        AttributeTest::In(others) => others.iter().any(|other| same(value, other)),
        AttributeTest::NotIn(others) => !others.iter().any(|other| same(value, other)),
        AttributeTest::Contains(part) => text_of(value).contains(&**part),
        AttributeTest::StartsWith(part) => text_of(value).starts_with(&**part),
        AttributeTest::EndsWith(part) => text_of(value).ends_with(&**part),
        AttributeTest::Matches(pattern) => {
            matches!(value, AttributeValue::String(found) if pattern.is_match(found))
        }
        AttributeTest::Exists => true,
        AttributeTest::Missing | AttributeTest::WithinLast(_) => false,
        AttributeTest::Before(bound) => starts(&|start| start < *bound),
        AttributeTest::From(bound) => starts(&|start| start >= *bound),
    }
}

impl ActivityPattern {
    /// Whether an activity is one of these. Of a property without a value everything is false but
    /// what is of an attribute, too.
    pub(crate) fn fits(&self, activity: &ActivityTracked, zone: &TimeZone) -> bool {
        let holds = |condition: &AttributeCondition| {
            let value = activity.properties.get(&condition.name);
            let value = value.filter(|value| !matches!(value, AttributeValue::Null));
            condition
                .tests
                .iter()
                .all(|test| satisfies(test, value, zone))
        };
        self.name == activity.name && self.properties.iter().all(holds)
    }
}

fn orders_hold(condition: &OrdersCondition, totals: Totals) -> bool {
    let converted = i128::from(totals.converted);
    let OrdersCondition {
        window: _,
        count,
        revenue,
        average,
    } = condition;
    count.hold(|bound| i128::from(totals.orders).cmp(&i128::from(*bound)))
        && revenue.hold(|bound| totals.net_minor.cmp(&i128::from(*bound)))
        // Multiplied rather than divided: no digit is lost. Bounds are below 2^44.
        && (average.0.is_empty() || converted > 0)
        && average.hold(|bound| totals.net_minor.cmp(&(i128::from(*bound) * converted)))
}

/// The text of a value; of other values the empty one, which none of the texts looked for is part
/// of.
fn text_of(value: &AttributeValue) -> &str {
    match value {
        AttributeValue::String(text) => text,
        AttributeValue::Null
        | AttributeValue::Boolean(_)
        | AttributeValue::Long(_)
        | AttributeValue::Double(_) => "",
    }
}

fn same(left: &AttributeValue, right: &AttributeValue) -> bool {
    compare_numbers(left, right).map_or_else(|| left == right, std::cmp::Ordering::is_eq)
}

/// The point in time a text names.
fn moment_of(value: &AttributeValue, zone: &TimeZone) -> Option<Moment> {
    match value {
        AttributeValue::String(text) => Moment::parse(text, zone),
        AttributeValue::Null
        | AttributeValue::Boolean(_)
        | AttributeValue::Long(_)
        | AttributeValue::Double(_) => None,
    }
}

fn start_of_value(value: &AttributeValue, zone: &TimeZone) -> Option<Instant> {
    moment_of(value, zone).and_then(|moment| moment.start(zone))
}

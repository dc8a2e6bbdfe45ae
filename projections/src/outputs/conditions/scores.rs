//! The leaves of trained models: `rfm`, `cluster`, `value` and `conversion`.

use std::cmp::Ordering;

use crate::days;
use crate::definitions::expression::{Bounds, ConversionCondition, RfmCondition, ValueCondition};
use crate::models::{MAX_AGE, PERCENTILE_DAYS, PurchaseHistory, discounted_value};
use crate::outputs::memberships::Memberships;
use crate::outputs::next_change::NextChange;
use crate::outputs::purchase_value::{DISCOUNT, mean_purchase_minor};
use crate::outputs::stages::stage_in;
use crate::outputs::state_at::StateAt;

/// Each day spent in a stage is another chance, or one gone.
pub(crate) fn conversion_holds(
    condition: &ConversionCondition,
    now: &StateAt<'_>,
    memberships: &Memberships,
    next_change: &mut NextChange,
) -> bool {
    let journey = now.definitions().journeys.get(&condition.journey);
    let place = journey.and_then(|journey| {
        let stands = stage_in(journey, now, memberships)?;
        Some((journey.position(stands.stage)?, stands.since))
    });
    let Some((place, since)) = place else {
        return false;
    };
    let entered = days::day_of(now.zone(), since);
    let dwell = u32::try_from(now.today().saturating_sub(entered)).unwrap_or(0);
    let (holds, until) = condition.holds.at(place, dwell);
    let day = until.and_then(|until| entered.checked_add_unsigned(until));
    next_change.note(now.start_of(day));
    holds
}

pub(crate) fn rfm_holds(
    condition: &RfmCondition,
    history: PurchaseHistory,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let trained = now.definitions().models.rfm.as_ref();
    let Some((trained, rfm)) = trained.zip(now.ledger().rfm(now.today())) else {
        return false;
    };
    let cell = trained.model.cell(rfm);
    let holds = |bounds: &Bounds<i64>, fifth: u8| bounds.hold(|of| i64::from(fifth).cmp(of));
    if !condition.recency.0.is_empty() {
        let next = trained.model.next_recency(rfm.recency_days);
        next_change.note(now.start_of_age(next.map(|recency| history.last + recency)));
    }
    holds(&condition.recency, cell.recency)
        && holds(&condition.frequency, cell.frequency)
        && holds(&condition.monetary, cell.monetary)
}

pub(crate) fn cluster_holds(
    clusters: &[usize],
    history: PurchaseHistory,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let trained = now.definitions().models.clusters.as_ref();
    let Some((trained, rfm)) = trained.zip(now.ledger().rfm(now.today())) else {
        return false;
    };
    let next = trained.model.next_recency(rfm);
    next_change.note(now.start_of_age(next.map(|recency| history.last + recency)));
    clusters.contains(&trained.model.assign(rfm).cluster)
}

/// Silence lowers what is expected, day by day, so each bound changes once at most. Bounds of money are
/// false until spending is trained: it has no parameters in the tenant's currency before.
pub(crate) fn value_holds(
    condition: &ValueCondition,
    history: PurchaseHistory,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let (definitions, days) = (now.definitions(), condition.days);
    let churn = &definitions.churn;
    let at_age = |age| PurchaseHistory { age, ..history };
    let purchases = |age| churn.expected_purchases(at_age(age), days);
    let mut falling = Falling {
        age: history.age,
        now,
        next_change,
    };
    if !falling.holds(&condition.purchases, purchases, f64::total_cmp) {
        return false;
    }
    if condition.amount.0.is_empty() && condition.percentile.0.is_empty() {
        return true;
    }
    let Some(mean) = mean_purchase_minor(now.ledger(), definitions) else {
        return false;
    };
    let value = |age, days| discounted_value(churn, at_age(age), mean, days, DISCOUNT);
    if !condition.percentile.0.is_empty() {
        let Some(trained) = definitions.models.scored_value() else {
            return false;
        };
        let percentile = |age| trained.model.percentile(value(age, PERCENTILE_DAYS));
        if !falling.holds(&condition.percentile, percentile, Ord::cmp) {
            return false;
        }
    }
    falling.holds(&condition.amount, |age| value(age, days), f64::total_cmp)
}

/// Expectations at the customer's age, which fall while it grows.
struct Falling<'e, 'a> {
    age: i64,
    now: &'e StateAt<'a>,
    next_change: &'e mut NextChange,
}

impl Falling<'_, '_> {
    /// Whether bounds hold for an expectation at the customer's age.
    fn holds<T>(
        &mut self,
        bounds: &Bounds<T>,
        at_age: impl Fn(i64) -> T,
        compare: impl Fn(&T, &T) -> Ordering,
    ) -> bool {
        bounds.0.iter().all(|(comparison, bound)| {
            let holds_at = |age: i64| comparison.holds(compare(&at_age(age), bound));
            let holds = holds_at(self.age);
            let age = next_look(self.age, |age| holds_at(age) != holds);
            self.next_change.note(self.now.start_of_age(age));
            holds
        })
    }
}

/// An age not above the first one at which `changed` holds, but above this one; `None` where it never
/// does. Early by half of the time at most: then one looks again, which takes fewer steps now than to
/// find the very day.
fn next_look(age: i64, changed: impl Fn(i64) -> bool) -> Option<i64> {
    if age >= MAX_AGE || !changed(MAX_AGE) {
        return None;
    }
    let mut step = 1;
    while age + step < MAX_AGE && !changed(age + step) {
        step *= 2;
    }
    // Not changed yet half a step back, if a step is more than a day.
    Some((age + step / 2 + 1).min(age + step))
}

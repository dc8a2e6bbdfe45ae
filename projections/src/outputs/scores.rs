//! The `rfm`, `cluster`, `value` and `conversion` leaves: whether they hold, and when time alone may change that.

use std::cmp::Ordering;

use super::evaluation::Evaluation;
use super::purchase_value::{DISCOUNT, mean_purchase_minor};
use crate::days;
use crate::definitions::expression::{
    Bounds, ConversionCondition, RfmCondition, ScoreCondition, ValueCondition,
};
use crate::models::{MAX_AGE, PERCENTILE_DAYS, PurchaseHistory, discounted_value};

impl Evaluation<'_> {
    pub(crate) fn scored(&mut self, condition: &ScoreCondition) -> bool {
        if let ScoreCondition::Conversion(condition) = condition {
            return self.conversion(condition);
        }
        self.score();
        // A customer without purchases is not scored.
        let Some(history) = self.history else {
            return false;
        };
        match condition {
            ScoreCondition::Rfm(condition) => self.rfm(condition, history),
            ScoreCondition::Cluster(clusters) => self.cluster(clusters, history),
            ScoreCondition::Value(condition) => self.value(condition, history),
            ScoreCondition::Conversion(condition) => self.conversion(condition),
        }
    }

    /// Each day spent in a stage is another chance, or one gone.
    fn conversion(&mut self, condition: &ConversionCondition) -> bool {
        let journey = self.definitions.journeys.get(&condition.journey);
        let place = journey.and_then(|journey| {
            let stands = self.stage_in(journey)?;
            Some((journey.position(stands.stage)?, stands.since))
        });
        let Some((place, since)) = place else {
            return false;
        };
        let zone = &self.definitions.rules.zone;
        let entered = days::day_of(zone, since);
        let dwell = u32::try_from(self.today().saturating_sub(entered)).unwrap_or(0);
        let (holds, until) = condition.holds.at(place, dwell);
        let day = until.and_then(|until| entered.checked_add_unsigned(until));
        self.may_change_at(day.and_then(|day| days::start_of(zone, day)));
        holds
    }

    fn rfm(&mut self, condition: &RfmCondition, history: PurchaseHistory) -> bool {
        let trained = self.definitions.models.rfm.as_ref();
        let Some((trained, rfm)) = trained.zip(self.ledger().rfm(self.today())) else {
            return false;
        };
        let cell = trained.model.cell(rfm);
        let holds = |bounds: &Bounds<i64>, fifth: u8| bounds.hold(|of| i64::from(fifth).cmp(of));
        if !condition.recency.0.is_empty() {
            let next = trained.model.next_recency(rfm.recency_days);
            self.may_change_at_age(next.map(|recency| history.last + recency));
        }
        holds(&condition.recency, cell.recency)
            && holds(&condition.frequency, cell.frequency)
            && holds(&condition.monetary, cell.monetary)
    }

    fn cluster(&mut self, clusters: &[usize], history: PurchaseHistory) -> bool {
        let trained = self.definitions.models.clusters.as_ref();
        let Some((trained, rfm)) = trained.zip(self.ledger().rfm(self.today())) else {
            return false;
        };
        let next = trained.model.next_recency(rfm);
        self.may_change_at_age(next.map(|recency| history.last + recency));
        clusters.contains(&trained.model.assign(rfm).cluster)
    }

    /// Silence lowers what is expected, day by day, so each bound changes once at most.
    fn value(&mut self, condition: &ValueCondition, history: PurchaseHistory) -> bool {
        let (definitions, days) = (self.definitions, condition.days);
        let churn = &definitions.churn;
        let purchases = |age| churn.expected_purchases(PurchaseHistory { age, ..history }, days);
        if !self.expected(&condition.purchases, history, purchases) {
            return false;
        }
        if condition.amount.0.is_empty() && condition.percentile.0.is_empty() {
            return true;
        }
        let mean = mean_purchase_minor(self.ledger(), definitions);
        if !self.percentile(&condition.percentile, history, mean) {
            return false;
        }
        let amount = |age| {
            let history = PurchaseHistory { age, ..history };
            discounted_value(churn, history, mean, days, DISCOUNT)
        };
        self.expected(&condition.amount, history, amount)
    }

    fn percentile(&mut self, bounds: &Bounds<i64>, history: PurchaseHistory, mean: f64) -> bool {
        if bounds.0.is_empty() {
            return true;
        }
        let definitions = self.definitions;
        let Some(trained) = &definitions.models.value else {
            return false;
        };
        let percentile = |age| {
            let history = PurchaseHistory { age, ..history };
            let value =
                discounted_value(&definitions.churn, history, mean, PERCENTILE_DAYS, DISCOUNT);
            trained.model.percentile(value)
        };
        self.falling(bounds, history.age, percentile, |found, bound| {
            found.cmp(bound)
        })
    }

    /// Days with a purchase and what they are worth, as `value` asks for them; `None` of one who never
    /// bought.
    pub(crate) fn expected_value(&self, condition: &ValueCondition) -> Option<(f64, f64)> {
        let history = self.history?;
        let churn = &self.definitions.churn;
        let mean = mean_purchase_minor(self.ledger(), self.definitions);
        let amount = discounted_value(churn, history, mean, condition.days, DISCOUNT);
        Some((churn.expected_purchases(history, condition.days), amount))
    }

    /// Whether bounds hold of what is expected at the customer's age, and falls while it grows.
    fn expected(
        &mut self,
        bounds: &Bounds<f64>,
        history: PurchaseHistory,
        at_age: impl Fn(i64) -> f64,
    ) -> bool {
        self.falling(bounds, history.age, at_age, f64::total_cmp)
    }

    fn falling<T>(
        &mut self,
        bounds: &Bounds<T>,
        age: i64,
        at_age: impl Fn(i64) -> T,
        compare: impl Fn(&T, &T) -> Ordering,
    ) -> bool {
        bounds.0.iter().all(|(comparison, bound)| {
            let holds_at = |age: i64| comparison.holds(compare(&at_age(age), bound));
            let holds = holds_at(age);
            let age = next_look(age, |age| holds_at(age) != holds);
            self.may_change_at_age(age);
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

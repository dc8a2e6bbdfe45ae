//! The `rfm`, `cluster` and `value` leaves: whether they hold, and when time alone may change that.

use super::evaluate::Evaluation;
use super::predictions::{DISCOUNT, mean_purchase_minor};
use crate::definitions::expression::{Bounds, RfmCondition, ScoreCondition, ValueCondition};
use crate::models::{MAX_AGE, PurchaseHistory, discounted_value};

impl Evaluation<'_> {
    pub(super) fn scored(&mut self, condition: &ScoreCondition) -> bool {
        self.score();
        // Who never bought is not scored.
        let Some(history) = self.history else {
            return false;
        };
        match condition {
            ScoreCondition::Rfm(condition) => self.rfm(condition, history),
            ScoreCondition::Cluster(clusters) => self.cluster(clusters, history),
            ScoreCondition::Value(condition) => self.value(condition, history),
        }
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
        if condition.amount.0.is_empty() {
            return true;
        }
        let mean = mean_purchase_minor(self.ledger(), definitions);
        let amount = |age| {
            let history = PurchaseHistory { age, ..history };
            discounted_value(churn, history, mean, days, DISCOUNT)
        };
        self.expected(&condition.amount, history, amount)
    }

    /// Days with a purchase and what they are worth, as `value` asks for them; `None` of one who never
    /// bought.
    pub(super) fn expected_value(&self, condition: &ValueCondition) -> Option<(f64, f64)> {
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
        bounds.0.iter().all(|(comparison, bound)| {
            let holds_at = |age: i64| comparison.holds(at_age(age).total_cmp(bound));
            let holds = holds_at(history.age);
            let age = next_look(history.age, |age| holds_at(age) != holds);
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

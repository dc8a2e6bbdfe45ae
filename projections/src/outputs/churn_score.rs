//! The churn score of a customer.

use crate::models::{Band, ChurnModel, PurchaseHistory};

/// The churn score of a customer that has bought, with the purchases that it is computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChurnScore {
    /// The purchases.
    pub(crate) history: PurchaseHistory,
    /// The probability that the customer still buys.
    pub(crate) p_alive: f64,
    /// The band of the risk.
    pub(crate) band: Band,
}

impl ChurnScore {
    /// Scores a purchase history.
    pub(crate) fn new(history: PurchaseHistory, model: &ChurnModel) -> Self {
        let p_alive = model.p_alive(history);
        Self {
            history,
            p_alive,
            band: model.band(1.0 - p_alive),
        }
    }

    /// Returns the churn risk, 1 − P(alive).
    pub(crate) fn risk(&self) -> f64 {
        1.0 - self.p_alive
    }

    /// Returns the customer's age in days at which the risk reaches the next threshold, if it does.
    pub(crate) fn age_at_next_band(&self, model: &ChurnModel) -> Option<i64> {
        let next_threshold = match self.band {
            Band::Low => model.thresholds.medium,
            Band::Medium => model.thresholds.high,
            Band::High => return None,
        };
        model.age_when(self.history, 1.0 - next_threshold, |p_alive| {
            model.band(1.0 - p_alive) > self.band
        })
    }
}

//! Whether a subscriber renews: the shifted-beta-geometric model (Fader and Hardie 2007).

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::decile::Decile;
use super::special::{double, is_parameter, ln_beta};

/// Each subscriber cancels at every renewal with a probability of its own, drawn from
/// Beta(alpha, beta): customers that stay become ever more loyal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalModel {
    /// First shape, positive.
    pub alpha: f64,
    /// Second shape, positive.
    pub beta: f64,
}

/// The number of subscribers that were observed at a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewals {
    /// The renewal: the first is 1.
    pub period: u32,
    /// Cancelled then.
    pub cancelled: u64,
    /// Were last seen to renew then, and still subscribe.
    pub still_subscribed: u64,
}

impl RenewalModel {
    /// P(T > t): still subscribed after so many renewals.
    pub fn survival(&self, periods: u32) -> f64 {
        let Self { alpha, beta } = *self;
        libm::exp(ln_beta(alpha, beta + f64::from(periods)) - ln_beta(alpha, beta)).min(1.0)
    }

    /// The probability of cancelling at the next renewal, after so many: falls with tenure.
    pub fn risk(&self, renewed: u32) -> f64 {
        let Self { alpha, beta } = *self;
        alpha / (alpha + beta + f64::from(renewed))
    }

    /// The logarithm of how likely all of this is.
    pub fn log_likelihood(&self, seen: &[Renewals]) -> f64 {
        let Self { alpha, beta } = *self;
        let ln_norm = ln_beta(alpha, beta);
        let of_period = |seen: &Renewals| {
            let period = f64::from(seen.period);
            let ln_cancels = ln_beta(alpha + 1.0, beta + period - 1.0) - ln_norm;
            let ln_survives = ln_beta(alpha, beta + period) - ln_norm;
            double(seen.cancelled) * ln_cancels + double(seen.still_subscribed) * ln_survives
        };
        seen.iter().map(of_period).sum()
    }
}

/// Renewal models of a tenant's subscriptions, and how well they did. A period is a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedRenewal {
    /// The model of all plans together; it serves plans without a model of their own.
    pub all: RenewalModel,
    /// The log-likelihood of all plans together.
    pub log_likelihood: f64,
    /// The models of plans with enough data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<String, RenewalModel>,
    /// Fitted to the earlier part of the data, held against the later one.
    pub holdout: RenewalHoldout,
}

/// The accuracy on the holdout of a model fitted to the days before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalHoldout {
    /// Its first day; it ends with the data.
    pub from: Date,
    /// Subscribed to when it began.
    pub subscriptions: u64,
    /// Calibration: tenths of the subscriptions by risk, with the share of each that was cancelled.
    pub calibration: Vec<Decile>,
}

impl TrainedRenewal {
    /// The model that speaks for a plan.
    pub fn of_plan(&self, plan: &str) -> RenewalModel {
        self.plans.get(plan).copied().unwrap_or(self.all)
    }

    pub(super) fn is_sound(&self) -> bool {
        let mut models = self.plans.values().chain([&self.all]);
        models.all(|model| is_parameter(model.alpha) && is_parameter(model.beta))
    }
}

//! The Gamma-Gamma model of purchase values (Fader, Hardie and Lee 2005; Fader and Hardie 2013), and
//! the discounted value of a customer.

use serde::{Deserialize, Serialize};

use super::special::ln_gamma;
use super::{ChurnModel, PurchaseHistory};

/// Value is discounted at the end of every so many days.
const PERIOD_DAYS: u32 = 30;
const DAYS_PER_YEAR: f64 = 365.0;
/// The longest horizon, in days: a hundred years.
const MOST_DAYS: u32 = 36_525;

/// Parameters of Gamma-Gamma: p and v positive, q above 1, money in units of the tenant's currency.
///
/// A purchase is Gamma(p, ν) with ν ~ Gamma(q, v); it is assumed not to depend on how often the
/// customer buys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendingModel {
    /// Shape of one customer's purchases.
    pub p: f64,
    /// Shape of how customers differ. The mean exists only above 1.
    pub q: f64,
    /// Scale of how customers differ.
    pub v: f64,
}

impl SpendingModel {
    /// The logarithm of how likely it is that `x` repeat purchases have the mean `m`; both positive.
    pub fn log_likelihood(&self, x: f64, m: f64) -> f64 {
        let Self { p, q, v } = *self;
        ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q)
            + q * libm::log(v)
            + (p * x - 1.0) * libm::log(m)
            + p * x * libm::log(x)
            - (p * x + q) * libm::log(x * m + v)
    }

    /// Returns the expected value of the customer's purchases: between the mean of all customers and
    /// the customer's own mean, nearer to the latter with more purchases. Without a repeat purchase
    /// it is the mean of all.
    ///
    /// The published model is for means above zero. Its expectation is continued to zero, so that a
    /// customer that keeps nothing is expected to spend less than one that keeps something; a mean
    /// below zero counts as zero.
    pub fn expected_mean(&self, x: f64, m: f64) -> f64 {
        let Self { p, q, v } = *self;
        let population = p * v / (q - 1.0);
        let x = x.max(0.0);
        let own = p * x / (p * x + q - 1.0);
        (1.0 - own) * population + own * m.max(0.0)
    }
}

/// Returns the expected spending of a customer within a horizon, discounted to today.
///
/// Σ E\[M\]·(E\[Y(i·f)\] − E\[Y((i−1)·f)\])/(1+d)^i over periods of thirty days, the last of which
/// may be shorter; `discount` is the rate of a year (0.1 for ten percent).
pub fn discounted_value(
    churn: &ChurnModel,
    history: PurchaseHistory,
    mean: f64,
    days: u32,
    discount: f64,
) -> f64 {
    let ln_growth = libm::log1p(discount);
    let days = days.min(MOST_DAYS);
    let (mut until, mut bought, mut value) = (0, 0.0, 0.0);
    while until < days {
        until = days.min(until + PERIOD_DAYS);
        let expected = churn.expected_purchases(history, until);
        let years = f64::from(until) / DAYS_PER_YEAR;
        // Never below zero: rounding alone could make it so.
        value += (expected - bought).max(0.0) * libm::exp(-ln_growth * years);
        bought = expected;
    }
    value * mean
}

//! A forecast of what a tenant's current customers will spend, with its uncertainty.

use serde::{Deserialize, Serialize};

/// Standard deviations to either side that hold nine in ten of a normal distribution.
const NINE_IN_TEN: f64 = 1.644_853_626_951_472_2;

/// The largest error of a model that forecasts can be made with.
const MOST_ERROR: f64 = 1e9;

/// The error of the model on the holdout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastError {
    /// Variance of a customer's purchases, as a multiple of what was expected of it.
    pub dispersion: f64,
    /// The relative error of all purchases together: 0.1 is a tenth.
    pub relative: f64,
}

impl ForecastError {
    /// Computes the error of pairs (expected, observed), one per customer; `None` without expectations.
    pub fn from_pairs(customers: &[(f64, f64)]) -> Option<Self> {
        let (mut expected, mut seen, mut squares) = (0.0, 0.0, 0.0);
        for (of_customer, bought) in customers {
            expected += of_customer;
            seen += bought;
            squares += (bought - of_customer) * (bought - of_customer);
        }
        (expected > 0.0).then(|| Self {
            dispersion: squares / expected,
            relative: ((seen - expected) / expected).abs(),
        })
    }

    pub(super) fn is_sound(self) -> bool {
        let is_sound = |value: f64| (0.0..=MOST_ERROR).contains(&value);
        is_sound(self.dispersion) && is_sound(self.relative)
    }
}

/// Revenue to come, in units of the tenant's currency. Of customers not won yet it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forecast {
    /// The mean.
    pub expected: f64,
    /// Nine times in ten it is not below this.
    pub low: f64,
    /// Nine times in ten it is not above this.
    pub high: f64,
}

/// Sums of customers, by which forecasts are made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ForecastSum {
    revenue: f64,
    variance: f64,
}

impl ForecastSum {
    /// Adds a customer: purchases expected of it, and what each is worth in the mean.
    pub fn add(&mut self, purchases: f64, mean: f64, error: ForecastError) {
        self.revenue += purchases * mean;
        self.variance += error.dispersion * purchases * mean * mean;
    }

    /// The forecast. Two errors are independent: how customers vary around what is expected of
    /// them, which evens out over many, and that of the model, which does not.
    pub fn forecast(self, error: ForecastError) -> Forecast {
        let of_model = error.relative * self.revenue;
        let deviation = (self.variance + of_model * of_model).sqrt();
        Forecast {
            expected: self.revenue,
            low: (self.revenue - NINE_IN_TEN * deviation).max(0.0),
            high: self.revenue + NINE_IN_TEN * deviation,
        }
    }
}

//! The distribution of expected spending over a tenant's customers, and the total of what they
//! are expected to spend, both as of training.

use serde::{Deserialize, Serialize};

use super::special::double;

/// The horizon of the value that percentiles refer to, in days.
pub const PERCENTILE_DAYS: u32 = 365;
/// The horizons of revenue forecasts, in days.
pub const FORECAST_DAYS: [u32; 3] = [30, 90, 365];
/// The reason why value is null: money has no shipped parameters, because they have a currency.
pub const VALUE_NOT_SCORED: &str =
    "not scored: train the tenant's spending and value first, with `tidemark train`";
const CUTS: usize = 99;

/// The percentiles of value, and the expected spending of all customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueModel {
    /// The models the values were computed with.
    pub scores: String,
    /// The percentiles of value within a year, in minor units: the greatest of each of the first 99.
    pub percentiles_minor: Vec<i64>,
    /// Revenue of all customers there were, from the last day of the data on.
    pub forecast: Vec<RevenueForecast>,
}

/// The expected revenue from a tenant's existing customers, in minor units. Revenue from new
/// customers is not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RevenueForecast {
    /// The length of the horizon in days.
    pub days: u32,
    /// The mean, in minor units.
    pub expected_minor: i64,
    /// The lower end of the 90 % interval, in minor units.
    pub low_minor: i64,
    /// The upper end of the 90 % interval, in minor units.
    pub high_minor: i64,
}

impl ValueModel {
    /// Computes the percentiles of values in minor units, in any order; `None` without any.
    pub fn cuts(mut values: Vec<i64>) -> Option<Vec<i64>> {
        values.sort_unstable();
        let cut = |hundredth: usize| {
            let rank = (values.len() * hundredth).div_ceil(CUTS + 1);
            values.get(rank.checked_sub(1)?).copied()
        };
        (1..=CUTS).map(cut).collect()
    }

    /// Returns the percentage of customers below a value: 90 or more is the top tenth.
    pub fn percentile(&self, value_minor: f64) -> i64 {
        let cuts = &self.percentiles_minor;
        let below = cuts.partition_point(|cut| double(*cut) < value_minor);
        i64::try_from(below).unwrap_or(0)
    }

    pub(super) fn is_sound(&self) -> bool {
        let in_order = |of: &RevenueForecast| {
            let ascending = [0, of.low_minor, of.expected_minor, of.high_minor];
            ascending.is_sorted()
        };
        self.percentiles_minor.len() == CUTS
            && self.percentiles_minor.is_sorted()
            && self.forecast.iter().all(in_order)
    }
}

//! Predictive models in closed form. Rollups and formulas: Fader, Hardie and Lee (2005) and
//! Batislam, Denizel and Filiztekin (2007).
//!
//! Logarithms and exponentials come from `libm` and so give the same bits on every machine: a
//! customer is in the same band wherever it is computed.

use serde::{Deserialize, Serialize};

mod actions;
mod attribution;
mod clusters;
mod conversion;
mod decile;
mod fit;
mod forecast;
mod purchases;
mod renewal;
mod rfm;
mod special;
mod spending;
mod trained;
mod value;

pub use actions::{BestAction, Candidate, Responses, best_action, rank_actions};
pub use attribution::Attribution;
pub use clusters::{Assignment, Centre, ClusterModel};
pub use conversion::{Conversion, ConversionModel, MOST_HORIZON_DAYS, Stay};
pub use decile::Decile;
pub use fit::{Fit, fit_purchases, fit_renewals, fit_spending};
pub use forecast::{Forecast, ForecastError, ForecastSum};
pub use renewal::{RenewalHoldout, RenewalModel, Renewals, TrainedRenewal};
pub use rfm::{Rfm, RfmCell, RfmModel};
pub(crate) use special::double;
pub use spending::{SpendingModel, discounted_value};
pub use trained::{Holdout, Trained, TrainedChurn, TrainedModels, TrainedSpending};
pub use value::{FORECAST_DAYS, PERCENTILE_DAYS, RevenueForecast, VALUE_NOT_SCORED, ValueModel};

use special::inverse_odds;

/// A churn risk band, by the tenant's thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Below the medium threshold.
    Low,
    /// The risk from the medium threshold up to the high one.
    Medium,
    /// The risk from the high threshold.
    High,
}

impl Band {
    /// Returns the name in definitions, changes and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// 0, 1, 2: as stored.
    pub fn code(self) -> u8 {
        match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
        }
    }

    /// The band of a stored code.
    pub fn of_code(code: u8) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|band| band.code() == code)
    }
}

/// A family of models of customers that leave without notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// A customer may leave after any purchase, the first included.
    MbgNbd,
    /// A customer may leave after any repeat purchase: after a single purchase it is certainly alive.
    BgNbd,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::MbgNbd, Self::BgNbd];

    /// Returns the name in definitions.
    pub fn name(self) -> &'static str {
        match self {
            Self::MbgNbd => "mbg_nbd",
            Self::BgNbd => "bg_nbd",
        }
    }

    /// The family of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Estimated from the CDNOW sample, in weeks; published with the models.
    fn shipped_parameters(self) -> Parameters {
        match self {
            Self::MbgNbd => Parameters {
                r: 0.525,
                alpha: 6.183,
                a: 0.891,
                b: 1.614,
            },
            Self::BgNbd => Parameters {
                r: 0.243,
                alpha: 4.414,
                a: 0.793,
                b: 2.426,
            },
        }
    }
}

/// Parameters of either family, all positive; the unit of time is the week.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Shape of the purchase rates.
    pub r: f64,
    /// Scale of the purchase rates.
    pub alpha: f64,
    /// First shape of the drop-out probabilities.
    pub a: f64,
    /// Second shape of the drop-out probabilities.
    pub b: f64,
}

/// The thresholds of the bands of risk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// The least risk of the medium band.
    pub medium: f64,
    /// The least risk of the high band.
    pub high: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            medium: 0.4,
            high: 0.7,
        }
    }
}

impl Thresholds {
    /// The default thresholds of the risk that a subscription is cancelled within a month.
    pub fn of_renewals() -> Self {
        Self {
            medium: 0.05,
            high: 0.1,
        }
    }

    /// The band of a risk.
    pub fn band(self, risk: f64) -> Band {
        if risk >= self.high {
            Band::High
        } else if risk >= self.medium {
            Band::Medium
        } else {
            Band::Low
        }
    }
}

/// The purchase history of a customer, in whole days of the tenant's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurchaseHistory {
    /// Distinct days with a purchase after the first such day: x.
    pub repeat_days: u32,
    /// Days from the first purchase to the last: `t_x`.
    pub last: i64,
    /// Days from the first purchase to now: T, not below `last`.
    pub age: i64,
}

/// The churn model of a tenant, with its parameters and band thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct ChurnModel {
    /// `mbg_nbd/shipped-cdnow`, `mbg_nbd/trained-2025-03-31`: family and origin of the parameters.
    pub name: String,
    /// The formula.
    pub family: Family,
    /// Its parameters.
    pub parameters: Parameters,
    /// The thresholds of the bands.
    pub thresholds: Thresholds,
}

const DAYS_PER_WEEK: f64 = 7.0;
/// No customer gets older than from the first year that can be shown to the last.
pub(crate) const MAX_AGE: i64 = 7_400_000;

impl ChurnModel {
    /// The model as it ships: parameters of the CDNOW sample, not of the tenant's customers.
    pub fn shipped(family: Family, thresholds: Thresholds) -> Self {
        Self {
            name: format!("{}/shipped-cdnow", family.name()),
            family,
            parameters: family.shipped_parameters(),
            thresholds,
        }
    }

    /// The model as it was trained on the tenant's own customers.
    pub fn trained(model: &Trained<TrainedChurn>, thresholds: Thresholds) -> Self {
        Self {
            name: model.name(),
            family: model.model.family,
            parameters: model.model.parameters,
            thresholds,
        }
    }

    /// Whether its parameters are those it ships with.
    pub fn is_shipped(&self) -> bool {
        self.name.ends_with("/shipped-cdnow")
    }

    /// The probability that the customer will buy again: in [0, 1], and the older the purchases,
    /// the smaller.
    pub fn p_alive(&self, history: PurchaseHistory) -> f64 {
        match self.log_odds_of_death(history) {
            Some(z) => inverse_odds(z),
            None => 1.0,
        }
    }

    /// 1 − P(alive).
    pub fn risk(&self, history: PurchaseHistory) -> f64 {
        1.0 - self.p_alive(history)
    }

    /// The band of a risk.
    pub fn band(&self, risk: f64) -> Band {
        self.thresholds.band(risk)
    }

    /// ln(P(dead) / P(alive)); `None` where death is impossible.
    ///
    /// MBG/NBD: `(r+x) ln((α+T)/(α+t_x)) + ln(a/(b+x))`. BG/NBD: the same with b+x−1 in place of b+x,
    /// for x > 0. Sums of logarithms do not overflow, however large x and T are.
    fn log_odds_of_death(&self, history: PurchaseHistory) -> Option<f64> {
        let Parameters { r, alpha, a, b } = self.parameters;
        let x = f64::from(history.repeat_days);
        let survived = match self.family {
            Family::MbgNbd => b + x,
            Family::BgNbd if history.repeat_days == 0 => return None,
            Family::BgNbd => b + x - 1.0,
        };
        let last = history.last.clamp(0, MAX_AGE);
        let age = history.age.clamp(last, MAX_AGE);
        // ln1p of the silence: exact for customers that bought today.
        let silence = (weeks(age) - weeks(last)) / (alpha + weeks(last));
        Some((r + x) * libm::log1p(silence) + libm::log(a / survived))
    }

    /// The first age after `history.age` at which `changed` holds of P(alive), given that it does
    /// not hold now and, once it holds, holds for good. `None` if no customer gets that old.
    ///
    /// `near` is the P(alive) at which the change is expected: it only saves steps, as the answer
    /// comes from evaluating [`Self::p_alive`] itself on neighbouring days.
    pub fn age_when(
        &self,
        history: PurchaseHistory,
        near: f64,
        changed: impl Fn(f64) -> bool,
    ) -> Option<i64> {
        let holds = |age: i64| changed(self.p_alive(PurchaseHistory { age, ..history }));
        let (mut without, mut with) = (history.age, MAX_AGE);
        if without >= with || !holds(with) {
            return None;
        }
        // Close in on the day from the solution of the closed form, then halve what is left.
        let guess = self.age_at(history, near);
        for distance in [0, 1, -1, 16, -16, 256, -256] {
            let age = guess.saturating_add(distance);
            if without < age && age < with {
                if holds(age) {
                    with = age;
                } else {
                    without = age;
                }
            }
        }
        while with - without > 1 {
            let middle = without + (with - without) / 2;
            if holds(middle) {
                with = middle;
            } else {
                without = middle;
            }
        }
        Some(with)
    }

    /// About the age at which P(alive) is `p`, in days.
    fn age_at(&self, history: PurchaseHistory, p: f64) -> i64 {
        let Parameters { r, alpha, a, b } = self.parameters;
        let x = f64::from(history.repeat_days);
        let survived = match self.family {
            Family::MbgNbd => b + x,
            Family::BgNbd => b + x - 1.0,
        };
        let log_ratio = (libm::log((1.0 - p) / p) - libm::log(a / survived)) / (r + x);
        let last = weeks(history.last);
        let age = last + (alpha + last) * libm::expm1(log_ratio);
        // Saturates; NaN (a threshold of 0 or 1) becomes 0: then the halving does all the work.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "casts from floats saturate"
        )]
        let days = (age * DAYS_PER_WEEK) as i64;
        days
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "ages in days are far below 2^52"
)]
fn weeks(days: i64) -> f64 {
    days as f64 / DAYS_PER_WEEK
}

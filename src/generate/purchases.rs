//! Purchases, their number and their amounts: BG/NBD or MBG/NBD with Gamma-Gamma.
//!
//! An active customer buys at random instants, at a rate of its own; rates are Gamma(r, alpha). After
//! a purchase the customer stops with a probability of its own; these are Beta(a, b). Under MBG/NBD it
//! may stop after the first purchase, under BG/NBD not before the second. Amounts are Gamma(p, nu),
//! where nu is the customer's own and Gamma(q, v): amounts do not depend on the rate.

use tidemark_projections::models::{Family, Parameters, SpendingModel};
use tidemark_schemas::Instant;

use super::random::Random;
use super::{DAY_MICROS, part};

const DAYS_PER_WEEK: f64 = 7.0;

/// The parameters of an industry's purchases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purchases {
    pub(super) family: Family,
    /// The parameters of purchases and churn, with time in weeks.
    pub(super) parameters: Parameters,
    /// The parameters of amounts, in units of the tenant's currency.
    pub(super) spending: SpendingModel,
}

/// The purchases of one customer.
#[derive(Debug)]
pub(super) struct Buying {
    family: Family,
    /// The mean number of days between purchases.
    pause: f64,
    /// The probability of stopping after a purchase.
    leaves: f64,
    /// Shape and rate of the amounts.
    spends: (f64, f64),
    /// The instant of the last purchase, or of the next once it is drawn. Purchases are moved to hours
    /// at which customers are awake; this instant is not, so that the process stays exact.
    clock: Instant,
    purchases: u32,
}

impl Buying {
    /// Begins with the first purchase of a customer.
    pub(super) fn begin(purchases: &Purchases, first: Instant, random: &mut Random) -> Self {
        let Parameters { r, alpha, a, b } = purchases.parameters;
        let SpendingModel { p, q, v } = purchases.spending;
        Self {
            family: purchases.family,
            pause: DAYS_PER_WEEK / random.gamma(r, alpha),
            leaves: random.beta(a, b),
            spends: (p, random.gamma(q, v)),
            clock: first,
            purchases: 1,
        }
    }

    /// Draws the instant of the next purchase; `None` if the customer stops.
    pub(super) fn next(&mut self, random: &mut Random) -> Option<Instant> {
        let may_leave = self.family == Family::MbgNbd || self.purchases > 1;
        if may_leave && random.chance(self.leaves) {
            return None;
        }
        let days = random.exponential(self.pause);
        self.clock = self.clock.plus_micros(part(days, DAY_MICROS));
        self.purchases += 1;
        Some(self.clock)
    }

    /// Returns the number of purchases, with the planned one.
    pub(super) fn purchases(&self) -> u32 {
        self.purchases
    }

    /// Draws the amount of a purchase, in minor units of a currency with cents.
    #[expect(clippy::cast_possible_truncation, reason = "far below 2^53")]
    pub(super) fn amount_minor(&self, random: &mut Random) -> i64 {
        let (shape, rate) = self.spends;
        ((random.gamma(shape, rate) * 100.0).round() as i64).max(1)
    }
}

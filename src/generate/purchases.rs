//! Who buys how often, for how long and for how much: BG/NBD or MBG/NBD with Gamma-Gamma.
//!
//! While it is a customer it buys at random moments, at a rate of its own; rates are
//! Gamma(r, alpha). After a purchase it is gone with a probability of its own; those are Beta(a, b).
//! Under MBG/NBD that may be after the first one, under BG/NBD not before the second. What it
//! spends is Gamma(p, nu), where nu is its own and Gamma(q, v): whoever buys often buys neither for
//! more nor for less.

use tidemark_projections::models::{Family, Parameters, SpendingModel};
use tidemark_schemas::Instant;

use super::random::Random;
use super::{DAY_MICROS, part};

const DAYS_PER_WEEK: f64 = 7.0;

/// How the customers of an industry buy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purchases {
    pub(super) family: Family,
    /// Time in weeks.
    pub(super) parameters: Parameters,
    /// Money in units of the tenant's currency.
    pub(super) spending: SpendingModel,
}

/// How one customer does.
#[derive(Debug)]
pub(super) struct Buying {
    family: Family,
    /// Days between purchases, on average.
    pause: f64,
    /// How likely it is gone after a purchase.
    leaves: f64,
    /// Shape and rate of what it spends.
    spends: (f64, f64),
    /// The last purchase, or the next once it is known. People are asleep at times; the process
    /// that drives them is not.
    clock: Instant,
    purchases: u32,
}

impl Buying {
    /// Of somebody who buys for the first time.
    pub(super) fn begin(of: &Purchases, first: Instant, random: &mut Random) -> Self {
        let Parameters { r, alpha, a, b } = of.parameters;
        let SpendingModel { p, q, v } = of.spending;
        Self {
            family: of.family,
            pause: DAYS_PER_WEEK / random.gamma(r, alpha),
            leaves: random.beta(a, b),
            spends: (p, random.gamma(q, v)),
            clock: first,
            purchases: 1,
        }
    }

    /// When it buys again, once it has bought; `None` when it is gone.
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

    /// How many purchases it has made, with the one that is planned.
    pub(super) fn purchases(&self) -> u32 {
        self.purchases
    }

    /// What a purchase is worth, in minor units of a currency with cents.
    #[expect(clippy::cast_possible_truncation, reason = "far below 2^53")]
    pub(super) fn amount_minor(&self, random: &mut Random) -> i64 {
        let (shape, rate) = self.spends;
        ((random.gamma(shape, rate) * 100.0).round() as i64).max(1)
    }
}

//! Renewals of subscriptions: shifted-beta-geometric, by plan. A period is a calendar month.

use jiff::Span;
use jiff::tz::{Offset, TimeZone};
use tidemark_projections::models::RenewalModel;
use tidemark_schemas::Instant;

use super::random::Random;
use super::{DAY_MICROS, part};

/// A plan on sale.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    /// The monthly price of one seat, in minor units.
    pub(super) seat_minor: i64,
    /// The most seats of an account on this plan.
    pub(super) most_seats: i64,
    pub(super) renewals: RenewalModel,
}

/// The renewals of one subscription, which is cancelled in each period with a probability of its own.
#[derive(Debug)]
pub(super) struct Renewing {
    started: Instant,
    hours_ahead: i64,
    cancels: f64,
    /// The current period, from 1.
    period: i32,
}

impl Renewing {
    pub(super) fn begin(
        plan: &Plan,
        started: Instant,
        hours_ahead: i64,
        random: &mut Random,
    ) -> Self {
        let RenewalModel { alpha, beta } = plan.renewals;
        Self {
            started,
            hours_ahead,
            cancels: random.beta(alpha, beta),
            period: 1,
        }
    }

    /// Returns the end of the current period: the same day of a later month, or that month's last.
    pub(super) fn due(&self) -> Instant {
        let hours = i8::try_from(self.hours_ahead).unwrap_or_default();
        let zone = TimeZone::fixed(Offset::constant(hours));
        let started = self.started.to_jiff().to_zoned(zone);
        let due = started.checked_add(Span::new().months(self.period));
        due.map_or(Instant::MAX, |due| Instant::from_jiff(due.timestamp()))
    }

    /// Draws the instant of the decision, some days before the end of the period.
    pub(super) fn decides(&self, random: &mut Random) -> Instant {
        let days = 1.5 + random.unit() * 4.0;
        self.due().plus_micros(-part(days, DAY_MICROS))
    }

    /// Draws whether the subscription is renewed.
    pub(super) fn is_kept(&self, random: &mut Random) -> bool {
        !random.chance(self.cancels)
    }

    /// Begins the next period.
    pub(super) fn renew(&mut self) {
        self.period += 1;
    }
}

//! Who renews a subscription: shifted-beta-geometric, by plan. A period is a month of the calendar.

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
    /// A month's price of one seat, in minor units.
    pub(super) seat_minor: i64,
    /// Sold to accounts of at most so many seats.
    pub(super) most_seats: i64,
    pub(super) renewals: RenewalModel,
}

/// One subscription: in every period its owner cancels with a probability of its own.
#[derive(Debug)]
pub(super) struct Renewing {
    started: Instant,
    hours_ahead: i64,
    cancels: f64,
    /// The period under way: the first is 1.
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

    /// When the period under way ends: on the same day of a later month, or its last.
    pub(super) fn due(&self) -> Instant {
        let hours = i8::try_from(self.hours_ahead).unwrap_or_default();
        let zone = TimeZone::fixed(Offset::constant(hours));
        let started = self.started.to_jiff().to_zoned(zone);
        let due = started.checked_add(Span::new().months(self.period));
        due.map_or(Instant::MAX, |due| Instant::from_jiff(due.timestamp()))
    }

    /// Some days before that, when its owner thinks about it.
    pub(super) fn decides(&self, random: &mut Random) -> Instant {
        let days = 1.5 + random.unit() * 4.0;
        self.due().plus_micros(-part(days, DAY_MICROS))
    }

    /// Whether it is kept for another period.
    pub(super) fn is_kept(&self, random: &mut Random) -> bool {
        !random.chance(self.cancels)
    }

    /// The next period begins.
    pub(super) fn renew(&mut self) {
        self.period += 1;
    }
}

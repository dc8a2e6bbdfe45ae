//! How customers move between the stages of a journey: competing risks by stage and dwell time.
//!
//! On every day of a stay each way out has a chance of its own, which depends on how long the stay
//! has lasted. Nobody gives up for good: who has stayed for long hardly ever moves.

use tidemark_schemas::Instant;

use super::random::Random;
use super::{DAY_MICROS, part};

/// From which day of a stay each of [`Hazard::daily`] holds.
pub(super) const SPELLS: [u32; 4] = [0, 7, 30, 90];
/// Who has not moved within two years does not.
const MOST_DAYS: u32 = 730;
const MINUTE_MICROS: i64 = 60_000_000;

/// A way out of a stage.
#[derive(Debug)]
pub(super) struct Hazard {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// The chance on one day, by [`SPELLS`].
    pub(super) daily: [f64; 4],
}

impl Hazard {
    pub(super) const fn new(from: &'static str, to: &'static str, daily: [f64; 4]) -> Self {
        Self { from, to, daily }
    }

    /// The chance on that day of a stay.
    pub(super) fn on(&self, day: u32) -> f64 {
        self.daily[SPELLS.partition_point(|start| *start <= day) - 1]
    }
}

/// When somebody who entered a stage leaves it, and where to. Days of a stay are of 24 hours, and the
/// moment is one at which people are awake where clocks are so many hours ahead.
pub(super) fn leaves(
    hazards: &[Hazard],
    stage: &str,
    entered: Instant,
    hours_ahead: i64,
    random: &mut Random,
) -> Option<(Instant, &'static str)> {
    let ways: Vec<&Hazard> = hazards.iter().filter(|way| way.from == stage).collect();
    if ways.is_empty() {
        return None;
    }
    for day in 0..MOST_DAYS {
        let mut luck = random.unit();
        for way in &ways {
            let chance = way.on(day);
            if luck < chance {
                let begins = entered.plus_micros(i64::from(day) * DAY_MICROS);
                return Some((moment(begins, hours_ahead, random), way.to));
            }
            luck -= chance;
        }
    }
    None
}

/// Some moment of the 24 hours from an instant, by day.
fn moment(begins: Instant, hours_ahead: i64, random: &mut Random) -> Instant {
    let hour_micros = DAY_MICROS / 24;
    loop {
        // Not at once: entering and leaving are two things.
        let after = MINUTE_MICROS + part(random.unit(), DAY_MICROS - MINUTE_MICROS);
        let at = begins.plus_micros(after);
        let local = at.micros() + hours_ahead * hour_micros;
        if local.rem_euclid(DAY_MICROS) >= 7 * hour_micros {
            return at;
        }
    }
}

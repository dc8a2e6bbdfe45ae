//! Moves of customers between the stages of a journey: competing risks by stage and dwell time.
//!
//! On every day of a stay, each move out of the stage has a probability that depends on the length of
//! the stay. It never becomes zero, but after a long stay it is small.

use tidemark_schemas::Instant;

use super::random::Random;
use super::{DAY_MICROS, part};

/// The days of a stay from which the probabilities of [`Hazard::daily`] hold.
pub(super) const SPELLS: [u32; 4] = [0, 7, 30, 90];
/// The longest stay in days; a customer that has not moved by then stays.
const MOST_DAYS: u32 = 730;
const MINUTE_MICROS: i64 = 60_000_000;

/// A move out of a stage.
#[derive(Debug)]
pub(super) struct Hazard {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// The probability on one day, by [`SPELLS`].
    pub(super) daily: [f64; 4],
}

impl Hazard {
    pub(super) const fn new(from: &'static str, to: &'static str, daily: [f64; 4]) -> Self {
        Self { from, to, daily }
    }

    /// Returns the probability on a day of a stay.
    pub(super) fn on(&self, day: u32) -> f64 {
        self.daily[SPELLS.partition_point(|start| *start <= day) - 1]
    }
}

/// Draws the instant at which a customer leaves a stage, and the next stage. Days of a stay have 24
/// hours, and the instant is one at which customers are awake by their clocks.
pub(super) fn leave(
    hazards: &[Hazard],
    stage: &str,
    entered: Instant,
    hours_ahead: i64,
    random: &mut Random,
) -> Option<(Instant, &'static str)> {
    let moves: Vec<&Hazard> = hazards
        .iter()
        .filter(|hazard| hazard.from == stage)
        .collect();
    if moves.is_empty() {
        return None;
    }
    for day in 0..MOST_DAYS {
        let mut luck = random.unit();
        for hazard in &moves {
            let chance = hazard.on(day);
            if luck < chance {
                let begins = entered.plus_micros(i64::from(day) * DAY_MICROS);
                return Some((draw_instant(begins, hours_ahead, random), hazard.to));
            }
            luck -= chance;
        }
    }
    None
}

/// Draws an instant within 24 hours, in the daytime.
fn draw_instant(begins: Instant, hours_ahead: i64, random: &mut Random) -> Instant {
    let hour_micros = DAY_MICROS / 24;
    loop {
        // At least a minute later: entering and leaving are two events.
        let after = MINUTE_MICROS + part(random.unit(), DAY_MICROS - MINUTE_MICROS);
        let at = begins.plus_micros(after);
        let local = at.micros() + hours_ahead * hour_micros;
        if local.rem_euclid(DAY_MICROS) >= 7 * hour_micros {
            return at;
        }
    }
}

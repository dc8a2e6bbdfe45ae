//! Competing risks by stage and dwell time: the next stage of a customer on a journey, and its time.
//!
//! The hazard of a move is what the Aalen–Johansen estimator is made of: of those still in the stage
//! on a day of their stay, the share that moved on that day. Days are pooled into bins that widen,
//! and each bin is drawn toward the stage's mean over all days by as much weight as
//! [`PRIOR_MOVES`] moves have.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::special::double;

/// The first day of each bin of dwell time; the last one has no end.
const BIN_STARTS: [u32; 10] = [0, 1, 3, 7, 14, 30, 60, 90, 180, 365];
/// The weight of the stage's mean hazard in each bin, in moves.
const PRIOR_MOVES: f64 = 1.0;
/// The longest horizon, in days.
pub const MOST_HORIZON_DAYS: u32 = 365;

/// One stay in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// The stage, as its index in the journey.
    pub stage: usize,
    /// The dwell time, in whole days.
    pub days: u32,
    /// The next stage; `None` while the customer is still in this one.
    pub to: Option<usize>,
}

/// The daily probabilities of moving on, by stage and dwell time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionModel {
    /// The stages it was trained on, first to last. Of a journey with other ones it says nothing.
    pub stages: Vec<String>,
    /// The hazards by stage: for each bin of dwell time, a list by next stage. Empty for a stage that
    /// no customer has left.
    pub daily: Vec<Vec<Vec<f64>>>,
}

/// The possible outcomes of a customer within a horizon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conversion {
    /// The probability, by stage, that it is the next one and is entered in time.
    pub next: Vec<f64>,
    /// The probability of reaching the last stage in time, by whatever way.
    pub last: f64,
}

impl ConversionModel {
    /// Fits the hazards to all observed stays; `stages` are the journey's.
    pub fn fit(stages: Vec<String>, stays: &[Stay]) -> Self {
        let count = stages.len();
        let mut moves = vec![vec![vec![0_u64; count]; BIN_STARTS.len()]; count];
        let mut exposure = vec![vec![0_u64; BIN_STARTS.len()]; count];
        for stay in stays.iter().filter(|stay| stay.stage < count) {
            // A customer that moved was at risk on the day of the move, too.
            let days_there = stay.days.saturating_add(u32::from(stay.to.is_some()));
            for (bin, days) in days_in_bins(days_there) {
                exposure[stay.stage][bin] += u64::from(days);
            }
            if let Some(to) = stay.to.filter(|to| *to < count) {
                moves[stay.stage][bin_of(stay.days)][to] += 1;
            }
        }
        let daily = moves
            .iter()
            .zip(&exposure)
            .map(|(moves, exposure)| smoothed(moves, exposure))
            .collect();
        Self { stages, daily }
    }

    /// Predicts the next stage of a customer that has been in a stage for these whole days, within
    /// `horizon` days (at most a year).
    pub fn predict(&self, stage: usize, dwell_days: u32, horizon: u32) -> Conversion {
        let horizon = horizon.min(MOST_HORIZON_DAYS);
        self.predict_with(&self.reach(horizon), stage, dwell_days, horizon)
    }

    /// Predicts as [`Self::predict`] does, by stage and whole days in it. The last day of a stage
    /// stands for all later ones.
    pub fn by_dwell(&self, horizon: u32) -> Vec<Vec<Conversion>> {
        let horizon = horizon.min(MOST_HORIZON_DAYS);
        let reach = self.reach(horizon);
        let last_day = BIN_STARTS.last().copied().unwrap_or(0);
        let of_stage = |stage| {
            let days = 0..=last_day;
            days.map(|day| self.predict_with(&reach, stage, day, horizon))
                .collect()
        };
        (0..self.stages.len()).map(of_stage).collect()
    }

    fn predict_with(
        &self,
        reach: &[Vec<f64>],
        stage: usize,
        dwell_days: u32,
        horizon: u32,
    ) -> Conversion {
        let count = self.stages.len();
        let mut next = vec![0.0; count];
        if stage + 1 >= count {
            let last = if stage + 1 == count { 1.0 } else { 0.0 };
            return Conversion { next, last };
        }
        let (mut still, mut last) = (1.0, 0.0);
        for day in 0..horizon {
            let hazards = self.hazards(stage, dwell_days.saturating_add(day));
            let rest = usize::try_from(horizon - day - 1).unwrap_or(0);
            let mut left = 0.0;
            for (to, hazard) in hazards.iter().enumerate() {
                next[to] += still * hazard;
                last += still * hazard * reach[to][rest];
                left += hazard;
            }
            still *= (1.0 - left).max(0.0);
        }
        Conversion {
            next: next.into_iter().map(|p: f64| p.min(1.0)).collect(),
            last: last.min(1.0),
        }
    }

    /// Returns the probability of reaching the last stage, by stage just entered and days left. A
    /// move takes the rest of its day, so each day follows from the days before.
    fn reach(&self, horizon: u32) -> Vec<Vec<f64>> {
        let count = self.stages.len();
        let mut reach = vec![vec![0.0]; count];
        if let Some(last) = reach.last_mut() {
            last[0] = 1.0;
        }
        // The state distribution of customers that entered a stage, by each day of their stay.
        let leaving: Vec<Vec<Vec<f64>>> = (0..count).map(|s| self.leaving(s, horizon)).collect();
        for days in 1..=usize::try_from(horizon).unwrap_or(0) {
            for stage in 0..count {
                let reached = if stage + 1 == count {
                    1.0
                } else {
                    let moves = leaving[stage].iter().take(days).enumerate();
                    moves
                        .map(|(day, to)| {
                            let chances = to.iter().zip(&reach);
                            chances
                                .map(|(chance, reach)| chance * reach[days - day - 1])
                                .sum::<f64>()
                        })
                        .sum::<f64>()
                        .min(1.0)
                };
                reach[stage].push(reached);
            }
        }
        reach
    }

    /// Returns the probability of a move, by day of the stay and next stage.
    fn leaving(&self, stage: usize, horizon: u32) -> Vec<Vec<f64>> {
        let mut still = 1.0;
        let of_day = |day| {
            let hazards = self.hazards(stage, day);
            let moves: Vec<f64> = hazards.iter().map(|hazard| still * hazard).collect();
            still *= (1.0 - hazards.iter().sum::<f64>()).max(0.0);
            moves
        };
        (0..horizon).map(of_day).collect()
    }

    fn hazards(&self, stage: usize, day: u32) -> &[f64] {
        let bins = self.daily.get(stage).map_or(&[][..], Vec::as_slice);
        bins.get(bin_of(day)).map_or(&[], Vec::as_slice)
    }

    /// Whether it was trained on a journey of these stages.
    pub fn is_of(&self, stages: &[Arc<str>]) -> bool {
        let trained = self.stages.iter().map(String::as_str);
        trained.eq(stages.iter().map(|stage| &**stage))
    }

    /// Whether all of it are probabilities of the stages named.
    pub(super) fn is_sound(&self) -> bool {
        let count = self.stages.len();
        let is_chance = |moves: &Vec<f64>| {
            moves.len() == count
                && moves.iter().all(|p| (0.0..=1.0).contains(p))
                && moves.iter().sum::<f64>() <= 1.0 + 1e-9
        };
        let is_stage = |bins: &Vec<Vec<f64>>| {
            bins.is_empty() || (bins.len() == BIN_STARTS.len() && bins.iter().all(is_chance))
        };
        self.daily.len() == count && self.daily.iter().all(is_stage)
    }
}

/// The smoothed hazards of one stage's bins; empty for a stage that no customer has left.
fn smoothed(moves: &[Vec<u64>], exposure: &[u64]) -> Vec<Vec<f64>> {
    let days: f64 = exposure.iter().map(|days| double(*days)).sum();
    let stages = moves.first().map_or(0, Vec::len);
    let to_stage = |to: usize| moves.iter().map(|bin| double(bin[to])).sum::<f64>();
    let totals: Vec<f64> = (0..stages).map(to_stage).collect();
    let all: f64 = totals.iter().sum();
    if all == 0.0 {
        return Vec::new();
    }
    // As many days at the stage's mean hazard as PRIOR_MOVES moves take.
    let prior_days = PRIOR_MOVES * days / all;
    let bin = |(moves, exposure): (&Vec<u64>, &u64)| {
        let hazard = |(moved, total): (&u64, &f64)| {
            (double(*moved) + PRIOR_MOVES * total / all) / (double(*exposure) + prior_days)
        };
        moves.iter().zip(&totals).map(hazard).collect()
    };
    moves.iter().zip(exposure).map(bin).collect()
}

fn bin_of(day: u32) -> usize {
    BIN_STARTS.partition_point(|start| *start <= day) - 1
}

/// Returns the bins that the first `days` days cover, each with the number of days in it.
fn days_in_bins(days: u32) -> impl Iterator<Item = (usize, u32)> {
    let bins = BIN_STARTS.into_iter().enumerate();
    bins.map_while(move |(bin, start)| {
        let end = BIN_STARTS
            .get(bin + 1)
            .copied()
            .unwrap_or(u32::MAX)
            .min(days);
        (end > start).then(|| (bin, end - start))
    })
}

//! Conditions on what trained models say; none holds of a customer they do not score.

use std::sync::Arc;

use super::Bounds;
use crate::models::TrainedModels;

/// One condition on a score.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreCondition {
    /// A condition on the RFM cell.
    Rfm(RfmCondition),
    /// Membership in one of these clusters, from 0.
    Cluster(Vec<usize>),
    /// A condition on expected purchases.
    Value(ValueCondition),
    /// A condition on the probable next stages in a journey.
    Conversion(ConversionCondition),
}

/// Bounds of the fifths of the RFM cell, 1 to 5, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct RfmCondition {
    /// 5 bought most lately.
    pub recency: Bounds<i64>,
    /// 5 bought most often.
    pub frequency: Bounds<i64>,
    /// 5 spent most.
    pub monetary: Bounds<i64>,
}

/// Bounds of what a customer will buy, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueCondition {
    /// Within so many days from now.
    pub days: u32,
    /// Days with a purchase.
    pub purchases: Bounds<f64>,
    /// The discounted value, in minor units of the tenant's currency.
    pub amount: Bounds<f64>,
    /// Above so many percent of the tenant's customers is what a year is worth, whatever `days` are.
    pub percentile: Bounds<i64>,
}

impl ValueCondition {
    /// Whether a bound needs a model that is not trained: of money the tenant's spending, of percentiles
    /// its value as well.
    pub(crate) fn is_unscored(&self, models: &TrainedModels) -> bool {
        let amount = !self.amount.0.is_empty() && models.spending.is_none();
        let percentile = !self.percentile.0.is_empty() && models.scored_value().is_none();
        amount || percentile
    }
}

/// Bounds of the probability of getting on in a journey.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversionCondition {
    /// The journey.
    pub journey: Arc<str>,
    /// The stage that must come next, by its place; `None`: the last one, by whatever way.
    pub next: Option<usize>,
    /// Within so many days from now.
    pub days: u32,
    /// All of which must hold.
    pub probability: Bounds<f64>,
    /// The times at which it holds: they depend only on the stage and the days spent in it.
    pub(crate) holds: StayTable,
}

/// The alternating numbers of days, by stage, after which a condition begins and ceases to hold.
/// Empty if nothing is known: then it never holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StayTable(Vec<Vec<u32>>);

impl StayTable {
    /// Returns the switches of truth values by stage and day; the last value holds on.
    pub(crate) fn from_days(stages: impl Iterator<Item = Vec<bool>>) -> Self {
        let switches = |days: Vec<bool>| {
            let before = std::iter::once(false).chain(days.clone());
            let pairs = (0..).zip(before.zip(days));
            let switched = pairs.filter(|(_, (before, now))| before != now);
            switched.map(|(day, _)| day).collect()
        };
        Self(stages.map(switches).collect())
    }

    /// Whether it holds after so many days in a stage, and after how many that changes.
    pub(crate) fn at(&self, stage: usize, dwell: u32) -> (bool, Option<u32>) {
        let switches = self.0.get(stage).map_or(&[][..], Vec::as_slice);
        let past = switches.partition_point(|day| *day <= dwell);
        (past % 2 == 1, switches.get(past).copied())
    }
}

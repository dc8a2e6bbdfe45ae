//! Conditions on what trained models say; none holds of a customer they do not score.

use std::sync::Arc;

use super::Bounds;

/// One condition on a score.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreCondition {
    /// On the RFM cell.
    Rfm(RfmCondition),
    /// In one of these clusters, from 0.
    Cluster(Vec<usize>),
    /// On what the customer will buy.
    Value(ValueCondition),
    /// On where the customer will go in a journey.
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
    /// What they are worth today, in minor units of the tenant's currency.
    pub amount: Bounds<f64>,
    /// Above so many percent of the tenant's customers is what a year is worth, whatever `days` are.
    pub percentile: Bounds<i64>,
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
    /// When they do: they depend on nothing but the stage and the days spent in it.
    pub(crate) holds: StayTable,
}

/// By stage: after how many days in it something begins to hold, ends to hold, begins again… Empty
/// where nothing is known: then it holds of nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StayTable(Vec<Vec<u32>>);

impl StayTable {
    /// Of what is so by stage and day; after the last day it stays so.
    pub(crate) fn of(stages: impl Iterator<Item = Vec<bool>>) -> Self {
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

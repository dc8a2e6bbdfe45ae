//! Conditions on what trained models say; none holds of a customer they do not score.

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
}

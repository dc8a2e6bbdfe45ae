//! Calibration by tenths.

use serde::{Deserialize, Serialize};

/// A tenth of the customers, or of the subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decile {
    /// The number of customers.
    pub customers: u64,
    /// The mean of expected purchase days; for subscriptions, the expected share of cancellations.
    pub expected: f64,
    /// The mean of observed purchase days; for subscriptions, the observed share of cancellations.
    pub seen: f64,
}

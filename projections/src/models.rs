//! Predictive models in closed form. Figures and formulas: Fader, Hardie and Lee (2005) and
//! Batislam, Denizel and Filiztekin (2007).

use serde::{Deserialize, Serialize};

/// Which churn model scores a tenant's customers, with its parameters and band thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct ChurnModel {
    /// For example `mbg_nbd/shipped`: names family and origin of the parameters.
    pub name: String,
}

/// How likely a customer is to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Below the medium threshold.
    Low,
    /// From the medium threshold.
    Medium,
    /// From the high threshold.
    High,
}

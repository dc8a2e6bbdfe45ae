//! Models trained on a tenant's own customers: data that is part of its definitions.
//!
//! Each part says what it was trained on, for a part that could not be trained again stays as it
//! was.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    ClusterModel, ConversionModel, Family, ForecastError, Parameters, RfmModel, SpendingModel,
    TrainedRenewal, ValueModel,
};

/// Parameters are positive and not beyond this: fits search less far.
const LARGEST_PARAMETER: f64 = 1e9;

/// What has been trained; parts never trained are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedModels {
    /// Who is likely to be gone, and how often the others will buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Trained<TrainedChurn>>,
    /// What a purchase is worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spending: Option<Trained<TrainedSpending>>,
    /// Which subscriptions are likely to be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Trained<TrainedRenewal>>,
    /// How much customers are expected to spend, seen against all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Trained<ValueModel>>,
    /// Where the fifths of recency, frequency and monetary value end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfm: Option<Trained<RfmModel>>,
    /// Groups of customers alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Trained<ClusterModel>>,
    /// By journey: where customers go from a stage, and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conversion: BTreeMap<String, Trained<ConversionModel>>,
}

/// A model with what it was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained<M> {
    /// The first day of the data, in the tenant's zone.
    pub from: Date,
    /// Their last day.
    pub as_of: Date,
    /// How many customers it was trained on.
    pub customers: u64,
    /// The model.
    pub model: M,
}

/// A churn model and how well it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedChurn {
    /// Which formula.
    pub family: Family,
    /// Fitted to all of the data.
    pub parameters: Parameters,
    /// Of all of the data.
    pub log_likelihood: f64,
    /// Fitted to the earlier part of the data, held against the later one.
    pub holdout: Holdout,
}

/// How a model fitted to the days before a holdout did on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdout {
    /// Its first day; it ends with the data.
    pub from: Date,
    /// Who had bought before.
    pub customers: u64,
    /// Of what those customers did in it, given what they had done before.
    pub log_likelihood: f64,
    /// By what was expected of them: tenths of the customers, those first of whom least was.
    pub calibration: Vec<Decile>,
    /// How far off it was.
    pub error: ForecastError,
}

/// A tenth of the customers, or of the subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decile {
    /// How many.
    pub customers: u64,
    /// Purchase days expected, in the mean; of subscriptions, which part will be cancelled.
    pub expected: f64,
    /// Purchase days seen, in the mean; of subscriptions, which part was cancelled.
    pub seen: f64,
}

/// A model of what purchases are worth, and how well it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedSpending {
    /// Money in units of the tenant's currency.
    pub parameters: SpendingModel,
    /// Of the data.
    pub log_likelihood: f64,
    /// Of the number and the mean of repeat purchases, which the model takes to be none.
    pub correlation: f64,
}

impl TrainedModels {
    /// Takes over each part of `newer` that there is.
    pub fn replace_with(&mut self, newer: Self) {
        let Self {
            churn,
            spending,
            renewal,
            value,
            rfm,
            clusters,
            conversion,
        } = newer;
        self.churn = churn.or(self.churn.take());
        self.spending = spending.or(self.spending.take());
        self.renewal = renewal.or(self.renewal.take());
        self.value = value.or(self.value.take());
        self.rfm = rfm.or(self.rfm.take());
        self.clusters = clusters.or(self.clusters.take());
        self.conversion.extend(conversion);
    }

    /// What makes it useless for scoring, if anything does.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self {
            churn,
            spending,
            renewal,
            value,
            rfm,
            clusters,
            conversion,
        } = self;
        let unsound = |what: &str| Some(format!("the {what} model's numbers make no sense"));
        let positive = |value: f64| value > 0.0 && value <= LARGEST_PARAMETER;
        if let Some(Trained { model, .. }) = churn {
            let Parameters { r, alpha, a, b } = model.parameters;
            if ![r, alpha, a, b].into_iter().all(positive) || !model.holdout.error.is_sound() {
                return unsound("churn");
            }
        }
        if let Some(Trained { model, .. }) = spending {
            let SpendingModel { p, q, v } = model.parameters;
            if !(positive(p) && positive(v) && positive(q - 1.0)) {
                return unsound("spending");
            }
        }
        if renewal.as_ref().is_some_and(|of| !of.model.is_sound()) {
            return unsound("renewal");
        }
        if value.as_ref().is_some_and(|of| !of.model.is_sound()) {
            return unsound("value");
        }
        if rfm.as_ref().is_some_and(|of| !of.model.is_sound()) {
            return unsound("rfm");
        }
        if clusters.as_ref().is_some_and(|of| !of.model.is_sound()) {
            return unsound("clusters");
        }
        let wrong = conversion.iter().find(|(_, of)| !of.model.is_sound());
        wrong.and_then(|(journey, _)| unsound(&format!("conversion of {journey:?}")))
    }
}

impl Trained<TrainedChurn> {
    /// As scores name it.
    pub fn name(&self) -> String {
        format!("{}/trained-{}", self.model.family.name(), self.as_of)
    }
}

//! Models trained on a tenant's own customers: data that is part of its definitions.
//!
//! Each part says what it was trained on, for a part that could not be trained again stays as it
//! was.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::decile::Decile;
use super::special::is_parameter;
use super::{
    ClusterModel, ConversionModel, Family, ForecastError, Parameters, RfmModel, SpendingModel,
    TrainedRenewal, ValueModel,
};

/// The trained models of a tenant; models never trained are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedModels {
    /// The churn and purchase model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Trained<TrainedChurn>>,
    /// The model of purchase values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spending: Option<Trained<TrainedSpending>>,
    /// The renewal model of subscriptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Trained<TrainedRenewal>>,
    /// The distribution of expected spending over all customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Trained<ValueModel>>,
    /// The cut points of recency, frequency and monetary value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfm: Option<Trained<RfmModel>>,
    /// Groups of customers alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Trained<ClusterModel>>,
    /// The conversion models, by journey.
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
    /// The number of customers in the training data.
    pub customers: u64,
    /// The model.
    pub model: M,
}

/// A churn model and how well it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedChurn {
    /// The formula.
    pub family: Family,
    /// Fitted to all of the data.
    pub parameters: Parameters,
    /// The log-likelihood of all data.
    pub log_likelihood: f64,
    /// Fitted to the earlier part of the data, held against the later one.
    pub holdout: Holdout,
}

/// The accuracy on the holdout of a model fitted to the days before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdout {
    /// Its first day; it ends with the data.
    pub from: Date,
    /// The number of customers that had bought before.
    pub customers: u64,
    /// The log-likelihood of the holdout, given the history before it.
    pub log_likelihood: f64,
    /// Calibration: tenths of the customers by expected purchases, in ascending order.
    pub calibration: Vec<Decile>,
    /// The error of the model.
    pub error: ForecastError,
}

/// A model of purchase values, with its accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedSpending {
    /// Money in units of the tenant's currency.
    pub parameters: SpendingModel,
    /// The log-likelihood of the data.
    pub log_likelihood: f64,
    /// The correlation of number and mean of repeat purchases, which the model assumes to be zero.
    pub correlation: f64,
}

impl TrainedModels {
    /// Whether any model places customers.
    pub(crate) fn place_customers(&self) -> bool {
        let purchases = self.rfm.is_some() || self.clusters.is_some() || self.value.is_some();
        purchases || self.renewal.is_some()
    }

    /// Returns the value model, if customers are scored by it: `None` until spending is trained on the
    /// tenant's own customers, and for a model that was trained with shipped parameters of spending,
    /// which were dollars.
    pub fn scored_value(&self) -> Option<&Trained<ValueModel>> {
        let value = self.spending.as_ref().and(self.value.as_ref());
        value.filter(|value| !value.model.scores.contains("gamma_gamma/shipped"))
    }

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

    /// Returns the reason that makes a model unusable for scoring, if there is one: a number with which a
    /// prediction of some customer would not be finite.
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
        let unsound = |what: &str| {
            Some(format!(
                "the {what} model has numbers out of range: train it again with `tidemark train`"
            ))
        };
        if let Some(Trained { model, .. }) = churn {
            let Parameters { r, alpha, a, b } = model.parameters;
            if ![r, alpha, a, b].into_iter().all(is_parameter) || !model.holdout.error.is_sound() {
                return unsound("churn");
            }
        }
        if let Some(Trained { model, .. }) = spending {
            let SpendingModel { p, q, v } = model.parameters;
            if ![p, v, q - 1.0].into_iter().all(is_parameter) {
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
    /// Returns the name in scores.
    pub fn name(&self) -> String {
        format!("{}/trained-{}", self.model.family.name(), self.as_of)
    }
}

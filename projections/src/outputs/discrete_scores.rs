//! What trained models say of a customer that changes at an instant, not gradually: the RFM cell, the
//! cluster, the band of a subscriber. And what an index orders customers by.

use super::evaluation::Evaluation;
use super::purchase_value::{DISCOUNT, mean_purchase_minor};
use crate::days;
use crate::models::{
    Band, PERCENTILE_DAYS, PurchaseHistory, RfmCell, TrainedModels, TrainedRenewal,
    discounted_value,
};
use crate::state::subscriptions::Subscription;
use tidemark_schemas::event::SubscriptionStatus;

/// The discrete scores of trained models; each is `None` until its model is trained, and for
/// customers that the model does not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiscreteScores {
    /// The RFM cell of a buyer.
    pub rfm: Option<RfmCell>,
    /// The cluster of a buyer, from 1.
    pub cluster: Option<u16>,
    /// The renewal band of a subscriber: that of the subscription most likely to be cancelled.
    pub renewal: Option<Band>,
    /// The value (CLV) of a year as of the last purchase, in minor units: the amount at stake. It is
    /// independent of time.
    pub value_minor: Option<i64>,
}

/// How likely one subscription is to be cancelled at its next renewal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RenewalRisk {
    pub(crate) risk: f64,
    /// How often it was renewed.
    pub(crate) renewed: u32,
    /// The day of the next renewal, if there is such a day.
    pub(crate) next: Option<i32>,
}

impl TrainedModels {
    /// Whether any model places customers.
    pub(crate) fn place_customers(&self) -> bool {
        let purchases = self.rfm.is_some() || self.clusters.is_some() || self.value.is_some();
        purchases || self.renewal.is_some()
    }
}

impl Evaluation<'_> {
    /// Returns the discrete scores, and records when time alone changes them.
    pub(crate) fn discrete_scores(&mut self) -> DiscreteScores {
        let mut discrete_scores = DiscreteScores::default();
        if !self.definitions.models.place_customers() {
            return discrete_scores;
        }
        if let Some(history) = self.history {
            self.place_buyer(history, &mut discrete_scores);
        }
        discrete_scores.renewal = self.renewal_band();
        discrete_scores
    }

    fn place_buyer(&mut self, history: PurchaseHistory, discrete_scores: &mut DiscreteScores) {
        let definitions = self.definitions;
        let models = &definitions.models;
        let Some(rfm) = self.ledger().rfm(self.today()) else {
            return;
        };
        if let Some(trained) = &models.rfm {
            discrete_scores.rfm = Some(trained.model.cell(rfm));
            let next = trained.model.next_recency(rfm.recency_days);
            self.may_change_at_age(next.map(|recency| history.last + recency));
        }
        if let Some(trained) = &models.clusters {
            let number = trained.model.assign(rfm).cluster + 1;
            discrete_scores.cluster = u16::try_from(number).ok();
            let next = trained.model.next_recency(rfm);
            self.may_change_at_age(next.map(|recency| history.last + recency));
        }
        if models.value.is_some() {
            let then = PurchaseHistory {
                age: history.last,
                ..history
            };
            let mean = mean_purchase_minor(self.ledger(), definitions);
            let days = PERCENTILE_DAYS;
            let value = discounted_value(&definitions.churn, then, mean, days, DISCOUNT);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "casts from floats saturate"
            )]
            let rounded = value.round() as i64;
            discrete_scores.value_minor = Some(rounded);
        }
    }

    fn renewal_band(&mut self) -> Option<Band> {
        let definitions = self.definitions;
        let trained = definitions.models.renewal.as_ref()?;
        let mut greatest = None;
        for (_, subscription) in self.state.records().subscriptions.iter() {
            let Some(found) = self.renewal_risk(&trained.model, subscription) else {
                continue;
            };
            let band = definitions.renewal.band(found.risk);
            greatest = greatest.max(Some(band));
            // Each renewal lowers the risk.
            if band != Band::Low {
                let zone = &definitions.rules.zone;
                self.may_change_at(found.next.and_then(|day| days::start_of(zone, day)));
            }
        }
        greatest
    }

    /// `None` of a trial, and of what is cancelled.
    pub(crate) fn renewal_risk(
        &self,
        model: &TrainedRenewal,
        subscription: &Subscription,
    ) -> Option<RenewalRisk> {
        use SubscriptionStatus::{Active, PastDue, Paused};
        let newest = &subscription.newest;
        let started = subscription.started_at()?;
        if ![Active, PastDue, Paused].contains(&newest.status) {
            return None;
        }
        let started = days::day_of(&self.definitions.rules.zone, started);
        let renewed = days::whole_months(started, self.today());
        Some(RenewalRisk {
            risk: model.of_plan(&newest.plan).risk(renewed),
            renewed,
            next: days::months_after(started, renewed + 1),
        })
    }
}

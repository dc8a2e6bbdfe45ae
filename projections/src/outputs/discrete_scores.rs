//! The scores of trained models that change at an instant, not gradually: the RFM cell, the cluster
//! and the band of a subscriber; and the value by which an index orders customers.

use super::next_change::NextChange;
use super::purchase_value::{DISCOUNT, mean_purchase_minor};
use super::state_at::StateAt;
use crate::days;
use crate::models::{
    Band, PERCENTILE_DAYS, PurchaseHistory, RfmCell, TrainedRenewal, discounted_value,
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

impl DiscreteScores {
    /// Evaluates the scores, and notes when time alone changes them.
    pub(crate) fn evaluate(now: &StateAt<'_>, next_change: &mut NextChange) -> Self {
        let mut scores = Self::default();
        if !now.definitions().models.place_customers() {
            return scores;
        }
        if let Some(score) = now.churn_score() {
            scores.place_buyer(score.history, now, next_change);
        }
        scores.renewal = renewal_band(now, next_change);
        scores
    }

    fn place_buyer(
        &mut self,
        history: PurchaseHistory,
        now: &StateAt<'_>,
        next_change: &mut NextChange,
    ) {
        let definitions = now.definitions();
        let models = &definitions.models;
        let Some(rfm) = now.ledger().rfm(now.today()) else {
            return;
        };
        if let Some(trained) = &models.rfm {
            self.rfm = Some(trained.model.cell(rfm));
            let next = trained.model.next_recency(rfm.recency_days);
            next_change.note(now.start_of_age(next.map(|recency| history.last + recency)));
        }
        if let Some(trained) = &models.clusters {
            let number = trained.model.assign(rfm).cluster + 1;
            self.cluster = u16::try_from(number).ok();
            let next = trained.model.next_recency(rfm);
            next_change.note(now.start_of_age(next.map(|recency| history.last + recency)));
        }
        let mean = models
            .scored_value()
            .and(mean_purchase_minor(now.ledger(), definitions));
        if let Some(mean) = mean {
            let then = PurchaseHistory {
                age: history.last,
                ..history
            };
            let days = PERCENTILE_DAYS;
            let value = discounted_value(&definitions.churn, then, mean, days, DISCOUNT);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "casts from floats saturate"
            )]
            let rounded = value.round() as i64;
            self.value_minor = Some(rounded);
        }
    }
}

fn renewal_band(now: &StateAt<'_>, next_change: &mut NextChange) -> Option<Band> {
    let definitions = now.definitions();
    let trained = definitions.models.renewal.as_ref()?;
    let mut greatest = None;
    for (_, subscription) in now.state().records().subscriptions.iter() {
        let Some(found) = RenewalRisk::new(&trained.model, subscription, now) else {
            continue;
        };
        let band = definitions.renewal.band(found.risk);
        greatest = greatest.max(Some(band));
        // Each renewal lowers the risk.
        if band != Band::Low {
            next_change.note(now.start_of(found.next));
        }
    }
    greatest
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

impl RenewalRisk {
    /// Scores a subscription; `None` for a trial, and for a subscription that is cancelled.
    pub(crate) fn new(
        model: &TrainedRenewal,
        subscription: &Subscription,
        now: &StateAt<'_>,
    ) -> Option<Self> {
        use SubscriptionStatus::{Active, PastDue, Paused};
        let newest = &subscription.newest;
        let started = subscription.started_at()?;
        if ![Active, PastDue, Paused].contains(&newest.status) {
            return None;
        }
        let started = days::day_of(now.zone(), started);
        let renewed = days::whole_months(started, now.today());
        Some(Self {
            risk: model.of_plan(&newest.plan).risk(renewed),
            renewed,
            next: days::months_after(started, renewed + 1),
        })
    }
}

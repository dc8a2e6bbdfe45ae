//! The predictions of one customer: value, RFM cell, cluster and conversion.
//!
//! Apart from [`super::derive`] because it costs more, and nothing discrete is stored of it. Recency
//! and age are whole days of the tenant's zone, so that all of it changes at local midnight alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;
use tidemark_schemas::Instant;

use super::discrete_scores::RenewalRisk;
use super::purchase_value::{DISCOUNT, mean_purchase_minor};
use super::standpoint::standpoint;
use super::state_at::StateAt;
use crate::days;
use crate::definitions::TenantDefinitions;
use crate::models::{
    Assignment, Band, PERCENTILE_DAYS, PurchaseHistory, RfmCell, VALUE_NOT_SCORED, discounted_value,
};
use crate::state::CustomerState;
use crate::state::orders::Ledger;

/// The horizons of value, in days.
const VALUE_HORIZONS: [u32; 3] = [30, 90, 365];
/// The horizons of conversion, in days.
const CONVERSION_HORIZONS: [u32; 2] = [30, 90];

/// Everything predicted at one instant, each with the model it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predictions {
    /// The expected purchases; null for a customer without purchases.
    pub value: Option<Scored<ValueOutput>>,
    /// The percentile of a year's value; null for a customer without purchases, and until it is trained.
    pub percentile: Option<Scored<Percentile>>,
    /// The RFM cell; null for a customer without purchases, and until it is trained.
    pub rfm: Option<Scored<RfmCell>>,
    /// The cluster; null for a customer without purchases, and until it is trained.
    pub cluster: Option<Scored<Assignment>>,
    /// The risk of cancellation; null for a customer without subscriptions, and until it is trained.
    pub renewal: Option<Scored<RenewalOutput>>,
    /// The predicted stages, by journey; without journeys that the customer is not in or that are not trained.
    pub conversion: BTreeMap<Arc<str>, Scored<Vec<ConversionOutput>>>,
}

/// A score with its model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scored<T> {
    /// The name of the model, for example `rfm/trained-2025-03-31`, or `…/shipped-cdnow` for
    /// shipped parameters.
    pub model: String,
    /// Whether the model's parameters are shipped defaults rather than trained on the tenant's own
    /// customers.
    pub shipped: bool,
    /// The score.
    pub score: T,
}

impl<T> Scored<T> {
    fn trained(kind: &str, as_of: Date, score: T) -> Self {
        Self {
            model: format!("{kind}/trained-{as_of}"),
            shipped: false,
            score,
        }
    }
}

/// The percentile of a customer's value among all customers at the last training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Percentile {
    /// The share of customers with a lower value, in percent: 90 or more is the top tenth.
    pub percentile: i64,
}

/// The expected purchases of a customer and their value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueOutput {
    /// The expected mean value of a purchase day, in minor units; null until spending is trained.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub mean_purchase_minor: Option<f64>,
    /// The expectations over 30, 90 and 365 days.
    pub horizons: Vec<ValueHorizon>,
    /// The reason why amounts are not scored, and the command that helps; null if they are.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub not_scored_because: Option<&'static str>,
}

/// The expected purchases within a number of days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueHorizon {
    /// The length of the horizon in days, from `as_of`.
    pub days: u32,
    /// The expected number of days with a purchase.
    pub expected_purchases: f64,
    /// The present value of these purchases, in minor units, discounted by 10 % a year; null until
    /// spending is trained.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub value_minor: Option<f64>,
}

/// The risk that a subscriber cancels at the next renewal: the highest over the customer's
/// subscriptions. A subscriber who also buys has a separate band for purchases.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenewalOutput {
    /// The id of the subscription.
    pub subscription_id: Arc<str>,
    /// The plan of the subscription.
    pub plan: Arc<str>,
    /// The number of renewals: one a month since the first paid period.
    pub renewed: u32,
    /// The day of the next renewal, in the tenant's time zone; null if it cannot be computed.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub renews_on: Option<Date>,
    /// The probability of cancellation at that renewal.
    pub risk: f64,
    /// The band of the risk, by the tenant's thresholds for renewals.
    pub band: Band,
}

/// The probabilities of moves within a number of days.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversionOutput {
    /// The length of the horizon in days, from `as_of`.
    pub days: u32,
    /// The probability of each stage to be the next one, entered within the horizon.
    pub next: BTreeMap<Arc<str>, f64>,
    /// The probability of reaching the last stage within the horizon.
    pub last: f64,
}

/// Predicts as of an instant not before the newest event.
pub fn predict(state: &CustomerState, definitions: &TenantDefinitions, at: Instant) -> Predictions {
    let ledger = Ledger::new(&state.orders, definitions);
    let today = days::day_of(&definitions.rules.zone, at);
    let history = ledger.purchase_history(today);
    let models = &definitions.models;
    let rfm = ledger.rfm(today);
    Predictions {
        value: history.map(|history| value(&ledger, history, definitions)),
        percentile: percentile(&ledger, history, definitions),
        rfm: models
            .rfm
            .as_ref()
            .zip(rfm)
            .map(|(trained, of)| Scored::trained("rfm", trained.as_of, trained.model.cell(of))),
        cluster: models.clusters.as_ref().zip(rfm).map(|(trained, of)| {
            Scored::trained("clusters", trained.as_of, trained.model.assign(of))
        }),
        renewal: renewal(state, definitions, at),
        conversion: conversion(state, definitions, at),
    }
}

/// The earliest local midnight at which the RFM cell or the cluster may change if nothing happens.
/// May be early, never late.
pub fn next_rfm_change(
    state: &CustomerState,
    definitions: &TenantDefinitions,
    at: Instant,
) -> Option<Instant> {
    let ledger = Ledger::new(&state.orders, definitions);
    let zone = &definitions.rules.zone;
    let rfm = ledger.rfm(days::day_of(zone, at))?;
    let models = &definitions.models;
    let cell = models.rfm.as_ref();
    let cell = cell.and_then(|of| of.model.next_recency(rfm.recency_days));
    let cluster = models.clusters.as_ref();
    let cluster = cluster.and_then(|of| of.model.next_recency(rfm));
    let recency = cell.into_iter().chain(cluster).min()?;
    let day = i64::from(ledger.days.last()?.day).checked_add(recency)?;
    let midnight = days::start_of(zone, i32::try_from(day).ok()?);
    // A clock behind the newest order has seen no silence yet.
    midnight.filter(|midnight| *midnight > at)
}

fn value(
    ledger: &Ledger,
    history: PurchaseHistory,
    definitions: &TenantDefinitions,
) -> Scored<ValueOutput> {
    let churn = &definitions.churn;
    let mean_purchase_minor = mean_purchase_minor(ledger, definitions);
    let spending = definitions.models.spending.as_ref();
    let model = match spending {
        Some(trained) => format!("{} gamma_gamma/trained-{}", churn.name, trained.as_of),
        None => churn.name.clone(),
    };
    let value_within = |mean, days| discounted_value(churn, history, mean, days, DISCOUNT);
    let horizons = VALUE_HORIZONS.map(|days| ValueHorizon {
        days,
        expected_purchases: churn.expected_purchases(history, days),
        value_minor: mean_purchase_minor.map(|mean| value_within(mean, days)),
    });
    Scored {
        shipped: churn.is_shipped(),
        model,
        score: ValueOutput {
            mean_purchase_minor,
            horizons: horizons.into(),
            not_scored_because: spending.is_none().then_some(VALUE_NOT_SCORED),
        },
    }
}

fn renewal(
    state: &CustomerState,
    definitions: &TenantDefinitions,
    at: Instant,
) -> Option<Scored<RenewalOutput>> {
    let trained = definitions.models.renewal.as_ref()?;
    let now = StateAt::new(state, definitions, at);
    let mut worst: Option<RenewalOutput> = None;
    for (id, subscription) in state.records().subscriptions.iter() {
        let Some(found) = RenewalRisk::new(&trained.model, subscription, &now) else {
            continue;
        };
        if worst.as_ref().is_none_or(|worst| found.risk > worst.risk) {
            worst = Some(RenewalOutput {
                subscription_id: Arc::clone(id),
                plan: Arc::clone(&subscription.newest.plan),
                renewed: found.renewed,
                renews_on: found.next.and_then(days::date_of),
                risk: found.risk,
                band: definitions.renewal.band(found.risk),
            });
        }
    }
    worst.map(|score| Scored::trained("sbg", trained.as_of, score))
}

fn percentile(
    ledger: &Ledger,
    history: Option<PurchaseHistory>,
    definitions: &TenantDefinitions,
) -> Option<Scored<Percentile>> {
    let (history, trained) = history.zip(definitions.models.scored_value())?;
    let mean = mean_purchase_minor(ledger, definitions)?;
    let value = discounted_value(&definitions.churn, history, mean, PERCENTILE_DAYS, DISCOUNT);
    let percentile = trained.model.percentile(value);
    Some(Scored::trained(
        "value",
        trained.as_of,
        Percentile { percentile },
    ))
}

fn conversion(
    state: &CustomerState,
    definitions: &TenantDefinitions,
    at: Instant,
) -> BTreeMap<Arc<str>, Scored<Vec<ConversionOutput>>> {
    let mut found = BTreeMap::new();
    for journey in definitions.journeys.values() {
        // Training sees events alone, and so must predictions.
        let trained = definitions.models.conversion.get(&*journey.name);
        let trained = trained.filter(|_| journey.entered_by.is_empty());
        let Some((trained, stands)) = trained.zip(standpoint(state, journey, &[])) else {
            continue;
        };
        // The journey has other stages than when it was trained.
        if !trained.model.is_of(&journey.stages) {
            continue;
        }
        let Some(place) = journey.position(stands.stage) else {
            continue;
        };
        let dwell = days::whole_days(&definitions.rules.zone, stands.since, at);
        let score = CONVERSION_HORIZONS.map(|days| {
            let found = trained.model.predict(place, dwell, days);
            let next = journey.stages.iter().map(Arc::clone).zip(found.next);
            ConversionOutput {
                days,
                next: next.filter(|(_, chance)| *chance > 0.0).collect(),
                last: found.last,
            }
        });
        let scored = Scored::trained("conversion", trained.as_of, score.into());
        found.insert(Arc::clone(&journey.name), scored);
    }
    found
}

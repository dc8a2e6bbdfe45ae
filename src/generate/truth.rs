//! The parameters of an industry's customers, which training should find.

use std::collections::BTreeMap;

use serde::Serialize;
use tidemark_projections::models::{Family, Parameters, RenewalModel, SpendingModel};

use super::moves::{Hazard, SPELLS};
use super::offers::Response;
use super::purchases::Purchases;
use super::renewals::Plan;

/// The parameters of an industry's customers, in the terms of the models that are trained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Purchases and churn. Null where customers do not buy repeatedly.
    pub churn: Option<ChurnTruth>,
    /// Amounts of purchases, in units of the tenant's currency.
    pub spending: Option<SpendingModel>,
    /// Monthly renewals of subscriptions, by plan.
    pub renewals: BTreeMap<&'static str, RenewalModel>,
    /// The moves out of stages, by journey and stage. Stages that other causes drive are absent.
    pub journeys: BTreeMap<&'static str, BTreeMap<&'static str, Vec<MoveTruth>>>,
    /// The probability that an offer is accepted, by action and segment.
    pub responses: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
}

/// Purchases and churn of customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChurnTruth {
    /// The family of models.
    pub family: Family,
    /// The parameters, with time in weeks.
    pub parameters: Parameters,
}

/// A move out of a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MoveTruth {
    /// The next stage.
    pub to: &'static str,
    /// The probability on one day of a stay, each from a day of the stay on.
    pub daily: Vec<FromDay>,
}

/// A probability, and the day of a stay from which it holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FromDay {
    /// The number of days of 24 hours since the stage was entered.
    pub day: u32,
    /// The probability on one day.
    pub probability: f64,
}

impl MoveTruth {
    /// Returns the probability on a day of a stay.
    pub fn on(&self, day: u32) -> f64 {
        let known = self.daily.partition_point(|from| from.day <= day);
        known
            .checked_sub(1)
            .map_or(0.0, |last| self.daily[last].probability)
    }
}

impl Truth {
    pub(super) fn new(
        purchases: Option<&Purchases>,
        plans: &[Plan],
        journeys: &[(&'static str, &[Hazard])],
        responses: &[Response],
    ) -> Self {
        let churn = purchases.map(|purchases| ChurnTruth {
            family: purchases.family,
            parameters: purchases.parameters,
        });
        let mut by_action = BTreeMap::<_, BTreeMap<_, _>>::new();
        for response in responses {
            let segments = by_action.entry(response.action).or_default();
            segments.insert(response.segment, response.accepts);
        }
        Self {
            churn,
            spending: purchases.map(|purchases| purchases.spending),
            renewals: plans
                .iter()
                .map(|plan| (plan.name, plan.renewals))
                .collect(),
            journeys: journeys
                .iter()
                .map(|(journey, hazards)| (*journey, moves(hazards)))
                .collect(),
            responses: by_action,
        }
    }
}

fn moves(hazards: &[Hazard]) -> BTreeMap<&'static str, Vec<MoveTruth>> {
    let mut by_stage = BTreeMap::<_, Vec<MoveTruth>>::new();
    for hazard in hazards {
        let daily = SPELLS.into_iter().zip(hazard.daily);
        by_stage.entry(hazard.from).or_default().push(MoveTruth {
            to: hazard.to,
            daily: daily
                .map(|(day, probability)| FromDay { day, probability })
                .collect(),
        });
    }
    by_stage
}

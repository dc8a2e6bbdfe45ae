//! What an industry's customers are made with: what training should find.

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
    /// How often customers buy, and when they stop. Null where a purchase is nothing that comes back.
    pub churn: Option<ChurnTruth>,
    /// What a purchase is worth, in units of the tenant's currency.
    pub spending: Option<SpendingModel>,
    /// By plan: who renews a subscription, month by month.
    pub renewals: BTreeMap<&'static str, RenewalModel>,
    /// By journey and stage: the ways out of it. Stages that something else drives are absent.
    pub journeys: BTreeMap<&'static str, BTreeMap<&'static str, Vec<MoveTruth>>>,
    /// By action and segment: how likely an offer is accepted.
    pub responses: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
}

/// How often customers buy, and when they stop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChurnTruth {
    /// Which formula.
    pub family: Family,
    /// Time in weeks.
    pub parameters: Parameters,
}

/// A way out of a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MoveTruth {
    /// The stage it leads to.
    pub to: &'static str,
    /// The probability of taking it on one day of a stay, from the day named on.
    pub daily: Vec<FromDay>,
}

/// A probability, and from which day of a stay it holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FromDay {
    /// Days of 24 hours since the stage was entered.
    pub day: u32,
    /// On one day.
    pub probability: f64,
}

impl MoveTruth {
    /// The probability on that day of a stay.
    pub fn on(&self, day: u32) -> f64 {
        let known = self.daily.partition_point(|from| from.day <= day);
        known
            .checked_sub(1)
            .map_or(0.0, |last| self.daily[last].probability)
    }
}

impl Truth {
    pub(super) fn of(
        purchases: Option<&Purchases>,
        plans: &[Plan],
        journeys: &[(&'static str, &[Hazard])],
        responses: &[Response],
    ) -> Self {
        let churn = purchases.map(|of| ChurnTruth {
            family: of.family,
            parameters: of.parameters,
        });
        let mut by_action = BTreeMap::<_, BTreeMap<_, _>>::new();
        for response in responses {
            let of_action = by_action.entry(response.action).or_default();
            of_action.insert(response.segment, response.accepts);
        }
        Self {
            churn,
            spending: purchases.map(|of| of.spending),
            renewals: plans
                .iter()
                .map(|plan| (plan.name, plan.renewals))
                .collect(),
            journeys: journeys
                .iter()
                .map(|(journey, hazards)| (*journey, ways(hazards)))
                .collect(),
            responses: by_action,
        }
    }
}

fn ways(hazards: &[Hazard]) -> BTreeMap<&'static str, Vec<MoveTruth>> {
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

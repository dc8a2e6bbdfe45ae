//! `derive(state, definitions, at)`: what follows from a state at an instant, and until when.
//!
//! [`evaluate`] computes the discrete outputs alone (segments, stages, band) and until when they
//! hold: it runs once per event. [`derive`] adds everything people want to see.
//!
//! Money: an order is worth its amount less its refunds, each converted at the tenant's rates into
//! whole minor units, halves rounded away from zero. An order is left out of the money, and counted
//! as unconverted, if its currency or that of one of its refunds has no rate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;
use tidemark_schemas::{AttributeValue, Currency, Instant};

use crate::days;
use crate::definitions::TenantDefinitions;
use crate::models::Band;
use crate::state::CustomerState;
use crate::state::orders::Ledger;

mod churn_score;
mod conditions;
mod discrete_scores;
mod evaluate;
mod evaluation;
mod history;
mod ledger;
mod memberships;
mod next_change;
pub(crate) mod offered;
mod predictions;
mod purchase_value;
mod stages;
mod standpoint;
mod state_at;
mod summaries;
mod timeline;

pub(crate) use churn_score::ChurnScore;
pub use discrete_scores::DiscreteScores;
pub use evaluate::{Discrete, evaluate, evaluate_knowing};
pub(crate) use evaluate::{Found, Scores};
pub(crate) use evaluation::Evaluation;
pub use history::History;
pub use offered::Offered;
pub use predictions::{
    ConversionOutput, Percentile, Predictions, RenewalOutput, Scored, ValueHorizon, ValueOutput,
    next_rfm_change, predict,
};
pub use standpoint::Standpoint;
pub(crate) use summaries::records_summary;
pub use summaries::{
    CampaignOutput, ConsentOutput, OfferOutput, RecordsSummary, SubscriptionOutput, TicketOutput,
};
pub use timeline::{Happening, HappeningKind, timeline};

pub(crate) use history::Triggers;
pub(crate) use memberships::Memberships;
pub(crate) use purchase_value::{DISCOUNT, expected_value, mean_purchase_by};
pub(crate) use stages::stage_in;
pub(crate) use state_at::StateAt;

/// Everything derived at one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outputs {
    /// Attributes by name (those set to null included).
    pub attributes: BTreeMap<Arc<str>, AttributeValue>,
    /// From the orders.
    pub orders: OrdersSummary,
    /// By journey: where the customer stands. Journeys without a stage entered are absent.
    pub journeys: BTreeMap<Arc<str>, StageOutput>,
    /// Segments the customer belongs to.
    pub segments: BTreeSet<Arc<str>>,
    /// How likely the customer is gone.
    pub churn: Churn,
    /// Subscriptions, tickets, campaigns, offers and consents.
    pub records: RecordsSummary,
}

/// Orders in the tenant's currency.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrdersSummary {
    /// The number of orders placed.
    pub count: u64,
    /// The total of the orders less refunds, in minor units of the tenant's currency.
    pub revenue_minor: i64,
    /// The tenant's currency.
    pub currency: Currency,
    /// The number of orders left out of the amounts because the tenant has no rate for their
    /// currency.
    pub unconverted: u64,
    /// The number of distinct days with an order.
    pub purchase_days: u32,
    /// The number of distinct days with an order after the first such day: the frequency x of the
    /// models.
    pub repeat_purchase_days: u32,
    /// The day of the first purchase in the tenant's time zone; null if the customer has never
    /// bought.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub first_purchase_on: Option<Date>,
    /// The day of the last purchase in the tenant's time zone; null if the customer has never
    /// bought.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_purchase_on: Option<Date>,
    /// The mean total of a purchase day after the first, in minor units. A day with more refunds
    /// than orders counts as zero; days without a converted order are left out. Null if there is no
    /// such day.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub mean_repeat_value_minor: Option<f64>,
}

/// A customer's stage in a journey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageOutput {
    /// The name of the stage.
    pub stage: Arc<str>,
    /// The time at which the customer entered the stage.
    pub since: Instant,
}

/// The churn risk of a customer that buys without a contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Churn {
    /// `scored`, or `not_scored` if the customer has never bought.
    pub status: ChurnStatus,
    /// The probability that the customer still buys, from 0 to 1; null if not scored.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub p_alive: Option<f64>,
    /// The churn risk, 1 − `p_alive`; null if not scored.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub risk: Option<f64>,
    /// The band of the risk, by the tenant's thresholds; null if not scored.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub band: Option<Band>,
    /// The name of the model and its parameters, shipped or trained.
    pub model: String,
}

/// Whether the customer is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChurnStatus {
    /// The customer is scored.
    Scored,
    /// The customer has never bought, so there is no score.
    NotScored,
}

/// Returns the outputs of a state at an instant not before the newest event, for a customer without a
/// history: see [`derive_knowing`].
pub fn derive(state: &CustomerState, definitions: &TenantDefinitions, at: Instant) -> Outputs {
    derive_knowing(History::none(at), state, definitions, at)
}

/// Returns the outputs as [`derive`] does, for a customer with a history, which `member_for` needs.
pub fn derive_knowing(
    known: History,
    state: &CustomerState,
    definitions: &TenantDefinitions,
    at: Instant,
) -> Outputs {
    let (discrete, now) = evaluate::evaluate_at(known, state, definitions, at);
    let attributes = state
        .attributes
        .iter()
        .map(|(name, current)| (Arc::clone(name), current.value.clone()))
        .collect();
    let journeys = discrete
        .stages
        .iter()
        .map(|stage| {
            let output = StageOutput {
                stage: Arc::clone(stage.stage),
                since: stage.since,
            };
            (Arc::clone(stage.journey), output)
        })
        .collect();
    let segments = definitions
        .segments
        .iter()
        .zip(&discrete.segments)
        .filter(|(_, member)| **member)
        .map(|(segment, _)| Arc::clone(&segment.name))
        .collect();
    let churn = Churn {
        status: if discrete.p_alive.is_some() {
            ChurnStatus::Scored
        } else {
            ChurnStatus::NotScored
        },
        p_alive: discrete.p_alive,
        risk: discrete.p_alive.map(|p_alive| 1.0 - p_alive),
        band: discrete.band,
        model: definitions.churn.name.clone(),
    };
    let orders = orders_summary(now.ledger(), definitions.currency);
    Outputs {
        attributes,
        orders,
        journeys,
        segments,
        churn,
        records: records_summary(state.records(), definitions),
    }
}

fn orders_summary(ledger: &Ledger, currency: Currency) -> OrdersSummary {
    let totals = ledger.totals();
    let purchase_days = u32::try_from(ledger.days.len()).unwrap_or(u32::MAX);
    OrdersSummary {
        count: totals.orders,
        revenue_minor: i64::try_from(totals.net_minor).unwrap_or(if totals.net_minor > 0 {
            i64::MAX
        } else {
            i64::MIN
        }),
        currency,
        unconverted: totals.orders - totals.converted,
        purchase_days,
        repeat_purchase_days: purchase_days.saturating_sub(1),
        first_purchase_on: ledger.days.first().and_then(|day| days::date_of(day.day)),
        last_purchase_on: ledger.days.last().and_then(|day| days::date_of(day.day)),
        mean_repeat_value_minor: ledger.mean_repeat_value_minor(),
    }
}

/// The earliest instant after `at` at which a discrete output (segment, stage, band) may change
/// if nothing happens. May be early, never late: outputs are constant on [at, `next_change`).
pub fn next_change(
    state: &CustomerState,
    definitions: &TenantDefinitions,
    at: Instant,
) -> Option<Instant> {
    evaluate(state, definitions, at).next_change
}

//! `GET /v1/value`: what the tenant's customers are worth, and what they will spend.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::invalidation::Kind;
use tidemark_projections::models::{Band, RevenueForecast, Trained, ValueModel};
use tidemark_schemas::Currency;
use utoipa::ToSchema;

use super::at_risk::{self, AtStake};
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{NothingAsked, Parameters};
use crate::problem::Problem;

/// How many of the best customers are told.
const TOP: i64 = 10;

/// All of it.
#[derive(Debug)]
struct Everybody;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValueOverview {
    /// Of the amounts; null of a tenant not yet defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// What training found of all customers there were; null until it is trained.
    #[schema(required)]
    trained: Option<TrainedValue>,
    /// Ten customers of low risk with whom most is at stake.
    top: Vec<AtStake>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TrainedValue {
    /// By which scores name it.
    model: String,
    /// The models of purchases and of spending it was computed with.
    scores: String,
    /// The last day of the data, in the tenant's zone.
    #[schema(format = Date)]
    as_of: String,
    /// Who had bought by then.
    customers: u64,
    /// Of value within a year, in minor units: the greatest of each of the first 99 hundredths of the
    /// customers, those first who are worth least.
    percentiles_minor: Vec<i64>,
    /// What these customers will spend from that day on, with an interval that holds it nine times in
    /// ten. Of customers not won yet it says nothing.
    forecast: Vec<RevenueForecast>,
}

/// What customers are worth, and what they will spend
///
/// Distribution and forecast are of all customers as of the day value was last trained; the best
/// customers are as of now.
#[utoipa::path(
    get,
    path = "/v1/value",
    operation_id = "get_value",
    tag = "predictions",
    responses((status = 200, description = "Distribution, forecast and top.", body = ValueOverview)),
)]
pub(crate) async fn overview(
    State(service): State<Service>,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &Everybody).await
}

impl Query for Everybody {
    type Answer = ValueOverview;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&[Kind::Customers]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<ValueOverview, Problem> {
        let definitions = snapshot.definitions().await?;
        let band = Band::Low;
        let rows = at_risk::rows(snapshot, band, (i64::MAX, None), TOP).await?;
        let top = rows.into_iter().map(|row| AtStake::of(row, band));
        let top = top.collect::<Result<_, _>>()?;
        let trained = definitions.as_ref().and_then(|of| of.models.value.as_ref());
        Ok(ValueOverview {
            currency: definitions.as_ref().map(|of| of.currency),
            trained: trained.map(TrainedValue::of),
            top,
        })
    }
}

impl TrainedValue {
    fn of(trained: &Trained<ValueModel>) -> Self {
        Self {
            model: format!("value/trained-{}", trained.as_of),
            scores: trained.model.scores.clone(),
            as_of: trained.as_of.to_string(),
            customers: trained.customers,
            percentiles_minor: trained.model.percentiles_minor.clone(),
            forecast: trained.model.forecast.clone(),
        }
    }
}

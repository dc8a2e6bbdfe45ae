//! `GET /v1/value`: the distribution and the forecast of customer value.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::models::{Band, RevenueForecast, Trained, VALUE_NOT_SCORED, ValueModel};
use tidemark_schemas::Currency;
use utoipa::ToSchema;

use super::by_value::{self, CustomerByValue};
use crate::database::Snapshot;
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// The number of best customers in the answer.
const TOP: i64 = 10;

/// Distribution and forecast of customer value
///
/// The distribution and the forecast cover all customers as of the last training of the value
/// model. The list of the best customers is current.
#[utoipa::path(
    get,
    path = "/v1/value",
    operation_id = "get_value",
    tag = "predictions",
    responses((status = 200, description = "The distribution, the forecast and the best customers.", body = ValueOverview)),
)]
pub(crate) async fn overview(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &ValueQuery).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValueOverview {
    /// The currency of all amounts; null until the tenant is defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// The distribution and the forecast as of the last training; null until spending and a value
    /// model are trained.
    #[schema(required)]
    trained: Option<TrainedValue>,
    /// The reason why no customer is scored, and the command that helps; null if customers are.
    #[schema(required)]
    not_scored_because: Option<&'static str>,
    /// The ten customers of low churn risk with the highest value.
    top: Vec<CustomerByValue>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TrainedValue {
    /// The name of the model, as scores name it.
    model: String,
    /// The names of the purchase and spending models behind the values.
    scores: String,
    /// The last day of the training data, in the tenant's time zone.
    #[schema(format = Date)]
    as_of: String,
    /// The number of customers with a purchase by that day.
    customers: u64,
    /// The percentiles 1 to 99 of the customers' value over a year, ascending, in minor units.
    percentiles_minor: Vec<i64>,
    /// The expected revenue from these customers after that day, with a 90 % interval per horizon.
    /// Revenue from new customers is not included.
    forecast: Vec<RevenueForecast>,
}

/// Reads the value of all customers of a tenant.
#[derive(Debug)]
struct ValueQuery;

impl Query for ValueQuery {
    type Answer = ValueOverview;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Customers]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<ValueOverview, Problem> {
        let definitions = snapshot.definitions().await?;
        let band = Band::Low;
        let rows = by_value::read(snapshot, band, (i64::MAX, None), TOP).await?;
        let top = rows
            .into_iter()
            .map(|row| CustomerByValue::from_row(row, band));
        let top = top.collect::<Result<_, _>>()?;
        let models = definitions.as_ref().map(|of| &of.models);
        let trained = models.and_then(|models| models.scored_value());
        Ok(ValueOverview {
            currency: definitions.as_ref().map(|of| of.currency),
            trained: trained.map(TrainedValue::from_model),
            not_scored_because: trained.is_none().then_some(VALUE_NOT_SCORED),
            top,
        })
    }
}

impl TrainedValue {
    fn from_model(trained: &Trained<ValueModel>) -> Self {
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

//! `GET /v1/churn/at-risk`: the customers of a churn risk band, by value.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::models::{Band, VALUE_NOT_SCORED};
use tidemark_schemas::Currency;
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::cursor::Question;
use crate::database::Snapshot;
use crate::http::{Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::band;
use crate::routes::by_value::{self, CustomerByValue};
use crate::routes::page::RankedPage;

/// Customers at risk, by the value at stake
///
/// The customers of one churn risk band, as of each customer's last evaluation, by the value of a
/// year of the customer's purchases as of the day of its last purchase. The value changes only with
/// purchases, so a customer keeps its position while its risk grows.
#[utoipa::path(
    get,
    path = "/v1/churn/at-risk",
    operation_id = "list_customers_at_risk",
    tag = "predictions",
    params(AtRiskParams),
    responses((status = 200, description = "A page of customers.", body = CustomersAtRisk)),
)]
pub(crate) async fn at_risk(
    State(reader): State<Reader>,
    QueryParams(params): QueryParams<AtRiskParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let query = AtRiskQuery::new(&params, &context.caller)?;
    reader.respond(&context, &query).await
}

/// The band and the page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtRiskParams {
    /// The number of customers per page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next` of the previous page. A cursor is valid for the band it was returned for.
    cursor: Option<String>,
    /// The churn risk band: `low`, `medium` or `high` (default).
    #[param(value_type = Option<Band>)]
    band: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomersAtRisk {
    /// The customers, by descending value and, among equals, by descending id. Empty until
    /// spending and a value model are trained.
    items: Vec<CustomerByValue>,
    /// The reason why no customer is scored, and the command that helps; null if customers are.
    #[schema(required)]
    not_scored_because: Option<&'static str>,
    /// The currency of all amounts; null until the tenant is defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// The `cursor` of the next page, to be sent with the same `band`; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// Reads one page of customers at risk.
#[derive(Debug)]
struct AtRiskQuery {
    page: RankedPage,
    band: Band,
}

impl AtRiskQuery {
    fn new(params: &AtRiskParams, caller: &Caller) -> Result<Self, Problem> {
        let band = params.band.as_deref().map_or(Ok(Band::High), band::parse)?;
        let question = Question::new(&[
            Some("at-risk"),
            Some(caller.tenant.as_str()),
            Some(band.name()),
        ]);
        let page = RankedPage::new(question, params.limit, params.cursor.as_deref())?;
        Ok(Self { page, band })
    }
}

impl Query for AtRiskQuery {
    type Answer = CustomersAtRisk;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Customers]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<CustomersAtRisk, Problem> {
        let definitions = snapshot.definitions().await?;
        let models = definitions.as_ref().map(|of| &of.models);
        let is_scored = models.is_some_and(|models| models.scored_value().is_some());
        let not_scored_because = (!is_scored).then_some(VALUE_NOT_SCORED);
        let rows = by_value::read(snapshot, self.band, self.page.after(), self.page.rows()).await?;
        let (rows, next) = self
            .page
            .cut(rows, |row| (row.value_minor, &row.customer_id));
        let items = rows
            .into_iter()
            .map(|row| CustomerByValue::from_row(row, self.band));
        Ok(CustomersAtRisk {
            items: items.collect::<Result<_, _>>()?,
            not_scored_because,
            currency: definitions.as_ref().map(|of| of.currency),
            next,
        })
    }
}

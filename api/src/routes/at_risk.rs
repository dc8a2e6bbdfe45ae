//! `GET /v1/churn/at-risk`: the customers of a churn risk band, by value. Also reads the best
//! customers for `/v1/value`.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::invalidation::Kind;
use tidemark_projections::models::Band;
use tidemark_schemas::{Currency, CustomerId, Instant};
use utoipa::ToSchema;

use super::customers::parse_band;
use super::page::RankedPage;
use crate::auth::Caller;
use crate::cursor::Question;
use crate::database::{Snapshot, instant};
use crate::http::{Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// The band and the page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtRiskParams {
    /// The number of customers per page, from 1 to 500. 50 by default.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next` of the previous page. A cursor is valid for the band it was returned for.
    cursor: Option<String>,
    /// The churn risk band: `low`, `medium` or `high` (default).
    #[param(value_type = Option<Band>)]
    band: Option<String>,
}

/// One page of customers at risk.
#[derive(Debug)]
struct AtRisk {
    page: RankedPage,
    band: Band,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomersAtRisk)]
pub(crate) struct Page {
    /// The customers, by descending value and, among equals, by descending id. Empty until a value
    /// model is trained.
    items: Vec<AtStake>,
    /// The currency of all amounts; null until the tenant is defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// The `cursor` of the next page, to be sent with the same `band`; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomerAtStake)]
pub(super) struct AtStake {
    #[schema(value_type = CustomerId)]
    customer_id: String,
    /// The churn risk band, as of the last evaluation.
    band: Band,
    /// The value of a year of the customer's purchases as of the day of its last purchase, in minor
    /// units of the tenant's currency: the amount at stake.
    value_minor: i64,
    /// The time of the customer's newest event.
    last_seen_at: Instant,
    /// The time as of which the band was evaluated.
    evaluated_at: Instant,
}

#[derive(Debug, FromRow)]
pub(super) struct Row {
    customer_id: String,
    value_minor: i64,
    last_seen_at: i64,
    evaluated_at: i64,
}

/// Lists customers at risk by the value at stake
///
/// Returns the customers of one churn risk band, as of each customer's last evaluation, by the
/// value of a year of the customer's purchases as of the day of its last purchase. The value
/// changes only with purchases, so a customer keeps its position while its risk grows.
#[utoipa::path(
    get,
    path = "/v1/churn/at-risk",
    operation_id = "list_customers_at_risk",
    tag = "predictions",
    params(AtRiskParams),
    responses((status = 200, description = "A page of customers.", body = Page)),
)]
pub(crate) async fn at_risk(
    State(reader): State<Reader>,
    QueryParams(asked): QueryParams<AtRiskParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let query = AtRisk::new(&asked, &context.caller)?;
    reader.respond(&context, &query).await
}

impl AtRisk {
    fn new(asked: &AtRiskParams, caller: &Caller) -> Result<Self, Problem> {
        let band = asked.band.as_deref().map_or(Ok(Band::High), parse_band)?;
        let question = Question::new(&[
            Some("at-risk"),
            Some(caller.tenant.as_str()),
            Some(band.name()),
        ]);
        let page = RankedPage::new(question, asked.limit, asked.cursor.as_deref())?;
        Ok(Self { page, band })
    }
}

impl Query for AtRisk {
    type Answer = Page;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[Kind::Customers]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Page, Problem> {
        let currency = snapshot.definitions().await?.map(|of| of.currency);
        let rows = rows(snapshot, self.band, self.page.after(), self.page.rows()).await?;
        let (rows, next) = self
            .page
            .cut(rows, |row| (row.value_minor, &row.customer_id));
        let items = rows.into_iter().map(|row| AtStake::of(row, self.band));
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            currency,
            next,
        })
    }
}

/// Reads the customers of a band after a position, by descending value.
pub(super) async fn rows(
    snapshot: &mut Snapshot<'_>,
    band: Band,
    after: (i64, Option<&str>),
    limit: i64,
) -> Result<Vec<Row>, Problem> {
    let statement = include_str!("../sql/customers_by_value.sql");
    let rows = sqlx::query_as::<_, Row>(statement)
        .bind(snapshot.tenant())
        .bind(i16::from(band.code()))
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(snapshot.connection())
        .await?;
    Ok(rows)
}

impl AtStake {
    pub(super) fn of(row: Row, band: Band) -> Result<Self, Problem> {
        Ok(Self {
            customer_id: row.customer_id,
            band,
            value_minor: row.value_minor,
            last_seen_at: instant(row.last_seen_at)?,
            evaluated_at: instant(row.evaluated_at)?,
        })
    }
}

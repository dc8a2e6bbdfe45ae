//! `GET /v1/churn/at-risk`, and who is worth most: customers of a band, by what is at stake.

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
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::auth::Caller;
use crate::cursor::Question;
use crate::database::{Query, Snapshot, instant};
use crate::extract::Parameters;
use crate::problem::Problem;

/// What may be asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Rows on a page: 50 unless said otherwise, 500 at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before. It holds for the band it was given for.
    cursor: Option<String>,
    /// Whose: low, medium or high risk; high unless said otherwise.
    #[param(value_type = Option<Band>)]
    band: Option<String>,
}

/// One page of them.
#[derive(Debug)]
struct AtRisk {
    page: RankedPage,
    band: Band,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomersAtRisk)]
pub(crate) struct Page {
    /// Those first who are worth most; of equals by descending id. Empty until value is trained.
    items: Vec<AtStake>,
    /// Of the amounts; null of a tenant not yet defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// Send it as `cursor`, with the same band, for the page after; null on the last one.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomerAtStake)]
pub(super) struct AtStake {
    #[schema(value_type = CustomerId)]
    customer_id: String,
    /// As of the last evaluation.
    band: Band,
    /// What a year of the customer was worth on the day of its last purchase, in minor units: what
    /// is at stake.
    value_minor: i64,
    /// When the newest of its events occurred.
    last_seen_at: Instant,
    /// As of when the band was last computed.
    evaluated_at: Instant,
}

#[derive(Debug, FromRow)]
pub(super) struct Row {
    customer_id: String,
    value_minor: i64,
    last_seen_at: i64,
    evaluated_at: i64,
}

/// Customers at risk, those first with whom most is at stake
///
/// Of one band of the risk of being gone, as of each customer's last evaluation, by what a year of
/// the customer was worth on the day of its last purchase. That moves with purchases alone, so that a
/// customer keeps its place while it drifts away.
#[utoipa::path(
    get,
    path = "/v1/churn/at-risk",
    operation_id = "list_customers_at_risk",
    tag = "predictions",
    params(Asked),
    responses((status = 200, description = "A page of customers.", body = Page)),
)]
pub(crate) async fn at_risk(
    State(service): State<Service>,
    Parameters(asked): Parameters<Asked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let query = AtRisk::new(&asked, &asking.caller)?;
    service.answer(&asking, &query).await
}

impl AtRisk {
    fn new(asked: &Asked, caller: &Caller) -> Result<Self, Problem> {
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

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&[Kind::Customers]))
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

/// Customers of a band after a place, those first who are worth most.
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

//! Customers of a churn risk band, by descending value.

use serde::Serialize;
use sqlx::FromRow;
use tidemark_projections::models::Band;
use tidemark_schemas::{CustomerId, Instant};
use utoipa::ToSchema;

use super::personal::PersonalOutputs;
use crate::database::{Snapshot, instant};
use crate::http::Problem;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerByValue {
    #[schema(value_type = CustomerId)]
    customer_id: String,
    /// The churn risk band, as of the last evaluation.
    band: Band,
    /// The value of a year of the customer's purchases as of the day of its last purchase, in minor
    /// units of the tenant's currency: the amount at stake.
    value_minor: i64,
    /// The time of the customer's newest event.
    last_seen_at: Instant,
    /// The time as of which the band was evaluated; null for viewers of a tenant with outputs that are
    /// derived from personal attributes, because these decide when that is.
    #[schema(required)]
    evaluated_at: Option<Instant>,
}

#[derive(Debug, FromRow)]
pub(super) struct Row {
    pub(super) customer_id: String,
    pub(super) value_minor: i64,
    last_seen_at: i64,
    evaluated_at: Option<i64>,
}

/// Reads the customers of a band after a value and an id, by descending value and id.
pub(super) async fn read(
    snapshot: &mut Snapshot<'_>,
    band: Band,
    after: (i64, Option<&str>),
    limit: i64,
) -> Result<Vec<Row>, Problem> {
    let statement = include_str!("../sql/customers_by_value.sql");
    let definitions = snapshot.definitions().await?;
    let personal = PersonalOutputs::new(definitions.as_deref(), snapshot.caller());
    let mut rows = sqlx::query_as::<_, Row>(statement)
        .bind(snapshot.tenant())
        .bind(i16::from(band.code()))
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(snapshot.connection())
        .await?;
    if personal.are_hidden() {
        for row in &mut rows {
            row.evaluated_at = None;
        }
    }
    Ok(rows)
}

impl CustomerByValue {
    pub(super) fn from_row(row: Row, band: Band) -> Result<Self, Problem> {
        Ok(Self {
            customer_id: row.customer_id,
            band,
            value_minor: row.value_minor,
            last_seen_at: instant(row.last_seen_at)?,
            evaluated_at: row.evaluated_at.map(instant).transpose()?,
        })
    }
}

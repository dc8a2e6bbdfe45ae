//! Rows of `customer`: the last state of each customer touched.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_projections::invalidation::Invalidation;
use tidemark_schemas::{CustomerKey, Instant};

use super::columns::{ROWS_AT_ONCE, column, customer, sorted, tenant};
use super::{CommitContext, ROW_BYTES, RowKind};
use crate::store::decode::{instant, key};
use crate::store::error::StoreError;

/// One customer as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRow {
    /// The customer.
    pub key: CustomerKey,
    /// The core state, in its canonical encoding.
    pub state: Vec<u8>,
    /// The tracked counters; empty without any.
    pub tracked: Vec<u8>,
    /// The evaluated state, encoded.
    pub evaluated: Vec<u8>,
    /// The instant of the last evaluation.
    pub evaluated_at: Instant,
    /// The version of the definitions that they were evaluated with.
    pub definition_version: i64,
    /// The instant of the earliest event.
    pub first_seen_at: Instant,
    /// The instant of the newest event.
    pub last_seen_at: Instant,
    /// The churn band: 0 low, 1 medium, 2 high.
    pub band: Option<i16>,
    /// The value (CLV) of a year on the day of the last purchase, in minor units of the currency.
    pub value_minor: Option<i64>,
}

impl CustomerRow {
    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        Ok(Self {
            key: key(row)?,
            state: row.try_get("state")?,
            tracked: row
                .try_get::<Option<Vec<u8>>, _>("tracked")?
                .unwrap_or_default(),
            evaluated: row.try_get("evaluated")?,
            evaluated_at: instant(row, "evaluated_at")?,
            definition_version: row.try_get("definition_version")?,
            first_seen_at: instant(row, "first_seen_at")?,
            last_seen_at: instant(row, "last_seen_at")?,
            band: row.try_get("band")?,
            value_minor: row.try_get("value_minor")?,
        })
    }
}

impl RowKind for Vec<CustomerRow> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn bytes(&self) -> usize {
        self.iter()
            .map(|row| ROW_BYTES + row.state.len() + row.tracked.len() + row.evaluated.len())
            .sum()
    }

    fn invalidate(&self, invalidation: &mut Invalidation) {
        for row in self {
            invalidation.add_customer(&row.key.tenant, &row.key.customer);
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = sorted(self, |row| &row.key);
        for rows in rows.chunks(ROWS_AT_ONCE) {
            sqlx::query(include_str!("../customers.sql"))
                .bind(context.partition)
                .bind(column(rows, |row| tenant(&row.key)))
                .bind(column(rows, |row| customer(&row.key)))
                .bind(column(rows, |row| row.state.as_slice()))
                .bind(column(rows, |row| row.evaluated.as_slice()))
                .bind(column(rows, |row| row.evaluated_at.micros()))
                .bind(column(rows, |row| row.definition_version))
                .bind(column(rows, |row| row.first_seen_at.micros()))
                .bind(column(rows, |row| row.last_seen_at.micros()))
                .bind(column(rows, |row| row.band))
                .bind(column(rows, |row| {
                    Some(row.tracked.as_slice()).filter(|tracked| !tracked.is_empty())
                }))
                .bind(column(rows, |row| row.value_minor))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

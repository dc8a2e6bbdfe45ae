//! Rows of `position`: the stage of each customer in each journey.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use tidemark_projections::invalidation::{AggregateKind, Invalidation};
use tidemark_schemas::{CustomerKey, Instant};

use super::columns::{column, customer, pieces, sorted, tenant};
use super::{CommitContext, ROW_BYTES, RowKind};

/// Stages entered and journeys left. No pair of customer and journey is in both.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    /// Customer, journey, stage, and since when.
    pub entered: Vec<(CustomerKey, Arc<str>, Arc<str>, Instant)>,
    /// Customer and journey.
    pub left: Vec<(CustomerKey, Arc<str>)>,
}

impl RowKind for Positions {
    fn is_empty(&self) -> bool {
        self.entered.is_empty() && self.left.is_empty()
    }

    fn bytes(&self) -> usize {
        (self.entered.len() + self.left.len()) * ROW_BYTES
    }

    fn invalidate(&self, invalidation: &mut Invalidation) {
        let entered = self.entered.iter().map(|row| &row.0);
        for key in entered.chain(self.left.iter().map(|row| &row.0)) {
            invalidation.add_aggregate(&key.tenant, AggregateKind::Positions);
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        _context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let left = sorted(&self.left, |(key, journey)| (&key.tenant, journey));
        let entered = sorted(&self.entered, |(key, journey, ..)| (&key.tenant, journey));
        for (left, entered) in pieces(&left, &entered) {
            sqlx::query(include_str!("../positions.sql"))
                .bind(column(left, |row| tenant(&row.0)))
                .bind(column(left, |row| &*row.1))
                .bind(column(left, |row| customer(&row.0)))
                .bind(column(entered, |row| tenant(&row.0)))
                .bind(column(entered, |row| &*row.1))
                .bind(column(entered, |row| customer(&row.0)))
                .bind(column(entered, |row| &*row.2))
                .bind(column(entered, |row| row.3.micros()))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

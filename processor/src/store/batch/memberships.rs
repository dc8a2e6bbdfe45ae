//! Rows of `membership`: segments entered and left.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use tidemark_projections::invalidation::{AggregateKind, Invalidation};
use tidemark_schemas::{CustomerKey, Instant};

use super::columns::{column, customer, pieces, sorted, tenant};
use super::{CommitContext, ROW_BYTES, RowKind};

/// Segments entered and left. No pair of customer and segment is in both.
#[derive(Debug, Clone, Default)]
pub struct Memberships {
    /// Customer, segment, and since when.
    pub entered: Vec<(CustomerKey, Arc<str>, Instant)>,
    /// Customer and segment.
    pub left: Vec<(CustomerKey, Arc<str>)>,
}

impl RowKind for Memberships {
    fn is_empty(&self) -> bool {
        self.entered.is_empty() && self.left.is_empty()
    }

    fn bytes(&self) -> usize {
        (self.entered.len() + self.left.len()) * ROW_BYTES
    }

    fn invalidate(&self, invalidation: &mut Invalidation) {
        let entered = self.entered.iter().map(|row| &row.0);
        for key in entered.chain(self.left.iter().map(|row| &row.0)) {
            invalidation.add_aggregate(&key.tenant, AggregateKind::Memberships);
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        _context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let left = sorted(&self.left, |(key, segment)| (&key.tenant, segment));
        let entered = sorted(&self.entered, |(key, segment, _)| (&key.tenant, segment));
        for (left, entered) in pieces(&left, &entered) {
            sqlx::query(include_str!("../memberships.sql"))
                .bind(column(left, |row| tenant(&row.0)))
                .bind(column(left, |row| &*row.1))
                .bind(column(left, |row| customer(&row.0)))
                .bind(column(entered, |row| tenant(&row.0)))
                .bind(column(entered, |row| &*row.1))
                .bind(column(entered, |row| customer(&row.0)))
                .bind(column(entered, |row| row.2.micros()))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

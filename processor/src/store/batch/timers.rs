//! Rows of `timer`: the due time of each customer, written or removed.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use tidemark_schemas::{CustomerKey, Instant};

use super::columns::{column, customer, pieces, tenant};
use super::{CommitContext, ROW_BYTES, RowKind};

/// The timers that differ: of each customer the last decision.
#[derive(Debug, Clone, Default)]
pub struct TimerRows(BTreeMap<CustomerKey, Option<Instant>>);

impl TimerRows {
    /// Writes the due time of a customer in place of the one before; `None`: it has no timer.
    pub fn set(&mut self, customer: CustomerKey, due: Option<Instant>) {
        self.0.insert(customer, due);
    }

    /// Returns the customers, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &CustomerKey> {
        self.0.keys()
    }

    /// Returns the due times to write, in the order of the customers' keys.
    pub fn written(&self) -> impl Iterator<Item = (&CustomerKey, Instant)> {
        let rows = self.0.iter();
        rows.filter_map(|(customer, due)| Some((customer, (*due)?)))
    }

    /// Returns the customers without a timer, in order.
    pub fn removed(&self) -> impl Iterator<Item = &CustomerKey> {
        let rows = self.0.iter();
        rows.filter_map(|(customer, due)| due.is_none().then_some(customer))
    }
}

impl RowKind for TimerRows {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&self) -> usize {
        self.0.len() * ROW_BYTES
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let removed: Vec<_> = self.removed().collect();
        let written: Vec<_> = self.written().collect();
        for (removed, written) in pieces(&removed, &written) {
            sqlx::query(include_str!("../timers.sql"))
                .bind(context.partition)
                .bind(column(removed, |row| tenant(row)))
                .bind(column(removed, |row| customer(row)))
                .bind(written.iter().map(|row| tenant(row.0)).collect::<Vec<_>>())
                .bind(
                    written
                        .iter()
                        .map(|row| customer(row.0))
                        .collect::<Vec<_>>(),
                )
                .bind(written.iter().map(|row| row.1.micros()).collect::<Vec<_>>())
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

//! Rows of `timer`: due times written and fired.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use tidemark_schemas::{CustomerKey, Instant};

use super::columns::{column, customer, pieces, tenant};
use super::{CommitContext, ROW_BYTES, RowKind};

/// A due time and its customer.
type Due = (Instant, CustomerKey);

/// Due times written and fired: the last decision on each.
#[derive(Debug, Clone, Default)]
pub struct TimerRows(BTreeMap<Due, TimerRow>);

/// The fate of a timer's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimerRow {
    Written,
    Deleted,
}

impl TimerRows {
    /// Writes a due time.
    pub fn write(&mut self, due: Due) {
        self.0.insert(due, TimerRow::Written);
    }

    /// Deletes the row of a due time that has fired, unless this batch wrote it.
    pub fn fire(&mut self, due: Due) {
        if !self.withdraw(&due) {
            self.0.insert(due, TimerRow::Deleted);
        }
    }

    /// Withdraws a due time that this batch wrote; returns false if it did not.
    pub fn withdraw(&mut self, due: &Due) -> bool {
        let written = self.0.get(due) == Some(&TimerRow::Written);
        if written {
            self.0.remove(due);
        }
        written
    }

    /// Returns the due times to write, in order.
    pub fn written(&self) -> impl Iterator<Item = &Due> {
        self.with(TimerRow::Written)
    }

    /// Returns the due times that have fired, in order.
    pub fn fired(&self) -> impl Iterator<Item = &Due> {
        self.with(TimerRow::Deleted)
    }

    fn with(&self, wanted: TimerRow) -> impl Iterator<Item = &Due> {
        let rows = self.0.iter();
        rows.filter(move |(_, row)| **row == wanted)
            .map(|(due, _)| due)
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
        let fired: Vec<_> = self.fired().collect();
        let written: Vec<_> = self.written().collect();
        for (fired, written) in pieces(&fired, &written) {
            sqlx::query(include_str!("../timers.sql"))
                .bind(context.partition)
                .bind(column(fired, |row| row.0.micros()))
                .bind(column(fired, |row| tenant(&row.1)))
                .bind(column(fired, |row| customer(&row.1)))
                .bind(column(written, |row| row.0.micros()))
                .bind(column(written, |row| tenant(&row.1)))
                .bind(column(written, |row| customer(&row.1)))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

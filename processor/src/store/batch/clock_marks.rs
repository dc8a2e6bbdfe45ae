//! Rows of `clock_mark`: the partition's clock at records where it is not the latest append time.

use sqlx::postgres::PgConnection;
use tidemark_schemas::Instant;

use super::{CommitContext, RowKind};

/// The clocks at records of this batch, by offset.
#[derive(Debug, Clone, Default)]
pub struct ClockMarks(pub Vec<(i64, Instant)>);

impl RowKind for ClockMarks {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let (offsets, clocks): (Vec<i64>, Vec<i64>) = self
            .0
            .iter()
            .map(|(offset, clock)| (*offset, clock.micros()))
            .unzip();
        sqlx::query(include_str!("../clock_marks.sql"))
            .bind(context.partition)
            .bind(offsets)
            .bind(clocks)
            .execute(connection)
            .await?;
        Ok(())
    }
}

//! The `activation` row: definitions that come into force with a batch.

use sqlx::postgres::PgConnection;
use tidemark_schemas::Instant;

use super::{CommitContext, RowKind};

impl RowKind for Option<(i64, Instant)> {
    fn is_empty(&self) -> bool {
        self.is_none()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let Some((version, clock)) = self else {
            return Ok(());
        };
        sqlx::query(include_str!("../activation.sql"))
            .bind(context.partition)
            // They came into force before the first record of this batch.
            .bind(context.old_next_offset)
            .bind(version)
            .bind(clock.micros())
            .execute(connection)
            .await?;
        Ok(())
    }
}

//! Rows of `checkpoint`: every tenant's digest at certain offsets, for verification.

use sqlx::postgres::PgConnection;
use tidemark_schemas::TenantId;

use super::columns::{column, sorted};
use super::{CommitContext, RowKind, TenantDigest};

impl RowKind for Option<Vec<(TenantId, TenantDigest)>> {
    fn is_empty(&self) -> bool {
        self.as_ref().is_none_or(Vec::is_empty)
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = sorted(self.as_deref().unwrap_or_default(), |(tenant, _)| tenant);
        sqlx::query(include_str!("../checkpoint.sql"))
            .bind(context.partition)
            .bind(context.new_next_offset)
            .bind(column(&rows, |row| row.0.as_str()))
            .bind(column(&rows, |row| row.1.customers))
            .bind(column(&rows, |row| row.1.digest.to_bytes().to_vec()))
            .execute(connection)
            .await?;
        Ok(())
    }
}

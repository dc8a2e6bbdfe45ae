//! What a batch adds to the rollups of its tenants.

use sqlx::postgres::PgConnection;
use tidemark_projections::rollups::Rollup;
use tidemark_schemas::{Currency, TenantId};

use super::columns::{ROWS_AT_ONCE, column};
use crate::store::rows::Batch;

pub(super) async fn rollups(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    // In key order as they are, the tenants too.
    let rows: Vec<(&TenantId, &Rollup, i128)> = batch
        .rollups
        .iter()
        .flat_map(|(tenant, rollups)| rollups.iter().map(move |(of, by)| (tenant, of, by)))
        .collect();
    let rows: Vec<_> = rows.iter().collect();
    for rows in rows.chunks(ROWS_AT_ONCE) {
        sqlx::query(include_str!("../rollups.sql"))
            .bind(batch.partition)
            .bind(column(rows, |row| row.0.as_str()))
            .bind(column(rows, |row| row.1.kind.name()))
            .bind(column(rows, |row| &*row.1.subject))
            .bind(column(rows, |row| row.1.day))
            .bind(column(rows, |row| &*row.1.item))
            .bind(column(rows, |row| &*row.1.detail))
            .bind(column(rows, |row| {
                row.1.currency.as_ref().map_or("", Currency::code)
            }))
            .bind(column(rows, |row| row.2.to_string()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

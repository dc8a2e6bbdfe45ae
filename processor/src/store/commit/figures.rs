//! What a batch adds to the figures of its tenants.

use sqlx::postgres::PgConnection;
use tidemark_projections::figures::Figure;
use tidemark_schemas::{Currency, TenantId};

use super::columns::{ROWS_AT_ONCE, column};
use crate::store::rows::Batch;

pub(super) async fn figures(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    // In key order as they are, the tenants too.
    let rows: Vec<(&TenantId, &Figure, i128)> = batch
        .figures
        .iter()
        .flat_map(|(tenant, figures)| figures.iter().map(move |(of, by)| (tenant, of, by)))
        .collect();
    let rows: Vec<_> = rows.iter().collect();
    for rows in rows.chunks(ROWS_AT_ONCE) {
        sqlx::query(include_str!("../figures.sql"))
            .bind(batch.partition)
            .bind(column(rows, |row| row.0.as_str()))
            .bind(column(rows, |row| row.1.kind))
            .bind(column(rows, |row| &*row.1.one))
            .bind(column(rows, |row| row.1.day))
            .bind(column(rows, |row| &*row.1.two))
            .bind(column(rows, |row| &*row.1.three))
            .bind(column(rows, |row| {
                row.1.currency.as_ref().map_or("", Currency::code)
            }))
            .bind(column(rows, |row| row.2.to_string()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

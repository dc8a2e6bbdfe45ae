//! What operators asked for, and tenants halted and resumed: rows as arrays, like the others.

use sqlx::postgres::PgConnection;

use super::columns::{column, sorted, storable};
use crate::parking::Reason;
use crate::store::rows::Batch;

/// What became of requests.
pub(super) async fn requests(
    connection: &mut PgConnection,
    topic: &str,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    if batch.settled.is_empty() {
        return Ok(());
    }
    let rows = sorted(&batch.settled, |row| (row.request, row.offset));
    sqlx::query(include_str!("../settle_requests.sql"))
        .bind(topic)
        .bind(batch.partition)
        .bind(column(&rows, |row| row.request))
        .bind(column(&rows, |row| row.offset))
        .bind(column(&rows, |row| row.outcome.as_str()))
        .bind(column(&rows, |row| row.reason.map(Reason::as_str)))
        .bind(column(&rows, |row| row.detail.as_deref().map(storable)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Halts ended, then halts begun: one batch may do both to a tenant, in this order.
pub(super) async fn halts(connection: &mut PgConnection, batch: &Batch) -> Result<(), sqlx::Error> {
    if !batch.resumed.is_empty() {
        let resumed = sorted(&batch.resumed, |tenant| tenant);
        sqlx::query(include_str!("../end_halt.sql"))
            .bind(batch.partition)
            .bind(column(&resumed, |tenant| tenant.as_str()))
            .execute(&mut *connection)
            .await?;
    }
    if batch.halted.is_empty() {
        return Ok(());
    }
    let halted = sorted(&batch.halted, |row| &row.tenant);
    sqlx::query(include_str!("../halt.sql"))
        .bind(batch.partition)
        .bind(column(&halted, |row| row.tenant.as_str()))
        .bind(column(&halted, |row| row.offset))
        .bind(column(&halted, |row| row.parked))
        .bind(column(&halted, |row| row.records))
        .execute(connection)
        .await?;
    Ok(())
}

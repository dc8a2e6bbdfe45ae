//! The definitions topic as rows of the shared schema.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tidemark_schemas::TenantId;

use super::connections::{Connections, answered};
use super::error::StoreError;
use super::load::instant;
use super::rows::BundleRow;

/// What was announced as in force must not be forgotten in a crash.
const BEGIN: &str = "begin; set local synchronous_commit = on";

pub(super) async fn load(
    connections: &Connections,
    after: i64,
) -> Result<Vec<BundleRow>, StoreError> {
    let mut lease = connections.lease().await?;
    let query = sqlx::query(include_str!("load_bundles.sql"))
        .bind(after)
        .fetch_all(lease.connection());
    let rows = answered(query).await;
    let rows = lease.settle(rows)?;
    rows.iter()
        .map(|row| {
            Ok(BundleRow {
                version: row.try_get("version")?,
                appended_at: instant(row, "appended_at")?,
                bundle: row.try_get("bundle")?,
                rejected: row.try_get("rejected")?,
            })
        })
        .collect()
}

pub(super) async fn record(
    connections: &Connections,
    bundle: &BundleRow,
    tenants: &[(TenantId, String)],
) -> Result<(), StoreError> {
    let mut lease = connections.lease().await?;
    let result = answered(try_record(lease.connection(), bundle, tenants)).await;
    lease.settle(result)
}

async fn try_record(
    connection: &mut PgConnection,
    bundle: &BundleRow,
    tenants: &[(TenantId, String)],
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let recorded = sqlx::query(include_str!("record_bundle.sql"))
        .bind(bundle.version)
        .bind(bundle.appended_at.micros())
        .bind(&bundle.bundle)
        .bind(&bundle.rejected)
        .execute(&mut *transaction)
        .await?;
    if recorded.rows_affected() == 0 {
        let kept: String = sqlx::query_scalar(include_str!("kept_bundle.sql"))
            .bind(bundle.version)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        if kept == bundle.bundle {
            return Ok(());
        }
        return Err(StoreError::Damaged(format!(
            "version {} of the definitions is another record than the one kept: the definitions \
             topic was made anew, but the database was not",
            bundle.version
        )));
    }
    let ids: Vec<&str> = tenants.iter().map(|(tenant, _)| tenant.as_str()).collect();
    let definitions: Vec<&str> = tenants
        .iter()
        .map(|(_, definition)| &**definition)
        .collect();
    if !ids.is_empty() {
        sqlx::query(include_str!("record_tenants.sql"))
            .bind(bundle.version)
            .bind(bundle.appended_at.micros())
            .bind(ids)
            .bind(definitions)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

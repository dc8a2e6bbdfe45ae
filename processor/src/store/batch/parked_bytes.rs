//! Rows of `parked_bytes`: the bytes of parked events, by tenant.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_schemas::TenantId;

use super::columns::{column, sorted};
use super::{CommitContext, RowKind};
use crate::store::decode::tenant;
use crate::store::error::StoreError;

/// The bytes of a tenant's parked events in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedBytesRow {
    /// The tenant; `None` for events of which no tenant could be read.
    pub tenant: Option<TenantId>,
    /// The bytes as they are after the batch; 0 removes the row.
    pub bytes: i64,
}

impl ParkedBytesRow {
    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        let is_unread = row.try_get::<&str, _>("tenant_id")?.is_empty();
        Ok(Self {
            tenant: (!is_unread).then(|| tenant(row)).transpose()?,
            bytes: row.try_get("bytes")?,
        })
    }

    /// Returns the id of the tenant as it is stored: empty where none could be read.
    fn tenant_column(&self) -> &str {
        self.tenant.as_ref().map_or("", TenantId::as_str)
    }
}

impl RowKind for Vec<ParkedBytesRow> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = sorted(self, |row| &row.tenant);
        let (emptied, held): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.bytes == 0);
        sqlx::query(include_str!("../parked_bytes.sql"))
            .bind(context.partition)
            .bind(column(&emptied, |row| row.tenant_column()))
            .bind(column(&held, |row| row.tenant_column()))
            .bind(column(&held, |row| row.bytes))
            .execute(connection)
            .await?;
        Ok(())
    }
}

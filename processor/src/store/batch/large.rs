//! Rows of `large_customer`: customers that take much to write.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_schemas::CustomerKey;

use super::columns::{column, sorted};
use super::{CommitContext, RowKind};
use crate::store::decode;
use crate::store::error::StoreError;

/// A large customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeRow {
    /// The customer.
    pub key: CustomerKey,
    /// The bytes that a commit writes of it; `None` when it is not large any more.
    pub bytes: Option<i64>,
}

impl LargeRow {
    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        Ok(Self {
            key: decode::key(row)?,
            bytes: Some(row.try_get("bytes")?),
        })
    }
}

impl RowKind for Vec<LargeRow> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = sorted(self, |row| &row.key);
        sqlx::query(include_str!("../large_customers.sql"))
            .bind(context.partition)
            .bind(column(&rows, |row| row.key.tenant.as_str()))
            .bind(column(&rows, |row| row.key.customer.as_str()))
            .bind(column(&rows, |row| row.bytes))
            .execute(connection)
            .await?;
        Ok(())
    }
}

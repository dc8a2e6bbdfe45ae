//! Rows of `tracked_leaf`: from when on a tracked leaf is exact in a partition.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_projections::state::LeafId;
use tidemark_schemas::{Instant, TenantId};

use super::columns::column;
use super::{CommitContext, RowKind};
use crate::store::decode::{instant, tenant};
use crate::store::error::StoreError;

/// The instant from which a tracked leaf is exact in the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedRow {
    /// The tenant.
    pub tenant: TenantId,
    /// The condition.
    pub leaf: LeafId,
    /// `None` when no definition uses the leaf any more.
    pub exact_from: Option<Instant>,
}

impl TrackedRow {
    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        let leaf: i64 = row.try_get("leaf")?;
        Ok(Self {
            tenant: tenant(row)?,
            leaf: LeafId(leaf.cast_unsigned()),
            exact_from: Some(instant(row, "exact_from")?),
        })
    }
}

impl RowKind for Vec<TrackedRow> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let (new, gone): (Vec<_>, Vec<_>) = self.iter().partition(|row| row.exact_from.is_some());
        sqlx::query(include_str!("../tracked_leaves.sql"))
            .bind(context.partition)
            .bind(column(&gone, |row| row.tenant.as_str()))
            .bind(column(&gone, |row| row.leaf.0.cast_signed()))
            .bind(column(&new, |row| row.tenant.as_str()))
            .bind(column(&new, |row| row.leaf.0.cast_signed()))
            .bind(column(&new, |row| row.exact_from.map(Instant::micros)))
            .execute(connection)
            .await?;
        Ok(())
    }
}

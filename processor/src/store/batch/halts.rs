//! Rows of `halt`: tenants halted and resumed.

use sqlx::postgres::PgConnection;
use tidemark_schemas::TenantId;

use super::columns::{column, sorted};
use super::{CommitContext, RowKind};

/// Tenants halted and resumed. One batch may resume a tenant and then halt it.
#[derive(Debug, Clone, Default)]
pub struct Halts {
    /// Tenants halted with this batch.
    pub halted: Vec<HaltRow>,
    /// Tenants folded again from this batch on.
    pub resumed: Vec<TenantId>,
}

/// A tenant halted in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaltRow {
    /// The tenant; its records are parked from here on.
    pub tenant: TenantId,
    /// The offset of the record that passed the limit.
    pub offset: i64,
    /// The number of parked records among those considered.
    pub parked: i32,
    /// The number of records considered.
    pub records: i32,
}

impl RowKind for Halts {
    fn is_empty(&self) -> bool {
        self.halted.is_empty() && self.resumed.is_empty()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        if !self.resumed.is_empty() {
            let resumed = sorted(&self.resumed, |tenant| tenant);
            sqlx::query(include_str!("../end_halt.sql"))
                .bind(context.partition)
                .bind(column(&resumed, |tenant| tenant.as_str()))
                .execute(&mut *connection)
                .await?;
        }
        if self.halted.is_empty() {
            return Ok(());
        }
        let halted = sorted(&self.halted, |row| &row.tenant);
        sqlx::query(include_str!("../halt.sql"))
            .bind(context.partition)
            .bind(column(&halted, |row| row.tenant.as_str()))
            .bind(column(&halted, |row| row.offset))
            .bind(column(&halted, |row| row.parked))
            .bind(column(&halted, |row| row.records))
            .execute(connection)
            .await?;
        Ok(())
    }
}

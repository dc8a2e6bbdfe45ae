//! Rows of `offboarding`, and the erasure of tenants' rows of a partition, a part with each batch.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_projections::invalidation::{AggregateKind, Invalidation};
use tidemark_schemas::TenantId;

use super::{CommitContext, RowKind};
use crate::store::error::StoreError;

/// The largest number of customers that a batch erases.
const CUSTOMERS_AT_ONCE: i64 = 500;
/// The largest number of other rows that a batch erases.
const ROWS_AT_ONCE: i64 = 5_000;

/// Erasures begun, advanced and finished.
#[derive(Debug, Clone, Default)]
pub struct Offboardings {
    /// The tenants of which the erasure begins, each with the version that offboarded it.
    begun: BTreeMap<TenantId, i64>,
    erased: BTreeMap<TenantId, Unerased>,
    done: BTreeSet<TenantId>,
}

/// A kind of rows that are erased in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unerased {
    /// Customers with all their rows.
    Customers,
    /// Parked events.
    Parked,
    /// Operator commands for parked events.
    Requests,
    /// Rollups.
    Rollups,
}

impl Unerased {
    /// Returns the kind of which rows are left, if any.
    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Option<Self>, StoreError> {
        let kind: Option<&str> = row.try_get("kind")?;
        Ok(match kind {
            None => None,
            Some("customers") => Some(Self::Customers),
            Some("parked") => Some(Self::Parked),
            Some("requests") => Some(Self::Requests),
            Some("rollups") => Some(Self::Rollups),
            Some(other) => {
                let message = format!("unknown kind of rows to erase: {other:?}");
                return Err(StoreError::Damaged(message));
            }
        })
    }
}

impl Offboardings {
    /// Begins the erasure of a tenant that a version offboarded.
    pub fn begin(&mut self, tenant: TenantId, version: i64) {
        self.begun.insert(tenant, version);
    }

    /// Erases the next rows of a kind.
    pub fn erase(&mut self, tenant: TenantId, kind: Unerased) {
        self.erased.insert(tenant, kind);
    }

    /// Ends the erasure of a tenant: no row is left.
    pub fn finish(&mut self, tenant: TenantId) {
        self.done.insert(tenant);
    }

    async fn write_begun(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let (tenants, versions): (Vec<&str>, Vec<i64>) = self
            .begun
            .iter()
            .map(|(tenant, version)| (tenant.as_str(), *version))
            .unzip();
        sqlx::query(include_str!("../begin_offboarding.sql"))
            .bind(context.partition)
            .bind(tenants)
            .bind(versions)
            // They were offboarded before the first record of this batch.
            .bind(context.old_next_offset)
            .execute(connection)
            .await?;
        Ok(())
    }
}

impl RowKind for Offboardings {
    fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.erased.is_empty() && self.done.is_empty()
    }

    fn invalidate(&self, invalidation: &mut Invalidation) {
        for tenant in self.begun.keys().chain(&self.done) {
            for kind in AggregateKind::ALL {
                invalidation.add_aggregate(tenant, kind);
            }
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        if !self.begun.is_empty() {
            self.write_begun(connection, context).await?;
        }
        for (tenant, kind) in &self.erased {
            let query = match kind {
                Unerased::Customers => sqlx::query(include_str!("../erase_customers.sql")),
                Unerased::Parked => sqlx::query(include_str!("../erase_parked.sql")),
                Unerased::Requests => sqlx::query(include_str!("../erase_requests.sql")),
                Unerased::Rollups => sqlx::query(include_str!("../erase_rollups.sql")),
            };
            let query = query.bind(context.partition).bind(tenant.as_str());
            let query = match kind {
                Unerased::Customers => query.bind(CUSTOMERS_AT_ONCE).bind(ROWS_AT_ONCE),
                Unerased::Parked | Unerased::Requests | Unerased::Rollups => {
                    query.bind(ROWS_AT_ONCE)
                }
            };
            query.execute(&mut *connection).await?;
        }
        for tenant in &self.done {
            sqlx::query(include_str!("../finish_offboarding.sql"))
                .bind(context.partition)
                .bind(tenant.as_str())
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

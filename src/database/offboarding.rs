//! Queries about tenants that are being offboarded.

use serde::Serialize;
use sqlx::FromRow;

use super::Projections;

/// The offboarding of a tenant in a partition in which rows are left to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Offboarding {
    /// The tenant.
    pub tenant: String,
    /// The version of the definitions that offboards it.
    pub version: i64,
    /// The partition.
    pub partition: i32,
    /// The number of customers that are erased.
    pub customers: i64,
    /// The number of rows that are erased, of all tables.
    pub rows: i64,
}

impl Projections {
    /// Returns the tenants and partitions of which rows are left to erase.
    pub async fn offboardings(&self) -> sqlx::Result<Vec<Offboarding>> {
        sqlx::query_as(include_str!("offboardings.sql"))
            .fetch_all(&self.pool)
            .await
    }

    /// Returns the partitions in which rows of a tenant that a version offboarded are left to erase, and the
    /// numbers of customers and rows that are erased everywhere.
    pub async fn unfinished_offboarding(
        &self,
        tenant: &str,
        version: i64,
    ) -> sqlx::Result<(Vec<i32>, i64, i64)> {
        sqlx::query_as(include_str!("unfinished_offboarding.sql"))
            .bind(tenant)
            .bind(version)
            .fetch_one(&self.pool)
            .await
    }

    /// Returns the number of a tenant's rows in each table, for the tables that have any.
    pub async fn tenant_rows(&self, tenant: &str) -> sqlx::Result<Vec<(String, i64)>> {
        sqlx::query_as(include_str!("tenant_rows.sql"))
            .bind(tenant)
            .fetch_all(&self.pool)
            .await
    }
}

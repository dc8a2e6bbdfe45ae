//! Rows of `rollup`: what a batch adds to the rollups of its tenants.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use tidemark_projections::invalidation::{AggregateKind, Invalidation};
use tidemark_projections::rollups::{Rollup, Rollups};
use tidemark_schemas::{Currency, TenantId};

use super::columns::{ROWS_AT_ONCE, column};
use super::{CommitContext, ROW_BYTES, RowKind};

/// The deltas of each tenant's rollups.
#[derive(Debug, Clone, Default)]
pub struct TenantRollups(BTreeMap<TenantId, Rollups>);

impl TenantRollups {
    /// Adds to a tenant's rollups.
    pub fn add(&mut self, tenant: &TenantId, rollups: Rollups) {
        if rollups.is_empty() {
            return;
        }
        if let Some(held) = self.0.get_mut(tenant) {
            held.extend(rollups);
        } else {
            self.0.insert(tenant.clone(), rollups);
        }
    }

    /// Returns the tenants with deltas that are not zero, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&TenantId, &Rollups)> {
        self.0.iter().filter(|(_, rollups)| !rollups.is_empty())
    }
}

impl RowKind for TenantRollups {
    fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn bytes(&self) -> usize {
        let rollups = self.iter().map(|(_, rollups)| rollups.iter().len());
        rollups.sum::<usize>() * ROW_BYTES
    }

    fn invalidate(&self, invalidation: &mut Invalidation) {
        for (tenant, _) in self.iter() {
            invalidation.add_aggregate(tenant, AggregateKind::Rollups);
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        // In key order as they are, the tenants too.
        let rows: Vec<(&TenantId, &Rollup, i128)> = self
            .iter()
            .flat_map(|(tenant, rollups)| rollups.iter().map(move |(of, by)| (tenant, of, by)))
            .collect();
        let rows: Vec<_> = rows.iter().collect();
        for rows in rows.chunks(ROWS_AT_ONCE) {
            sqlx::query(include_str!("../rollups.sql"))
                .bind(context.partition)
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
}

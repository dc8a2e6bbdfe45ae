//! Rows of `reevaluation`: how far a tenant's customers are evaluated with new definitions.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_projections::invalidation::{AggregateKind, Invalidation};
use tidemark_schemas::{Instant, TenantId};

use super::columns::column;
use super::{CommitContext, RowKind};
use crate::store::decode::{instant, tenant};
use crate::store::error::StoreError;

/// Re-evaluations begun, advanced or finished: the last state of each.
#[derive(Debug, Clone, Default)]
pub struct Reevaluations(BTreeMap<TenantId, Reevaluation>);

/// Progress of re-evaluating a tenant's customers under new definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reevaluation {
    /// The tenant.
    pub tenant: TenantId,
    /// The version of the tenant's definitions to evaluate with.
    pub version: i64,
    /// The partition's clock when the definitions came into force here.
    pub activated_at: Instant,
    /// The last customer evaluated; `None` before the first.
    pub cursor: Option<String>,
    /// The number of customers evaluated.
    pub evaluated: i64,
    /// Whether every customer is evaluated.
    pub done: bool,
}

impl Reevaluation {
    /// Returns a re-evaluation that begins: of definitions that came into force when the partition's clock
    /// stood at an instant.
    pub const fn begin(tenant: TenantId, version: i64, activated_at: Instant) -> Self {
        Self {
            tenant,
            version,
            activated_at,
            cursor: None,
            evaluated: 0,
            done: false,
        }
    }

    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: tenant(row)?,
            version: row.try_get("version")?,
            activated_at: instant(row, "activated_at")?,
            cursor: row.try_get("cursor")?,
            evaluated: row.try_get("evaluated")?,
            done: false,
        })
    }
}

impl Reevaluations {
    /// Sets the progress of a tenant's re-evaluation.
    pub fn set(&mut self, reevaluation: Reevaluation) {
        self.0.insert(reevaluation.tenant.clone(), reevaluation);
    }

    /// Returns the re-evaluations in the order of tenants.
    pub fn iter(&self) -> impl Iterator<Item = &Reevaluation> {
        self.0.values()
    }
}

impl RowKind for Reevaluations {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn invalidate(&self, invalidation: &mut Invalidation) {
        for tenant in self.0.keys() {
            invalidation.add_aggregate(tenant, AggregateKind::Evaluation);
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows: Vec<&Reevaluation> = self.iter().collect();
        sqlx::query(include_str!("../reevaluations.sql"))
            .bind(context.partition)
            .bind(column(&rows, |row| row.tenant.as_str()))
            .bind(column(&rows, |row| row.version))
            .bind(column(&rows, |row| row.activated_at.micros()))
            .bind(column(&rows, |row| row.cursor.as_deref()))
            .bind(column(&rows, |row| row.evaluated))
            .bind(column(&rows, |row| row.done))
            .execute(connection)
            .await?;
        Ok(())
    }
}

//! Queries about parked events, operator commands and deferred scopes.

use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use tidemark_schemas::TenantId;
use uuid::Uuid;

use super::{
    DeferredScope, OutcomeCount, ParkedCount, ParkedEvent, ParkedFilter, ParkedGroup, Request,
};
use crate::parking::Reason;
use crate::store::batch::{DeferralReason, Outcome, ParkedRow, Scope};
use crate::store::connections::{Connections, answered};
use crate::store::database::Database;
use crate::store::decode::{instant, reason, reason_if_any};
use crate::store::error::StoreError;
use crate::store::generation::Generation;

/// A request must survive a crash.
const BEGIN: &str = "begin; set local synchronous_commit = on";

/// Binds a filter to the parameters that the listing and the counting share.
macro_rules! filtered {
    ($query:expr, $topic:expr, $filter:expr) => {
        $query
            .bind($topic)
            .bind($filter.tenant.as_ref().map(TenantId::as_str))
            .bind($filter.reason.map(Reason::as_str))
            .bind($filter.field.as_deref())
            .bind($filter.partition)
            .bind($filter.from_offset)
            .bind($filter.to_offset)
            .bind($filter.older_than)
            .bind($filter.newer_than)
            .bind(partitions(&$filter.positions))
            .bind(offsets(&$filter.positions))
    };
}

fn partitions(positions: &[(i32, i64)]) -> Vec<i32> {
    positions.iter().map(|(partition, _)| *partition).collect()
}

fn offsets(positions: &[(i32, i64)]) -> Vec<i64> {
    positions.iter().map(|(_, offset)| *offset).collect()
}

/// The parked events and deferred scopes of one generation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OperatorStore {
    database: Database,
    connections: Arc<Connections>,
    generation: Arc<Generation>,
}

impl OperatorStore {
    /// Opens a generation, active or not; refuses one that this binary cannot read.
    pub fn open(database: &Database, generation: Generation) -> Result<Self, StoreError> {
        generation.check_versions()?;
        Ok(Self {
            database: database.clone(),
            connections: database.connections_to(&generation),
            generation: Arc::new(generation),
        })
    }

    /// Returns the generation of these events.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Returns the database that the generation is part of.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns parked events in the order of (partition, offset), strictly after `after`.
    pub async fn list_parked(
        &self,
        filter: &ParkedFilter,
        after: (i32, i64),
        limit: i64,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let topic = &self.generation.topic;
        let mut pooled = self.connections.acquire().await?;
        let query = filtered!(
            sqlx::query(include_str!("../list_parked.sql")),
            topic,
            filter
        )
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(pooled.connection());
        let rows = answered(query).await;
        let event = |row: &PgRow| {
            Ok(ParkedEvent {
                partition: row.try_get("partition")?,
                event: ParkedRow::from_row(row)?,
                parked_at: instant(row, "parked_at")?,
            })
        };
        pooled.settle(rows)?.iter().map(event).collect()
    }

    /// Counts parked events by tenant and reason.
    pub async fn count_parked(
        &self,
        filter: &ParkedFilter,
    ) -> Result<Vec<ParkedCount>, StoreError> {
        let topic = &self.generation.topic;
        let mut pooled = self.connections.acquire().await?;
        let query = filtered!(
            sqlx::query(include_str!("../count_parked.sql")),
            topic,
            filter
        )
        .fetch_all(pooled.connection());
        let rows = answered(query).await;
        let count = |row: &PgRow| {
            Ok(ParkedCount {
                tenant: row.try_get("tenant_id")?,
                reason: reason(row)?,
                events: row.try_get("events")?,
            })
        };
        pooled.settle(rows)?.iter().map(count).collect()
    }

    /// Counts parked events by tenant, source, reason and day, with examples: those of a tenant and of a
    /// source, parked at most so many seconds ago.
    pub async fn summarize_parked(
        &self,
        tenant: Option<&TenantId>,
        source: Option<&str>,
        newer_than: Option<f64>,
    ) -> Result<Vec<ParkedGroup>, StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let query = sqlx::query(include_str!("../summarize_parked.sql"))
            .bind(&self.generation.topic)
            .bind(tenant.map(TenantId::as_str))
            .bind(source)
            .bind(newer_than)
            .fetch_all(pooled.connection());
        let rows = answered(query).await;
        pooled.settle(rows)?.iter().map(group).collect()
    }

    /// Requests an action from the owners of the partitions and writes the operator into the audit, with
    /// synchronous commit. Events that are no longer parked are skipped; returns the number of
    /// requested events.
    pub async fn request(
        &self,
        request: &Request,
        positions: &[(i32, i64)],
    ) -> Result<u64, StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let work = try_request(
            pooled.connection(),
            &self.generation.topic,
            request,
            positions,
        );
        let result = answered(work).await;
        pooled.settle(result)
    }

    /// Returns the outcomes of a request so far.
    pub async fn outcomes(&self, request: Uuid) -> Result<Vec<OutcomeCount>, StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let query = sqlx::query(include_str!("../request_outcomes.sql"))
            .bind(request)
            .fetch_all(pooled.connection());
        let rows = answered(query).await;
        let count = |row: &PgRow| {
            let outcome: Option<&str> = row.try_get("outcome")?;
            Ok(OutcomeCount {
                outcome: outcome.map(outcome_named).transpose()?,
                reason: reason_if_any(row)?,
                detail: row.try_get("detail")?,
                events: row.try_get("events")?,
            })
        };
        pooled.settle(rows)?.iter().map(count).collect()
    }

    /// Returns the scopes that are deferred in any partition, in their order, at most so many.
    pub async fn deferrals(&self, limit: i64) -> Result<Vec<DeferredScope>, StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let query = sqlx::query(include_str!("../list_deferrals.sql"))
            .bind(&self.generation.topic)
            .bind(limit)
            .fetch_all(pooled.connection());
        let rows = answered(query).await;
        let deferral = |row: &PgRow| {
            Ok(DeferredScope {
                scope: Scope::from_row(row)?,
                partition: row.try_get("partition")?,
                reason: DeferralReason::from_row(row)?,
                detail: row.try_get("detail")?,
                from_offset: row.try_get("from_offset")?,
                next_offset: row.try_get("next_offset")?,
                behind: row.try_get("behind")?,
                clock: instant(row, "clock")?,
                events: row.try_get("events")?,
                began_at: instant(row, "began_at")?,
                resume_by: row.try_get("resume_by")?,
            })
        };
        pooled.settle(rows)?.iter().map(deferral).collect()
    }

    /// Asks the owners of all partitions to resume a scope; returns in how many it is deferred. A tenant
    /// that is not defined is resumed by defining it alone.
    pub async fn resume(&self, scope: &Scope, subject: &str) -> Result<u64, StoreError> {
        let mut pooled = self.connections.acquire().await?;
        let query = sqlx::query(include_str!("../resume_deferrals.sql"))
            .bind(scope.tenant.as_str())
            .bind(scope.customer_column())
            .bind(subject)
            .execute(pooled.connection());
        let asked = answered(query).await;
        Ok(pooled.settle(asked)?.rows_affected())
    }
}

fn group(row: &PgRow) -> Result<ParkedGroup, StoreError> {
    let partitions: Vec<i32> = row.try_get("partitions")?;
    let offsets: Vec<i64> = row.try_get("offsets")?;
    let details: Vec<String> = row.try_get("details")?;
    let positions = partitions.into_iter().zip(offsets);
    Ok(ParkedGroup {
        tenant: row.try_get("tenant_id")?,
        source: row.try_get("source")?,
        reason: reason(row)?,
        day: row.try_get("day")?,
        events: row.try_get("events")?,
        bytes: row.try_get("bytes")?,
        examples: positions
            .zip(details)
            .map(|((partition, offset), detail)| (partition, offset, detail))
            .collect(),
    })
}

async fn try_request(
    connection: &mut PgConnection,
    topic: &str,
    request: &Request,
    positions: &[(i32, i64)],
) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let asked = sqlx::query(include_str!("../request_parked.sql"))
        .bind(request.id)
        .bind(request.action.as_str())
        .bind(&request.subject)
        .bind(request.note.as_deref())
        .bind(topic)
        .bind(partitions(positions))
        .bind(offsets(positions))
        .bind(request.action.audited_as())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(asked.rows_affected())
}

fn outcome_named(name: &str) -> Result<Outcome, StoreError> {
    Outcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
        .ok_or_else(|| StoreError::Damaged(format!("unknown outcome of a request: {name:?}")))
}

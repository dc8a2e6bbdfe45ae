//! Asking Postgres about parked events, requests and halts.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use tidemark_schemas::TenantId;
use uuid::Uuid;

use super::{Action, Halt, OutcomeCount, ParkedCount, ParkedEvent, ParkedFilter, Request, Wish};
use crate::parking::Reason;
use crate::store::Store;
use crate::store::connections::answered;
use crate::store::error::StoreError;
use crate::store::load::{instant, parked_row};
use crate::store::rows::Outcome;

/// What was asked must not be forgotten in a crash.
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

impl Store {
    /// Parked events in the order of (partition, offset), strictly after `after`.
    pub async fn list_parked(
        &self,
        filter: &ParkedFilter,
        after: (i32, i64),
        limit: i64,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let topic = &self.generation.topic;
        let mut lease = self.connections.lease().await?;
        let query = filtered!(
            sqlx::query(include_str!("../list_parked.sql")),
            topic,
            filter
        )
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(lease.connection());
        let rows = answered(query).await;
        let event = |row: &PgRow| {
            Ok(ParkedEvent {
                partition: row.try_get("partition")?,
                event: parked_row(row)?,
                parked_at: instant(row, "parked_at")?,
            })
        };
        lease.settle(rows)?.iter().map(event).collect()
    }

    /// Parked events by tenant and reason.
    pub async fn count_parked(
        &self,
        filter: &ParkedFilter,
    ) -> Result<Vec<ParkedCount>, StoreError> {
        let topic = &self.generation.topic;
        let mut lease = self.connections.lease().await?;
        let query = filtered!(
            sqlx::query(include_str!("../count_parked.sql")),
            topic,
            filter
        )
        .fetch_all(lease.connection());
        let rows = answered(query).await;
        let count = |row: &PgRow| {
            Ok(ParkedCount {
                tenant: row.try_get("tenant_id")?,
                reason: row.try_get("reason")?,
                events: row.try_get("events")?,
            })
        };
        lease.settle(rows)?.iter().map(count).collect()
    }

    /// Asks the owners of the partitions for something, and writes into the audit who did, with
    /// synchronous commit. Events not parked any more are passed over; returns how many are asked
    /// for.
    pub async fn request(
        &self,
        request: &Request,
        positions: &[(i32, i64)],
    ) -> Result<u64, StoreError> {
        let mut lease = self.connections.lease().await?;
        let work = try_request(
            lease.connection(),
            &self.generation.topic,
            request,
            positions,
        );
        let result = answered(work).await;
        lease.settle(result)
    }

    /// What became of a request so far.
    pub async fn outcomes(&self, request: Uuid) -> Result<Vec<OutcomeCount>, StoreError> {
        let mut lease = self.connections.lease().await?;
        let query = sqlx::query(include_str!("../request_outcomes.sql"))
            .bind(request)
            .fetch_all(lease.connection());
        let rows = answered(query).await;
        let count = |row: &PgRow| {
            let outcome: Option<&str> = row.try_get("outcome")?;
            Ok(OutcomeCount {
                outcome: outcome.map(outcome_named).transpose()?,
                reason: row.try_get("reason")?,
                detail: row.try_get("detail")?,
                events: row.try_get("events")?,
            })
        };
        lease.settle(rows)?.iter().map(count).collect()
    }

    /// Writes into the audit what an operator did that concerns a tenant, or nobody known: `""`.
    pub async fn audit_operator(
        &self,
        tenant: &str,
        subject: &str,
        action: &str,
        target: &str,
    ) -> Result<(), StoreError> {
        let mut lease = self.connections.lease().await?;
        let query = sqlx::query(include_str!("../audit_operator.sql"))
            .bind(tenant)
            .bind(subject)
            .bind(action)
            .bind(target)
            .execute(lease.connection());
        let written = answered(query).await;
        lease.settle(written).map(drop)
    }

    /// Every tenant halted anywhere.
    pub async fn halts(&self) -> Result<Vec<Halt>, StoreError> {
        let mut lease = self.connections.lease().await?;
        let query = sqlx::query(include_str!("../list_halts.sql")).fetch_all(lease.connection());
        let rows = answered(query).await;
        let halt = |row: &PgRow| {
            Ok(Halt {
                tenant: row.try_get("tenant_id")?,
                partition: row.try_get("partition")?,
                offset: row.try_get("offset")?,
                parked: row.try_get("parked")?,
                records: row.try_get("records")?,
                halted_at: instant(row, "halted_at")?,
                resume_by: row.try_get("resume_by")?,
            })
        };
        lease.settle(rows)?.iter().map(halt).collect()
    }

    /// Asks the owners of all partitions to fold a tenant again; returns in how many it is halted.
    pub async fn resume(&self, tenant: &TenantId, subject: &str) -> Result<u64, StoreError> {
        let mut lease = self.connections.lease().await?;
        let query = sqlx::query(include_str!("../resume.sql"))
            .bind(tenant.as_str())
            .bind(subject)
            .execute(lease.connection());
        let asked = answered(query).await;
        Ok(lease.settle(asked)?.rows_affected())
    }

    /// What is asked for the next parked events of a partition, in the order of the log.
    pub(crate) async fn load_wishes(
        &self,
        topic: &str,
        partition: i32,
        limit: i64,
    ) -> Result<Vec<Wish>, StoreError> {
        let mut lease = self.connections.lease().await?;
        let query = sqlx::query(include_str!("../load_requests.sql"))
            .bind(topic)
            .bind(partition)
            .bind(limit)
            .fetch_all(lease.connection());
        let rows = answered(query).await;
        lease.settle(rows)?.iter().map(wish).collect()
    }

    /// Tenants halted in a partition, and whether they are to go on.
    pub(crate) async fn load_halts(
        &self,
        partition: i32,
    ) -> Result<Vec<(TenantId, bool)>, StoreError> {
        let mut lease = self.connections.lease().await?;
        let query = sqlx::query(include_str!("../load_halts.sql"))
            .bind(partition)
            .fetch_all(lease.connection());
        let rows = answered(query).await;
        let halt = |row: &PgRow| {
            let tenant = TenantId::new(row.try_get::<&str, _>("tenant_id")?)
                .map_err(|error| StoreError::Damaged(format!("a tenant id {error}")))?;
            let resume_by: Option<&str> = row.try_get("resume_by")?;
            Ok((tenant, resume_by.is_some()))
        };
        lease.settle(rows)?.iter().map(halt).collect()
    }
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
        .execute(&mut *transaction)
        .await?;
    sqlx::query(include_str!("../audit_parked.sql"))
        .bind(request.id)
        .bind(&request.subject)
        .bind(request.action.audited_as())
        .bind(request.note.as_deref())
        .bind(topic)
        .bind(partitions(positions))
        .bind(offsets(positions))
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

fn wish(row: &PgRow) -> Result<Wish, StoreError> {
    let action: &str = row.try_get("action")?;
    let gone: bool = row.try_get("gone")?;
    Ok(Wish {
        request: row.try_get("request")?,
        action: Action::named(action)
            .ok_or_else(|| StoreError::Damaged(format!("unknown request: {action:?}")))?,
        offset: row.try_get("offset")?,
        event: if gone { None } else { Some(parked_row(row)?) },
    })
}

//! Queries of a partition's task.

use sqlx::Row;
use sqlx::postgres::PgRow;
use tidemark_schemas::{CustomerKey, Instant, TenantId};
use uuid::Uuid;

use super::batch::{CustomerRow, ParkedRow, Scope, Unerased};
use super::connections::{Connections, answered};
use super::decode::{instant, key, tenant};
use super::error::StoreError;
use super::operators::Action;
use crate::parking::Reason;

pub(super) async fn has_followed_wall_clock(connections: &Connections) -> Result<bool, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query =
        sqlx::query_scalar(include_str!("followed_wall_clock.sql")).fetch_one(pooled.connection());
    let followed = answered(query).await;
    pooled.settle(followed)
}

pub(super) async fn customers(
    connections: &Connections,
    keys: &[CustomerKey],
) -> Result<Vec<CustomerRow>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    // In key order, neighbours share pages.
    let mut sorted: Vec<&CustomerKey> = keys.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let tenants: Vec<&str> = sorted.iter().map(|key| key.tenant.as_str()).collect();
    let ids: Vec<&str> = sorted.iter().map(|key| key.customer.as_str()).collect();
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_customers.sql"))
        .bind(tenants)
        .bind(ids)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled
        .settle(rows)?
        .iter()
        .map(CustomerRow::from_row)
        .collect()
}

/// The customers of a tenant in a partition, in the order of their ids after one.
pub(crate) struct TenantPage<'a> {
    pub(crate) partition: i32,
    pub(crate) tenant: &'a TenantId,
    pub(crate) after: Option<&'a str>,
    pub(crate) limit: i64,
}

pub(super) async fn tenant_customers(
    connections: &Connections,
    page: &TenantPage<'_>,
) -> Result<Vec<CustomerRow>, StoreError> {
    let rows = tenant_page(connections, include_str!("load_tenant_customers.sql"), page);
    rows.await?.iter().map(CustomerRow::from_row).collect()
}

pub(super) async fn tenant_customer_keys(
    connections: &Connections,
    page: &TenantPage<'_>,
) -> Result<Vec<CustomerKey>, StoreError> {
    let statement = include_str!("load_tenant_customer_ids.sql");
    let rows = tenant_page(connections, statement, page).await?;
    rows.iter().map(key).collect()
}

async fn tenant_page(
    connections: &Connections,
    statement: &'static str,
    page: &TenantPage<'_>,
) -> Result<Vec<PgRow>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(statement)
        .bind(page.partition)
        .bind(page.tenant.as_str())
        .bind(page.after.unwrap_or("")) // no id is empty
        .bind(page.limit)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled.settle(rows)
}

pub(super) async fn timers(
    connections: &Connections,
    partition: i32,
    after: Option<&(Instant, CustomerKey)>,
    limit: i64,
) -> Result<Vec<(Instant, CustomerKey)>, StoreError> {
    let (due, tenant, customer) = after.map_or((i64::MIN, "", ""), |(due, key)| {
        (due.micros(), key.tenant.as_str(), key.customer.as_str())
    });
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_timers.sql"))
        .bind(partition)
        .bind(due)
        .bind(tenant)
        .bind(customer)
        .bind(limit)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled
        .settle(rows)?
        .iter()
        .map(|row| Ok((instant(row, "due_at")?, key(row)?)))
        .collect()
}

/// Definitions that came into force in a partition.
pub(crate) struct ActivationRow {
    pub(crate) partition: i32,
    /// The offset of the first record under them.
    pub(crate) next_offset: i64,
    pub(crate) version: i64,
    /// The partition's clock when they came into force.
    pub(crate) clock: Instant,
}

pub(super) async fn activations(
    connections: &Connections,
) -> Result<Vec<ActivationRow>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_activations.sql")).fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled
        .settle(rows)?
        .iter()
        .map(|row| {
            Ok(ActivationRow {
                partition: row.try_get("partition")?,
                next_offset: row.try_get("next_offset")?,
                version: row.try_get("version")?,
                clock: instant(row, "clock")?,
            })
        })
        .collect()
}

/// A filter of parked events.
pub(super) struct ParkedSelection<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) reason: Reason,
    pub(super) tenant: &'a TenantId,
}

pub(super) async fn parked(
    connections: &Connections,
    which: &ParkedSelection<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<ParkedRow>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_parked.sql"))
        .bind(which.topic)
        .bind(which.partition)
        .bind(which.reason.as_str())
        .bind(which.tenant.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled
        .settle(rows)?
        .iter()
        .map(ParkedRow::from_row)
        .collect()
}

/// Returns the tenants with events parked in a partition for a reason.
pub(super) async fn parked_tenants(
    connections: &Connections,
    topic: &str,
    partition: i32,
    reason: Reason,
) -> Result<Vec<TenantId>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_parked_tenants.sql"))
        .bind(topic)
        .bind(partition)
        .bind(reason.as_str())
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled.settle(rows)?.iter().map(tenant).collect()
}

/// An operator command for one parked event.
#[derive(Debug)]
pub(crate) struct OperatorCommand {
    pub(crate) request: Uuid,
    pub(crate) action: Action,
    pub(crate) offset: i64,
    /// `None` when it is not parked any more.
    pub(crate) event: Option<ParkedRow>,
}

pub(super) async fn commands(
    connections: &Connections,
    topic: &str,
    partition: i32,
    after: i64,
    [events, bytes]: [i64; 2],
) -> Result<Vec<OperatorCommand>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_requests.sql"))
        .bind(topic)
        .bind(partition)
        .bind(after)
        .bind(events)
        .bind(bytes)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled.settle(rows)?.iter().map(command).collect()
}

fn command(row: &PgRow) -> Result<OperatorCommand, StoreError> {
    let action: &str = row.try_get("action")?;
    let gone: bool = row.try_get("gone")?;
    Ok(OperatorCommand {
        request: row.try_get("request")?,
        action: Action::named(action)
            .ok_or_else(|| StoreError::Damaged(format!("unknown operator command: {action:?}")))?,
        offset: row.try_get("offset")?,
        event: if gone {
            None
        } else {
            Some(ParkedRow::from_row(row)?)
        },
    })
}

/// Returns the first kind of rows that are left to erase of a tenant, if any; `None` before that has begun.
pub(super) async fn unerased(
    connections: &Connections,
    partition: i32,
    tenant: &TenantId,
) -> Result<Option<Option<Unerased>>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("unerased.sql"))
        .bind(partition)
        .bind(tenant.as_str())
        .fetch_optional(pooled.connection());
    let row = answered(query).await;
    pooled
        .settle(row)?
        .as_ref()
        .map(Unerased::from_row)
        .transpose()
}

pub(super) async fn resumed(
    connections: &Connections,
    partition: i32,
) -> Result<Vec<Scope>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_resumed.sql"))
        .bind(partition)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled.settle(rows)?.iter().map(Scope::from_row).collect()
}

pub(super) async fn clock_marks(
    connections: &Connections,
    partition: i32,
    from: i64,
    to: i64,
) -> Result<Vec<(i64, Instant)>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query(include_str!("load_clock_marks.sql"))
        .bind(partition)
        .bind(from)
        .bind(to)
        .fetch_all(pooled.connection());
    let rows = answered(query).await;
    pooled
        .settle(rows)?
        .iter()
        .map(|row| Ok((row.try_get("offset")?, instant(row, "clock")?)))
        .collect()
}

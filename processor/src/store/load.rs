//! Reading what was stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sqlx::Row;
use sqlx::postgres::PgRow;
use tidemark_schemas::{CustomerId, CustomerKey, Instant, TenantId};

use super::connections::{Connections, answered};
use super::error::StoreError;
use super::rows::{CustomerRow, ParkedRow};
use crate::parking::Reason;

/// Reads an instant.
pub(super) fn instant(row: &PgRow, column: &str) -> Result<Instant, StoreError> {
    let micros: i64 = row.try_get(column)?;
    Instant::from_micros(micros)
        .ok_or_else(|| StoreError::Damaged(format!("{column} is {micros}, not an instant")))
}

fn key(row: &PgRow) -> Result<CustomerKey, StoreError> {
    let damaged = |error| StoreError::Damaged(format!("a stored id {error}"));
    Ok(CustomerKey {
        tenant: TenantId::new(row.try_get::<&str, _>("tenant_id")?).map_err(damaged)?,
        customer: CustomerId::new(row.try_get::<&str, _>("customer_id")?).map_err(damaged)?,
    })
}

fn customer(row: &PgRow) -> Result<CustomerRow, StoreError> {
    Ok(CustomerRow {
        key: key(row)?,
        state: row.try_get("state")?,
        tracked: row
            .try_get::<Option<Vec<u8>>, _>("tracked")?
            .unwrap_or_default(),
        evaluated: row.try_get("evaluated")?,
        evaluated_at: instant(row, "evaluated_at")?,
        definition_version: row.try_get("definition_version")?,
        first_seen_at: instant(row, "first_seen_at")?,
        last_seen_at: instant(row, "last_seen_at")?,
        band: row.try_get("band")?,
        value_minor: row.try_get("value_minor")?,
    })
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
    let mut lease = connections.lease().await?;
    let query = sqlx::query(include_str!("load_customers.sql"))
        .bind(tenants)
        .bind(ids)
        .fetch_all(lease.connection());
    let rows = answered(query).await;
    lease.settle(rows)?.iter().map(customer).collect()
}

pub(super) async fn tenant_customers(
    connections: &Connections,
    partition: i32,
    tenant: &TenantId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<CustomerRow>, StoreError> {
    let mut lease = connections.lease().await?;
    let query = sqlx::query(include_str!("load_tenant_customers.sql"))
        .bind(partition)
        .bind(tenant.as_str())
        .bind(after.unwrap_or("")) // no id is empty
        .bind(limit)
        .fetch_all(lease.connection());
    let rows = answered(query).await;
    lease.settle(rows)?.iter().map(customer).collect()
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
    let mut lease = connections.lease().await?;
    let query = sqlx::query(include_str!("load_timers.sql"))
        .bind(partition)
        .bind(due)
        .bind(tenant)
        .bind(customer)
        .bind(limit)
        .fetch_all(lease.connection());
    let rows = answered(query).await;
    lease
        .settle(rows)?
        .iter()
        .map(|row| Ok((instant(row, "due_at")?, key(row)?)))
        .collect()
}

/// Which parked events.
pub(super) struct ParkedOf<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) reason: &'a str,
    pub(super) tenant: &'a TenantId,
}

pub(super) async fn parked(
    connections: &Connections,
    which: &ParkedOf<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<ParkedRow>, StoreError> {
    let mut lease = connections.lease().await?;
    let query = sqlx::query(include_str!("load_parked.sql"))
        .bind(which.topic)
        .bind(which.partition)
        .bind(which.reason)
        .bind(which.tenant.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(lease.connection());
    let rows = answered(query).await;
    lease.settle(rows)?.iter().map(parked_row).collect()
}

/// The tenants of whom events are parked in a partition for a reason.
pub(super) async fn parked_tenants(
    connections: &Connections,
    topic: &str,
    partition: i32,
    reason: &str,
) -> Result<Vec<TenantId>, StoreError> {
    let mut lease = connections.lease().await?;
    let rows = sqlx::query_scalar::<_, String>(include_str!("load_parked_tenants.sql"))
        .bind(topic)
        .bind(partition)
        .bind(reason)
        .fetch_all(lease.connection())
        .await;
    let tenants = lease.settle(rows)?;
    let tenants = tenants
        .into_iter()
        .map(TenantId::new)
        .collect::<Result<_, _>>();
    tenants.map_err(|error| StoreError::Damaged(format!("a tenant id {error}")))
}

pub(super) fn parked_row(row: &PgRow) -> Result<ParkedRow, StoreError> {
    let tenant: Option<&str> = row.try_get("tenant_id")?;
    let tenant = tenant.map(TenantId::new).transpose();
    Ok(ParkedRow {
        offset: row.try_get("offset")?,
        tenant: tenant.map_err(|error| StoreError::Damaged(format!("a tenant id {error}")))?,
        customer: row.try_get("customer_id")?,
        reason: reason(row.try_get("reason")?)?,
        detail: row.try_get("detail")?,
        field: row.try_get("field")?,
        key: row.try_get("key")?,
        value: row.try_get("value")?,
        headers: decode_headers(row.try_get("headers")?)?,
        appended_at: instant(row, "appended_at")?,
    })
}

fn reason(text: &str) -> Result<&'static str, StoreError> {
    Reason::named(text)
        .map(Reason::as_str)
        .ok_or_else(|| StoreError::Damaged(format!("unknown reason for parking: {text:?}")))
}

/// A record's headers: names with values, in order, names possibly more than once.
type Headers = Vec<(String, Option<Vec<u8>>)>;

/// Record headers as JSON: `[[name, base64 value or null], …]`.
pub(super) fn encode_headers(headers: &[(String, Option<Vec<u8>>)]) -> Vec<u8> {
    let pairs = headers
        .iter()
        .map(|(name, value)| serde_json::json!([name, value.as_ref().map(|v| BASE64.encode(v))]));
    serde_json::Value::Array(pairs.collect())
        .to_string()
        .into_bytes()
}

fn decode_headers(json: &[u8]) -> Result<Headers, StoreError> {
    let damaged = |error: &dyn std::fmt::Display| {
        StoreError::Damaged(format!("the headers of a parked event: {error}"))
    };
    let pairs: Vec<(String, Option<String>)> =
        serde_json::from_slice(json).map_err(|error| damaged(&error))?;
    pairs
        .into_iter()
        .map(|(name, value)| {
            let value = value.map(|text| BASE64.decode(text)).transpose();
            Ok((name, value.map_err(|error| damaged(&error))?))
        })
        .collect()
}

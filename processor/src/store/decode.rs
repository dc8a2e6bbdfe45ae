//! Columns of a row read as the types they hold. What does not fit is [`StoreError::Damaged`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sqlx::Row;
use sqlx::postgres::PgRow;
use tidemark_schemas::{CustomerId, CustomerKey, Instant, TenantId};

use super::error::StoreError;
use super::rows::ParkedRow;
use crate::parking::Reason;

/// Reads an instant.
pub(super) fn instant(row: &PgRow, column: &str) -> Result<Instant, StoreError> {
    let micros: i64 = row.try_get(column)?;
    Instant::from_micros(micros)
        .ok_or_else(|| StoreError::Damaged(format!("{column} is {micros}, not an instant")))
}

/// Reads the key of a customer.
pub(super) fn key(row: &PgRow) -> Result<CustomerKey, StoreError> {
    let customer = CustomerId::new(row.try_get::<&str, _>("customer_id")?);
    Ok(CustomerKey {
        tenant: tenant(row)?,
        customer: customer
            .map_err(|error| StoreError::Damaged(format!("a stored customer id {error}")))?,
    })
}

/// Reads the id of a tenant.
pub(super) fn tenant(row: &PgRow) -> Result<TenantId, StoreError> {
    tenant_id(row.try_get("tenant_id")?)
}

/// Reads the id of a tenant where there may be none.
fn tenant_if_known(row: &PgRow) -> Result<Option<TenantId>, StoreError> {
    row.try_get::<Option<&str>, _>("tenant_id")?
        .map(tenant_id)
        .transpose()
}

fn tenant_id(id: &str) -> Result<TenantId, StoreError> {
    TenantId::new(id).map_err(|error| StoreError::Damaged(format!("tenant id {id:?} {error}")))
}

/// Reads the reason for which an event is parked.
pub(super) fn reason(row: &PgRow) -> Result<Reason, StoreError> {
    reason_named(row.try_get("reason")?)
}

/// Reads a reason where there may be none.
pub(super) fn reason_if_any(row: &PgRow) -> Result<Option<Reason>, StoreError> {
    row.try_get::<Option<&str>, _>("reason")?
        .map(reason_named)
        .transpose()
}

fn reason_named(name: &str) -> Result<Reason, StoreError> {
    Reason::named(name)
        .ok_or_else(|| StoreError::Damaged(format!("unknown reason for parking: {name:?}")))
}

/// Reads a parked event.
pub(super) fn parked_row(row: &PgRow) -> Result<ParkedRow, StoreError> {
    Ok(ParkedRow {
        offset: row.try_get("offset")?,
        tenant: tenant_if_known(row)?,
        customer: row.try_get("customer_id")?,
        reason: reason(row)?,
        detail: row.try_get("detail")?,
        field: row.try_get("field")?,
        key: row.try_get("key")?,
        value: row.try_get("value")?,
        headers: decode_headers(row.try_get("headers")?)?,
        appended_at: instant(row, "appended_at")?,
    })
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

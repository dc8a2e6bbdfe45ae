//! Columns of a row read as the types they hold. What does not fit is [`StoreError::Damaged`].

use sqlx::Row;
use sqlx::postgres::PgRow;
use tidemark_schemas::{CustomerId, CustomerKey, Instant, TenantId};

use super::error::StoreError;
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
pub(super) fn tenant_if_known(row: &PgRow) -> Result<Option<TenantId>, StoreError> {
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

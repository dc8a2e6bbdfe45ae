//! Rows of `parked`: events parked, and events that are not parked any more.

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tidemark_kafka::headers::Header;
use tidemark_schemas::{Instant, TenantId};

use super::columns::{column, sorted, storable};
use super::headers::{decode_headers, encode_headers};
use super::{CommitContext, ROW_BYTES, RowKind};
use crate::parking::Reason;
use crate::store::decode::{instant, reason, tenant_if_known};
use crate::store::error::StoreError;

/// The bytes that a row counts beside those of its record, so that many small records are bounded as well.
const BYTES_PER_ROW: usize = 256;

/// Events parked, and events that are not parked any more.
#[derive(Debug, Clone, Default)]
pub struct Parked {
    /// Newly parked, or parked for another reason.
    pub parked: Vec<ParkedRow>,
    /// The offsets of events folded or discarded.
    pub unparked: Vec<i64>,
}

/// An event that could not be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// The offset in its partition.
    pub offset: i64,
    /// The tenant, where it could be read.
    pub tenant: Option<TenantId>,
    /// The customer, where it could be read.
    pub customer: Option<String>,
    /// The system that sent the event, where it could be read.
    pub source: Option<String>,
    /// The reason.
    pub reason: Reason,
    /// An explanation for people.
    pub detail: String,
    /// The invalid field, for [`Reason::Invalid`].
    pub field: Option<String>,
    /// The record's key, unchanged.
    pub key: Option<Vec<u8>>,
    /// The record's value, unchanged.
    pub value: Option<Vec<u8>>,
    /// The record's headers, unchanged.
    pub headers: Vec<Header>,
    /// The broker's timestamp.
    pub appended_at: Instant,
}

impl ParkedRow {
    /// Returns the bytes that the event counts towards the quota.
    pub(crate) fn bytes(&self) -> i64 {
        let (key, value) = (self.key.as_deref(), self.value.as_deref());
        parked_bytes(key, value, &self.headers)
    }

    pub(in crate::store) fn from_row(row: &PgRow) -> Result<Self, StoreError> {
        Ok(Self {
            offset: row.try_get("offset")?,
            tenant: tenant_if_known(row)?,
            customer: row.try_get("customer_id")?,
            source: row.try_get("source")?,
            reason: reason(row)?,
            detail: row.try_get("detail")?,
            field: row.try_get("field")?,
            key: row.try_get("key")?,
            value: row.try_get("value")?,
            headers: decode_headers(row.try_get("headers")?)?,
            appended_at: instant(row, "appended_at")?,
        })
    }
}

/// Returns the bytes that a record counts towards the quota once it is parked: its key, value and headers, and a
/// share for the row. A row that was read back counts what it was written with.
pub(crate) fn parked_bytes(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> i64 {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers = headers.iter();
    let headers = headers.map(|header| header.name.len() + length(header.value.as_deref()));
    let bytes = length(key) + length(value) + headers.sum::<usize>();
    i64::try_from(BYTES_PER_ROW + bytes).unwrap_or(i64::MAX)
}

impl RowKind for Parked {
    fn is_empty(&self) -> bool {
        self.parked.is_empty() && self.unparked.is_empty()
    }

    fn bytes(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        self.parked
            .iter()
            .map(|row| ROW_BYTES + length(&row.key) + length(&row.value))
            .sum()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = sorted(&self.parked, |row| row.offset);
        // One statement cannot both delete and insert a row: an event parked for another reason is
        // only inserted.
        let parked_again =
            |offset: &i64| rows.binary_search_by_key(offset, |row| row.offset).is_ok();
        let unparked: Vec<i64> = self
            .unparked
            .iter()
            .copied()
            .filter(|offset| !parked_again(offset))
            .collect();
        sqlx::query(include_str!("../parked.sql"))
            .bind(context.topic)
            .bind(context.partition)
            .bind(unparked)
            .bind(column(&rows, |row| row.offset))
            .bind(column(&rows, |row| {
                row.tenant.as_ref().map(TenantId::as_str)
            }))
            .bind(column(&rows, |row| row.customer.as_deref().map(storable)))
            .bind(column(&rows, |row| row.reason.as_str()))
            .bind(column(&rows, |row| storable(&row.detail)))
            .bind(column(&rows, |row| row.field.as_deref().map(storable)))
            .bind(column(&rows, |row| row.key.as_deref()))
            .bind(column(&rows, |row| row.value.as_deref()))
            .bind(column(&rows, |row| encode_headers(&row.headers)))
            .bind(column(&rows, |row| row.appended_at.micros()))
            .bind(column(&rows, |row| row.source.as_deref().map(storable)))
            .execute(connection)
            .await?;
        Ok(())
    }
}

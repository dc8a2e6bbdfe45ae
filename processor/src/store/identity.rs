//! The identity of a log, as the progress of a partition keeps it.

use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgRow;

/// The identity of a partition's log, as far as it has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogIdentity {
    /// The id of the cluster; `None` if it is not known.
    pub cluster: Option<Arc<str>>,
    /// The last record that was read; `None` before the first.
    pub last: Option<LastRecord>,
}

/// The identity of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRecord {
    /// The offset.
    pub offset: i64,
    /// The record's timestamp in microseconds, if it carries one.
    pub appended_at: Option<i64>,
    /// The hash of key, value and headers.
    pub hash: i64,
}

impl LogIdentity {
    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let (offset, hash): (Option<i64>, Option<i64>) =
            (row.try_get("last_offset")?, row.try_get("last_hash")?);
        let appended_at = row.try_get("last_appended_at")?;
        let last = offset.zip(hash).map(|(offset, hash)| LastRecord {
            offset,
            appended_at,
            hash,
        });
        let cluster: Option<String> = row.try_get("cluster")?;
        Ok(Self {
            cluster: cluster.map(Arc::from),
            last,
        })
    }
}

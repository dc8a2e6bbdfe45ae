//! Rows of `parked_request` that are settled: the outcomes of operator commands.

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::columns::{column, sorted, storable};
use super::{CommitContext, RowKind};
use crate::parking::Reason;

/// The outcome of an operator command for one parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledRequest {
    /// The command.
    pub request: Uuid,
    /// The offset of the event.
    pub offset: i64,
    /// The outcome for the event.
    pub outcome: Outcome,
    /// The reason for which it was parked, or still is.
    pub reason: Option<Reason>,
    /// The reason for which it is still parked.
    pub detail: Option<String>,
}

/// The outcomes that an operator command can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The event was folded.
    Folded,
    /// The event had been folded before, from another record.
    Known,
    /// The event was tried again and is still parked.
    Parked,
    /// The event was discarded.
    Discarded,
    /// The event was published again, to its expected partition.
    Republished,
    /// The event was not parked any more when the command was applied.
    Gone,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Folded,
        Self::Known,
        Self::Parked,
        Self::Discarded,
        Self::Republished,
        Self::Gone,
    ];

    /// Returns the name as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folded => "folded",
            Self::Known => "known",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
            Self::Republished => "republished",
            Self::Gone => "gone",
        }
    }
}

impl RowKind for Vec<SettledRequest> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        context: CommitContext<'_>,
    ) -> Result<(), sqlx::Error> {
        let rows = sorted(self, |row| (row.request, row.offset));
        sqlx::query(include_str!("../settle_requests.sql"))
            .bind(context.topic)
            .bind(context.partition)
            .bind(column(&rows, |row| row.request))
            .bind(column(&rows, |row| row.offset))
            .bind(column(&rows, |row| row.outcome.as_str()))
            .bind(column(&rows, |row| row.reason.map(Reason::as_str)))
            .bind(column(&rows, |row| row.detail.as_deref().map(storable)))
            .execute(connection)
            .await?;
        Ok(())
    }
}

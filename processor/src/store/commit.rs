//! One batch, one transaction, the fence first.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tidemark_projections::invalidation::COMMITS_KEPT;
use uuid::Uuid;

use super::batch::Batch;
use super::connections::{Connections, answered};
use super::error::{Fault, StoreError};

/// The outcome of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The batch is written.
    Yes,
    /// Another process owns the partition, or the database went back in time: nothing was written.
    Fenced,
}

/// The name of rows that Postgres checks at the commit alone.
const AT_COMMIT: &str = "commit";

/// `begin` and its setting in one round trip.
const BEGIN: [&str; 2] = [
    "begin; set local synchronous_commit = off",
    "begin; set local synchronous_commit = on",
];

pub(super) async fn commit(
    connections: &Connections,
    synchronous: bool,
    topic: &str,
    batch: &Batch,
) -> Result<Committed, StoreError> {
    match attempt(connections, synchronous, topic, batch).await {
        // Whether it landed is not known. The fence decides: it finds no row if it did, and waits
        // for the old backend if that is still running.
        Err(StoreError::Unavailable(error)) if Fault::from_error(&error) == Fault::Lost => {
            tracing::debug!(topic, batch.partition, %error, "connection lost, retrying");
            attempt(connections, synchronous, topic, batch).await
        }
        other => other,
    }
}

async fn attempt(
    connections: &Connections,
    synchronous: bool,
    topic: &str,
    batch: &Batch,
) -> Result<Committed, StoreError> {
    let mut pooled = connections.acquire().await?;
    let work = transaction(pooled.connection(), synchronous, topic, batch);
    let result = answered(work).await;
    pooled.settle(result)
}

async fn transaction(
    connection: &mut PgConnection,
    synchronous: bool,
    topic: &str,
    batch: &Batch,
) -> Result<Committed, StoreError> {
    let mut transaction = connection
        .begin_with(BEGIN[usize::from(synchronous)])
        .await?;
    if !pass_fence(&mut transaction, topic, batch).await? {
        let landed = has_landed(&mut transaction, topic, batch).await?;
        transaction.rollback().await?;
        return Ok(if landed {
            Committed::Yes
        } else {
            Committed::Fenced
        });
    }
    batch.write(&mut transaction, topic).await?;
    write_invalidation(&mut transaction, batch).await?;
    let landed = transaction.commit().await;
    landed.map_err(|error| StoreError::of_rows(AT_COMMIT, error))?;
    Ok(Committed::Yes)
}

/// Writes what the batch invalidates in response caches.
async fn write_invalidation(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(), sqlx::Error> {
    let invalidation = batch.invalidation();
    if invalidation.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("invalidation.sql"))
        .bind(batch.partition)
        .bind(batch.old_commits + 1)
        .bind(batch.epoch)
        .bind(invalidation.encode())
        .bind(COMMITS_KEPT)
        .execute(connection)
        .await?;
    Ok(())
}

async fn pass_fence(
    connection: &mut PgConnection,
    topic: &str,
    batch: &Batch,
) -> Result<bool, sqlx::Error> {
    let passed = sqlx::query(include_str!("fence.sql"))
        .bind(topic)
        .bind(batch.partition)
        .bind(batch.epoch)
        .bind(batch.old_commits)
        .bind(batch.old_next_offset)
        .bind(batch.new_next_offset)
        .bind(batch.clock)
        .bind(batch.change_seq)
        .bind(batch.definitions)
        .bind(batch.evaluation)
        .bind(batch.log.cluster.as_deref())
        .bind(batch.log.last.map(|record| record.offset))
        .bind(batch.log.last.and_then(|record| record.appended_at))
        .bind(batch.log.last.map(|record| record.hash))
        .bind(batch.wall_clock)
        .bind(batch.nonce)
        .bind(batch.fired_to)
        .execute(connection)
        .await?;
    Ok(passed.rows_affected() == 1)
}

/// Returns whether the row that the fence did not match is the one that this very batch wrote: no other
/// process commits under this epoch, and every commit counts one.
async fn has_landed(
    connection: &mut PgConnection,
    topic: &str,
    batch: &Batch,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(include_str!("fence_state.sql"))
        .bind(topic)
        .bind(batch.partition)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let found: (i64, Uuid, i64, i64) = (
        row.try_get("epoch")?,
        row.try_get("nonce")?,
        row.try_get("commits")?,
        row.try_get("next_offset")?,
    );
    let (commits, next_offset) = (batch.old_commits + 1, batch.new_next_offset);
    Ok(found == (batch.epoch, batch.nonce, commits, next_offset))
}

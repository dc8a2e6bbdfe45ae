//! The follower: reads positions and invalidations of the commits every 100 ms.
//!
//! It has a connection of its own, so that versions advance however many requests wait for a pooled
//! connection. It is also the first to notice that the database is unavailable, or available again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tidemark_projections::invalidation::Invalidation;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ResponseCache;
use super::position::{Invalidated, PartitionProgress, Positions};
use crate::database::{Database, is_unavailable};

const INTERVAL: Duration = Duration::from_millis(100);
/// The interval while a request waits for a position.
const INTERVAL_WHILE_AWAITED: Duration = Duration::from_millis(20);
/// A database that does not answer within this time is unavailable.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Advances a response cache from the commits in the database.
#[derive(Debug)]
pub(crate) struct Follower {
    database: Arc<Database>,
    cache: Arc<ResponseCache>,
}

impl Follower {
    pub(crate) fn new(database: Arc<Database>, cache: Arc<ResponseCache>) -> Self {
        Self { database, cache }
    }

    /// Follows the commits until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut connection = None;
        loop {
            let look = tokio::time::timeout(TIMEOUT, self.look(connection.take()));
            let looked = tokio::select! {
                looked = look => looked,
                () = stop.cancelled() => return,
            };
            match looked {
                Ok(Ok(healthy)) => connection = Some(healthy),
                Ok(Err(error)) => self.report(&error),
                Err(elapsed) => self.report(&sqlx::Error::Io(elapsed.into())),
            }
            let interval = if self.cache.positions.receiver_count() > 0 {
                INTERVAL_WHILE_AWAITED
            } else {
                INTERVAL
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn report(&self, error: &sqlx::Error) {
        if is_unavailable(error) {
            tracing::debug!(%error, "the database is unavailable");
            self.cache.lose_database();
        } else {
            tracing::warn!(
                %error,
                "reading the progress of the partitions failed: cached responses are not served \
                 until it succeeds"
            );
        }
    }

    /// Looks once. Returns the connection, unless it was cut off in the middle of a query: it is
    /// then closed rather than used again.
    async fn look(&self, connection: Option<PgConnection>) -> Result<PgConnection, sqlx::Error> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.database.connect_unpooled().await?,
        };
        let seen = self.cache.positions.borrow().clone();
        if let Some((positions, invalidated)) = read(&mut connection, seen.as_deref()).await? {
            self.cache.advance(positions, &invalidated);
        }
        Ok(connection)
    }
}

/// Reads the positions, and what was invalidated since those seen before; `None` if no generation
/// is active.
async fn read(
    connection: &mut PgConnection,
    seen: Option<&Positions>,
) -> Result<Option<(Positions, Invalidated)>, sqlx::Error> {
    let requested_at = Instant::now();
    let mut snapshot = connection
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    let active: Option<(i32, String, i32, Option<i64>, String)> =
        sqlx::query_as(include_str!("../sql/follow.sql"))
            .fetch_optional(&mut *snapshot)
            .await?;
    let Some((generation, topic, partition_count, recorded, _)) = active else {
        return Ok(None);
    };
    let partitions: Vec<PartitionProgress> = sqlx::query_as(include_str!("../sql/progress.sql"))
        .bind(&topic)
        .fetch_all(&mut *snapshot)
        .await?;
    let by_number = partitions.into_iter().map(|row| (row.partition, row));
    let positions = Positions {
        generation,
        topic,
        partition_count,
        partitions: by_number.collect::<BTreeMap<_, _>>(),
        recorded,
        requested_at,
    };
    let invalidated = match positions.commits_since(seen) {
        None => Invalidated::Everything,
        Some(commits) if commits.is_empty() => Invalidated::By(Vec::new()),
        Some(commits) => invalidated_by(&mut snapshot, commits).await?,
    };
    snapshot.commit().await?;
    Ok(Some((positions, invalidated)))
}

async fn invalidated_by(
    connection: &mut PgConnection,
    commits: Vec<(i32, i64)>,
) -> Result<Invalidated, sqlx::Error> {
    let (partitions, commits): (Vec<i32>, Vec<i64>) = commits.into_iter().unzip();
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(include_str!("../sql/invalidation.sql"))
        .bind(partitions)
        .bind(commits)
        .fetch_all(connection)
        .await?;
    let read: Result<Vec<Invalidation>, _> =
        rows.iter().map(|row| Invalidation::decode(row)).collect();
    Ok(read.map_or(Invalidated::Everything, Invalidated::By))
}

//! The follower: looks every 100 ms how far the commits are and what they touched.
//!
//! On a connection of its own, so that however many requests wait for one, versions move on; and
//! the first to notice that the database is away, and that it is back.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tidemark_projections::invalidation::Invalidation;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::position::{Moves, Positions, Progress};
use crate::Service;
use crate::database::is_away;

const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// While somebody waits for a position.
const LOOKS_EAGERLY_EVERY: Duration = Duration::from_millis(20);
/// A database that does not answer for so long is away.
const GIVES_UP_AFTER: Duration = Duration::from_secs(2);

/// Looks until told to stop.
pub(crate) async fn follow(service: Service, stop: CancellationToken) {
    let mut connection = None;
    loop {
        let look = tokio::time::timeout(GIVES_UP_AFTER, look(&service, connection.take()));
        let looked = tokio::select! {
            looked = look => looked,
            () = stop.cancelled() => return,
        };
        match looked {
            Ok(Ok(healthy)) => connection = Some(healthy),
            Ok(Err(error)) => lost(&service, &error),
            Err(elapsed) => lost(&service, &sqlx::Error::Io(elapsed.into())),
        }
        let pause = if service.answers().positions.receiver_count() > 0 {
            LOOKS_EAGERLY_EVERY
        } else {
            LOOKS_EVERY
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Until the next look that succeeds nothing kept is believed for long.
fn lost(service: &Service, error: &sqlx::Error) {
    if is_away(error) {
        tracing::debug!(%error, "the database is away");
        service.answers().lost();
    } else {
        tracing::warn!(%error, "cannot see how far the commits are: no cached answer is given");
    }
}

/// A connection cut off in the middle is closed, not used again.
async fn look(
    service: &Service,
    connection: Option<PgConnection>,
) -> Result<PgConnection, sqlx::Error> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => service.database().connect_alone().await?,
    };
    let answers = service.answers();
    let seen = answers.positions.borrow().clone();
    if let Some((positions, moves)) = read(&mut connection, seen.as_deref()).await? {
        answers.advance(positions, &moves);
    }
    Ok(connection)
}

/// `None` where no generation is active.
async fn read(
    connection: &mut PgConnection,
    seen: Option<&Positions>,
) -> Result<Option<(Positions, Moves)>, sqlx::Error> {
    let asked_at = Instant::now();
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
    let partitions: Vec<Progress> = sqlx::query_as(include_str!("../sql/progress.sql"))
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
        asked_at,
    };
    let moves = match positions.moved_since(seen) {
        None => Moves::Everything,
        Some(moved) if moved.is_empty() => Moves::These(Vec::new()),
        Some(moved) => invalidation(&mut snapshot, moved).await?,
    };
    snapshot.commit().await?;
    Ok(Some((positions, moves)))
}

async fn invalidation(
    connection: &mut PgConnection,
    moved: Vec<(i32, i64)>,
) -> Result<Moves, sqlx::Error> {
    let (partitions, commits): (Vec<i32>, Vec<i64>) = moved.into_iter().unzip();
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(include_str!("../sql/invalidation.sql"))
        .bind(partitions)
        .bind(commits)
        .fetch_all(connection)
        .await?;
    let read: Result<Vec<Invalidation>, _> =
        rows.iter().map(|row| Invalidation::decode(row)).collect();
    Ok(read.map_or(Moves::Everything, Moves::These))
}

//! The heartbeats of a process, in one statement.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::connections::{Connections, answered};
use super::error::StoreError;

/// A sign of life of a partition's owner, with the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The partition of the topic.
    pub partition: i32,
    /// The epoch of the claim.
    pub epoch: i64,
    /// The last stable offset; `None` until the broker has answered.
    pub log_end: Option<i64>,
    /// The time since the broker was asked for it.
    pub age: Duration,
}

/// A lost heartbeat is followed by another: it need not wait for the disk.
const BEGIN: &str = "begin; set local synchronous_commit = off";

/// The process that owns a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The name of the process in its claims.
    pub name: String,
    /// The consumer group that assigns its partitions.
    pub group: String,
}

pub(super) async fn write(
    connections: &Connections,
    topic: &str,
    owner: &Owner,
    heartbeats: &[Heartbeat],
) -> Result<(), StoreError> {
    let mut pooled = connections.acquire().await?;
    let written = transaction(pooled.connection(), topic, owner, heartbeats);
    let result = answered(written).await;
    pooled.settle(result)
}

pub(super) async fn last_owner(
    connections: &Connections,
    topic: &str,
    partition: i32,
) -> Result<Option<Owner>, StoreError> {
    let mut pooled = connections.acquire().await?;
    let query = sqlx::query_as(include_str!("last_owner.sql"))
        .bind(topic)
        .bind(partition)
        .fetch_optional(pooled.connection());
    let found: Result<Option<(String, String)>, StoreError> = answered(query).await;
    let found = pooled.settle(found)?;
    Ok(found.map(|(name, group)| Owner { name, group }))
}

async fn transaction(
    connection: &mut PgConnection,
    topic: &str,
    owner: &Owner,
    heartbeats: &[Heartbeat],
) -> Result<(), sqlx::Error> {
    let column = heartbeats.iter();
    let mut transaction = connection.begin_with(BEGIN).await?;
    sqlx::query(include_str!("heartbeat.sql"))
        .bind(topic)
        .bind(
            column
                .clone()
                .map(|beat| beat.partition)
                .collect::<Vec<_>>(),
        )
        .bind(column.clone().map(|beat| beat.epoch).collect::<Vec<_>>())
        .bind(column.clone().map(|beat| beat.log_end).collect::<Vec<_>>())
        .bind(
            column
                .map(|beat| beat.age.as_secs_f64())
                .collect::<Vec<_>>(),
        )
        .bind(&owner.name)
        .bind(&owner.group)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

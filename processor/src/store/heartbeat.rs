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

pub(super) async fn write(
    connections: &Connections,
    topic: &str,
    heartbeats: &[Heartbeat],
) -> Result<(), StoreError> {
    let mut pooled = connections.acquire().await?;
    let result = answered(transaction(pooled.connection(), topic, heartbeats)).await;
    pooled.settle(result)
}

async fn transaction(
    connection: &mut PgConnection,
    topic: &str,
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
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

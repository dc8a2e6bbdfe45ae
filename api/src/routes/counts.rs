//! A tenant's sizes and totals, which more than one route tells.

use std::collections::BTreeMap;

use crate::database::Snapshot;
use crate::problem::Problem;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

/// The tenant's counters of one kind, by name.
pub(super) async fn of_kind(
    snapshot: &mut Snapshot<'_>,
    kind: &str,
) -> Result<BTreeMap<String, i64>, Problem> {
    let rows = sqlx::query_as::<_, (String, i64)>(include_str!("../sql/counters.sql"))
        .bind(snapshot.tenant())
        .bind(kind)
        .fetch_all(snapshot.connection())
        .await?;
    Ok(rows.into_iter().collect())
}

/// Those of some names, of some kinds that share no name. Absent where nothing was counted.
pub(super) async fn named(
    snapshot: &mut Snapshot<'_>,
    kinds: &[&str],
    names: &[String],
) -> Result<BTreeMap<String, i64>, Problem> {
    let rows = sqlx::query_as::<_, (String, i64)>(include_str!("../sql/counters_named.sql"))
        .bind(snapshot.tenant())
        .bind(kinds)
        .bind(names)
        .fetch_all(snapshot.connection())
        .await?;
    Ok(rows.into_iter().collect())
}

/// What is folded of a tenant.
#[derive(Debug, FromRow)]
pub(super) struct Totals {
    pub(super) customers: i64,
    /// Duplicates not counted.
    pub(super) events: i64,
}

/// The tenant's totals.
pub(super) async fn totals(snapshot: &mut Snapshot<'_>) -> Result<Totals, Problem> {
    let totals = sqlx::query_as(include_str!("../sql/totals.sql"))
        .bind(snapshot.tenant())
        .fetch_one(snapshot.connection())
        .await?;
    Ok(totals)
}

/// A re-evaluation under way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Evaluation {
    /// Of the tenant's definitions its customers are being evaluated with.
    version: i64,
    /// Customers done.
    evaluated: i64,
    /// Customers there are.
    customers: i64,
    /// Partitions not done.
    unfinished_partitions: i64,
}

#[derive(Debug, FromRow)]
struct Row {
    unfinished: i64,
    evaluated: i64,
}

/// The re-evaluation under this version; `None` when it is done everywhere.
pub(super) async fn evaluation(
    snapshot: &mut Snapshot<'_>,
    version: i64,
) -> Result<Option<Evaluation>, Problem> {
    let topic = snapshot.generation().topic.clone();
    let row = sqlx::query_as::<_, Row>(include_str!("../sql/evaluation.sql"))
        .bind(snapshot.tenant())
        .bind(version)
        .bind(topic)
        .fetch_one(snapshot.connection())
        .await?;
    if row.unfinished == 0 {
        return Ok(None);
    }
    let customers = totals(snapshot).await?.customers;
    Ok(Some(Evaluation {
        version,
        evaluated: row.evaluated,
        customers,
        unfinished_partitions: row.unfinished,
    }))
}

//! Counters and totals of a tenant that several routes return.

use std::collections::BTreeMap;

use crate::database::Snapshot;
use crate::http::Problem;
use serde::Serialize;
use sqlx::FromRow;
use tidemark_projections::counter::CounterKind;
use utoipa::ToSchema;

/// Reads the tenant's counters of one kind, by name.
pub(super) async fn by_kind(
    snapshot: &mut Snapshot<'_>,
    kind: CounterKind,
) -> Result<BTreeMap<String, i64>, Problem> {
    let rows = sqlx::query_as::<_, (String, i64)>(include_str!("../sql/counters.sql"))
        .bind(snapshot.tenant())
        .bind(kind.name())
        .fetch_all(snapshot.connection())
        .await?;
    Ok(rows.into_iter().collect())
}

/// Reads counters by name, of several kinds that share no name. Names without a counter are absent.
pub(super) async fn by_name(
    snapshot: &mut Snapshot<'_>,
    kinds: &[CounterKind],
    names: &[String],
) -> Result<BTreeMap<String, i64>, Problem> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let rows = sqlx::query_as::<_, (String, i64)>(include_str!("../sql/counters_named.sql"))
        .bind(snapshot.tenant())
        .bind(kinds)
        .bind(names)
        .fetch_all(snapshot.connection())
        .await?;
    Ok(rows.into_iter().collect())
}

/// The totals of a tenant.
#[derive(Debug, FromRow)]
pub(super) struct Totals {
    pub(super) customers: i64,
    /// The number of folded events, without duplicates.
    pub(super) events: i64,
}

/// Reads the tenant's totals.
pub(super) async fn totals(snapshot: &mut Snapshot<'_>) -> Result<Totals, Problem> {
    let totals = sqlx::query_as(include_str!("../sql/totals.sql"))
        .bind(snapshot.tenant())
        .fetch_one(snapshot.connection())
        .await?;
    Ok(totals)
}

/// A re-evaluation of customers under newer definitions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Evaluation {
    /// The version of the tenant's definitions being applied.
    version: i64,
    /// The number of customers already re-evaluated.
    evaluated: i64,
    /// The number of customers in total.
    customers: i64,
    /// The number of partitions with customers left to re-evaluate.
    unfinished_partitions: i64,
}

#[derive(Debug, FromRow)]
struct Row {
    unfinished: i64,
    evaluated: i64,
}

/// Returns the re-evaluation under this version; `None` if it is complete in every partition.
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

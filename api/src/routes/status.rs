//! `GET /v1/status`: the progress of the projections and the tenant's totals.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use sqlx::FromRow;
use tidemark_projections::counter::CounterKind;
use tidemark_schemas::{Instant, TenantId};
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::database::{Snapshot, clock};
use crate::http::{NoParams, Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// Progress of the projections and totals of the tenant
#[utoipa::path(
    get,
    path = "/v1/status",
    operation_id = "get_status",
    tag = "status",
    responses((status = 200, description = "The positions and the totals.", body = Status)),
)]
pub(crate) async fn status(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &StatusQuery).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    /// The tenant named by the token.
    tenant: TenantId,
    /// The name of the tenant; null if its definitions have none.
    #[schema(required)]
    name: Option<String>,
    /// The id of the active generation of projections.
    generation: i32,
    /// The version of the tenant's definitions in force; null until the tenant is defined.
    #[schema(required)]
    definitions: Option<i64>,
    /// The time up to which every record of the log is folded and everything that time changes has
    /// changed: the least `timers_fired_to`; null until every partition has folded a record.
    #[schema(required)]
    watermark: Option<Instant>,
    /// The number of records not folded yet, over all partitions, as of `lag_as_of`.
    lag: i64,
    /// The instant at which the processor last saw the end of the log, in the partition where that is
    /// longest ago. If it is long ago, no processor runs, and the lag is greater than stated; null
    /// until the end of every partition was seen.
    #[schema(required)]
    lag_as_of: Option<Instant>,
    /// The Kafka topic of the events.
    topic: String,
    /// The number of partitions of the topic. Partitions that have not started are absent from
    /// `partitions`.
    partition_count: i32,
    /// The partitions, by number.
    partitions: Vec<PartitionStatus>,
    /// The tenant's totals.
    totals: Totals,
    /// The re-evaluation in progress under newer definitions; null if there is none.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PartitionStatus {
    /// The number of the partition, from 0.
    partition: i32,
    /// The first offset not folded yet.
    next_offset: i64,
    /// The end of the log, without open transactions, as last observed; null before that.
    #[schema(required)]
    log_end: Option<i64>,
    /// The instant at which the end of the log was observed; null before that.
    #[schema(required)]
    log_end_as_of: Option<Instant>,
    /// The instant of the last sign of life of the partition's processor. If it is more than ten
    /// seconds ago, no processor folds the partition.
    #[schema(required)]
    seen_at: Option<Instant>,
    /// The number of records between `next_offset` and `log_end`.
    lag: i64,
    /// The append time up to which every record of the partition is folded; null before its first
    /// record.
    #[schema(required)]
    clock: Option<Instant>,
    /// The instant up to which everything that time changes has changed in lists, sizes and rollups. It is
    /// behind `clock` while many customers are due at once; null before the first record.
    #[schema(required)]
    timers_fired_to: Option<Instant>,
    /// The version of the definitions in force in the partition, over all tenants; null before the
    /// first.
    #[schema(required)]
    definitions: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Totals {
    /// The number of customers with an event.
    customers: i64,
    /// The number of folded events, without duplicates.
    events: i64,
    /// The number of events that could not be folded, by reason.
    parked: BTreeMap<String, i64>,
}

/// Reads the status.
#[derive(Debug)]
struct StatusQuery;

#[derive(Debug, FromRow)]
struct PartitionRow {
    partition: i32,
    next_offset: i64,
    log_end: Option<i64>,
    log_end_at: Option<i64>,
    seen_at: Option<i64>,
    clock: i64,
    fired_to: i64,
    definitions: i64,
}

impl Query for StatusQuery {
    type Answer = Status;

    /// Reports the progress at the moment of the request: not cached.
    fn dependency(&self) -> Option<Dependency> {
        None
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Status, Problem> {
        let freshness = snapshot.freshness();
        let topic = snapshot.generation().topic.clone();
        let partitions = sqlx::query_as::<_, PartitionRow>(include_str!("../sql/partitions.sql"))
            .bind(&topic)
            .fetch_all(snapshot.connection())
            .await?;
        let totals = counts::totals(snapshot).await?;
        let mut parked = counts::by_kind(snapshot, CounterKind::Parked).await?;
        parked.retain(|_, count| *count != 0); // a redrive leaves zeros behind
        let evaluation = match freshness.definitions {
            Some(version) => counts::evaluation(snapshot, version).await?,
            None => None,
        };
        let definitions = snapshot.definitions().await?;
        Ok(Status {
            tenant: snapshot.caller().tenant.clone(),
            name: definitions.and_then(|found| found.source.tenant.name.clone()),
            generation: freshness.generation,
            definitions: freshness.definitions,
            watermark: freshness.watermark,
            lag: freshness.lag,
            lag_as_of: freshness.lag_as_of,
            topic,
            partition_count: snapshot.generation().partitions,
            partitions: partitions.iter().map(PartitionStatus::from_row).collect(),
            totals: Totals {
                customers: totals.customers,
                events: totals.events,
                parked,
            },
            evaluation,
        })
    }
}

impl PartitionStatus {
    fn from_row(row: &PartitionRow) -> Self {
        Self {
            partition: row.partition,
            next_offset: row.next_offset,
            log_end: row.log_end,
            log_end_as_of: row.log_end_at.and_then(Instant::from_micros),
            seen_at: row.seen_at.and_then(Instant::from_micros),
            lag: row.log_end.map_or(0, |end| (end - row.next_offset).max(0)),
            clock: clock(row.clock),
            timers_fired_to: clock(row.fired_to),
            definitions: (row.definitions >= 0).then_some(row.definitions),
        }
    }
}

//! `GET /v1/status`: how far the projections are, and what they hold of the tenant.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use sqlx::FromRow;
use tidemark_schemas::{Instant, TenantId};
use utoipa::ToSchema;

use super::counts::{self, Evaluation};
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot, clock};
use crate::extract::{NothingAsked, Parameters};
use crate::problem::Problem;

/// Everything there is to say.
#[derive(Debug)]
struct WholeStatus;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    /// The token's.
    tenant: TenantId,
    /// Which generation of projections answers.
    generation: i32,
    /// Version of the tenant's definitions in force; null before its first.
    #[schema(required)]
    definitions: Option<i64>,
    /// Everything appended before it is folded; null until every partition has begun.
    #[schema(required)]
    watermark: Option<Instant>,
    /// Records not folded yet, of all partitions.
    lag: i64,
    /// The Kafka topic whose events are folded.
    topic: String,
    /// How many the topic has; those not yet begun are absent below.
    partition_count: i32,
    /// By number.
    partitions: Vec<PartitionStatus>,
    /// Of the tenant.
    totals: Totals,
    /// Null unless the tenant's customers are being evaluated under newer definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PartitionStatus {
    /// Its number, from 0.
    partition: i32,
    /// First offset not folded.
    next_offset: i64,
    /// End of the log when last seen.
    log_end: i64,
    /// Records between the two.
    lag: i64,
    /// Everything appended to it before is folded; null before its first record.
    #[schema(required)]
    clock: Option<Instant>,
    /// Version of all tenants' definitions in force in it; null before the first.
    #[schema(required)]
    definitions: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Totals {
    /// Customers with an event.
    customers: i64,
    /// Events folded, duplicates not counted.
    events: i64,
    /// Events that could not be folded, by reason.
    parked: BTreeMap<String, i64>,
}

#[derive(Debug, FromRow)]
struct PartitionRow {
    partition: i32,
    next_offset: i64,
    log_end: i64,
    clock: i64,
    definitions: i64,
}

/// How far the projections are, and what they hold of the tenant
#[utoipa::path(
    get,
    path = "/v1/status",
    operation_id = "get_status",
    tag = "status",
    responses((status = 200, description = "Positions and totals.", body = Status)),
)]
pub(crate) async fn status(
    State(service): State<Service>,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &WholeStatus).await
}

impl Query for WholeStatus {
    type Answer = Status;

    /// It says where everything is at this moment.
    fn depends(&self) -> Option<Depends> {
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
        let mut parked = counts::of_kind(snapshot, "parked").await?;
        parked.retain(|_, count| *count != 0); // redriven ones leave a zero behind
        let evaluation = match freshness.definitions {
            Some(version) => counts::evaluation(snapshot, version).await?,
            None => None,
        };
        Ok(Status {
            tenant: snapshot.caller().tenant.clone(),
            generation: freshness.generation,
            definitions: freshness.definitions,
            watermark: freshness.watermark,
            lag: freshness.lag,
            topic,
            partition_count: snapshot.generation().partitions,
            partitions: partitions.iter().map(PartitionStatus::of).collect(),
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
    fn of(row: &PartitionRow) -> Self {
        Self {
            partition: row.partition,
            next_offset: row.next_offset,
            log_end: row.log_end,
            lag: row.log_end.saturating_sub(row.next_offset).max(0),
            clock: clock(row.clock),
            definitions: (row.definitions >= 0).then_some(row.definitions),
        }
    }
}

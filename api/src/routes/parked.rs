//! `GET /v1/parked/summary`: what became of a producer's events that could not be folded.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::database::Snapshot;
use crate::http::{Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// The largest number of items in an answer.
const MOST_ITEMS: i64 = 1_000;

/// Parked events by source, reason and day
///
/// The events of the tenant that could not be folded and are kept until they can be, with the first
/// three of each item. Records whose value cannot be read belong to the tenant that their key names,
/// if it is defined. At most 1,000 items, the newest days first. Not cached.
#[utoipa::path(
    get,
    path = "/v1/parked/summary",
    operation_id = "get_parked_summary",
    tag = "status",
    params(ParkedParams),
    responses((status = 200, description = "The counts, with examples.", body = ParkedSummary)),
)]
pub(crate) async fn summary(
    State(reader): State<Reader>,
    QueryParams(params): QueryParams<ParkedParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &SummaryQuery(params)).await
}

/// The source.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParkedParams {
    /// The `source` of the events; without it, events of every source.
    source: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParkedSummary {
    /// The counts, by descending day.
    items: Vec<ParkedCount>,
}

/// The parked events of one source, reason and day.
#[derive(Debug, Serialize, ToSchema)]
struct ParkedCount {
    /// The day of the append time, in UTC.
    day: String,
    /// The `source` of the events; null where it could not be read.
    #[schema(required)]
    source: Option<String>,
    /// The reason why the events are parked.
    reason: String,
    /// The number of events.
    events: i64,
    /// The first events.
    examples: Vec<ParkedExample>,
}

/// The position of a parked event, and why it is parked.
#[derive(Debug, Serialize, ToSchema)]
struct ParkedExample {
    /// The partition of the record.
    partition: i32,
    /// The offset of the record.
    offset: i64,
    /// The invalid field, if the event is invalid.
    #[schema(required)]
    field: Option<String>,
    /// The explanation, which may quote the event; null for viewers.
    #[schema(required)]
    detail: Option<String>,
}

#[derive(Debug)]
struct SummaryQuery(ParkedParams);

#[derive(Debug, FromRow)]
struct Row {
    source: Option<String>,
    reason: String,
    day: String,
    events: i64,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    fields: Vec<Option<String>>,
    details: Vec<String>,
}

impl Query for SummaryQuery {
    type Answer = ParkedSummary;

    /// Reports the events parked at the moment of the request: not cached.
    fn dependency(&self) -> Option<Dependency> {
        None
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<ParkedSummary, Problem> {
        let topic = snapshot.generation().topic.clone();
        let rows = sqlx::query_as::<_, Row>(include_str!("../sql/parked_summary.sql"))
            .bind(snapshot.tenant())
            .bind(topic)
            .bind(self.0.source.as_deref())
            .bind(MOST_ITEMS)
            .fetch_all(snapshot.connection())
            .await?;
        let shows_detail = snapshot.caller().role.sees_personal_attributes();
        let items = rows.into_iter().map(|row| row.into_count(shows_detail));
        Ok(ParkedSummary {
            items: items.collect(),
        })
    }
}

impl Row {
    fn into_count(self, shows_detail: bool) -> ParkedCount {
        let positions = self.partitions.into_iter().zip(self.offsets);
        let reasons = self.fields.into_iter().zip(self.details);
        let example = |((partition, offset), (field, detail))| ParkedExample {
            partition,
            offset,
            field,
            detail: shows_detail.then_some(detail),
        };
        ParkedCount {
            day: self.day,
            source: self.source,
            reason: self.reason,
            events: self.events,
            examples: positions.zip(reasons).map(example).collect(),
        }
    }
}

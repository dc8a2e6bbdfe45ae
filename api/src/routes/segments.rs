//! `GET /v1/segments` and `GET /v1/segments/{name}/members`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::invalidation::Kind;
use tidemark_schemas::{CustomerId, Instant};
use utoipa::ToSchema;

use super::backfilling::{Backfilling, CountsFrom};
use super::counts::{self, Evaluation};
use super::page::Page;
use crate::cursor::Question;
use crate::database::{Snapshot, instant};
use crate::http::{NoParams, Path, Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// All segments of the tenant.
#[derive(Debug)]
struct AllSegments;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Segments {
    /// The segments, by name.
    items: Vec<Segment>,
    /// The re-evaluation in progress under newer definitions; null if there is none. Until it
    /// completes, sizes combine the old and the new definitions.
    #[schema(required)]
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Segment {
    /// The name of the segment.
    name: Arc<str>,
    /// The author's description of the segment.
    description: String,
    /// The number of customers in the segment.
    size: i64,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The state of the backfill; null if the segment is exact. A segment is not exact if it counts
    /// activities by their properties, which are not stored, and its window began before the
    /// counting did.
    #[schema(required)]
    backfilling: Option<Backfilling>,
}

/// Lists segments with their sizes
#[utoipa::path(
    get,
    path = "/v1/segments",
    operation_id = "list_segments",
    tag = "segments",
    responses((status = 200, description = "The segments.", body = Segments)),
)]
pub(crate) async fn list(
    State(reader): State<Reader>,
    QueryParams(NoParams {}): QueryParams<NoParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &AllSegments).await
}

impl Query for AllSegments {
    type Answer = Segments;

    fn dependency(&self) -> Option<Dependency> {
        const MOVED_BY: [Kind; 3] = [Kind::Memberships, Kind::Population, Kind::Evaluation];
        Some(Dependency::Kinds(&MOVED_BY))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Segments, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Segments {
                items: Vec::new(),
                evaluation: None,
            });
        };
        let sizes = counts::of_kind(snapshot, "segment").await?;
        let evaluation = counts::evaluation(snapshot, definitions.version).await?;
        let counts_from = CountsFrom::read(snapshot, &definitions).await?;
        let at = snapshot.freshness().watermark.unwrap_or(Instant::MIN);
        let by_name: BTreeMap<_, _> = definitions
            .segments
            .iter()
            .map(|segment| (&segment.name, segment))
            .collect();
        let segments = by_name.into_values().map(|segment| Segment {
            name: Arc::clone(&segment.name),
            description: segment.description.clone(),
            size: sizes.get(&*segment.name).copied().unwrap_or(0),
            version: definitions.version,
            backfilling: counts_from.backfilling(&definitions, segment, at),
        });
        Ok(Segments {
            items: segments.collect(),
            evaluation,
        })
    }
}

/// The page of members.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembersParams {
    /// The number of customers per page, from 1 to 500. 50 by default.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next` of the previous page. A cursor is valid for the segment it was returned for.
    cursor: Option<String>,
}

/// One page of a segment's members.
#[derive(Debug)]
struct MembersPage {
    segment: String,
    page: Page,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Members {
    /// The name of the segment.
    segment: String,
    /// The members, by customer id.
    items: Vec<Member>,
    /// The `cursor` of the next page; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Member {
    #[schema(value_type = CustomerId)]
    customer_id: String,
    /// The time at which the customer entered the segment.
    since: Instant,
    /// The version of the tenant's definitions the membership was evaluated with.
    version: i64,
}

#[derive(Debug, FromRow)]
struct Row {
    customer_id: String,
    since: i64,
    version: i64,
}

/// Lists the members of a segment by customer id
#[utoipa::path(
    get,
    path = "/v1/segments/{name}/members",
    operation_id = "list_members",
    tag = "segments",
    params(("name" = str, Path, description = "The name of the segment."), MembersParams),
    responses(
        (status = 200, description = "A page of members.", body = Members),
        NotFound,
    ),
)]
pub(crate) async fn members(
    State(reader): State<Reader>,
    Path(segment): Path,
    QueryParams(asked): QueryParams<MembersParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let question = Question::new(&[
        Some("members"),
        Some(context.caller.tenant.as_str()),
        Some(&segment),
    ]);
    let page = Page::new(question, asked.limit, asked.cursor.as_deref())?;
    reader
        .respond(&context, &MembersPage { segment, page })
        .await
}

impl Query for MembersPage {
    type Answer = Members;

    fn dependency(&self) -> Option<Dependency> {
        // An evaluation that moves nobody moves the version.
        Some(Dependency::Kinds(&[Kind::Memberships, Kind::Evaluation]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Members, Problem> {
        let definitions = snapshot.definitions().await?;
        let known = definitions
            .as_ref()
            .and_then(|known| known.segment(&self.segment));
        if known.is_none() {
            return Err(Problem::NotFound {
                kind: "segment",
                name: self.segment.clone(),
            });
        }
        let rows = sqlx::query_as::<_, Row>(include_str!("../sql/members.sql"))
            .bind(snapshot.tenant())
            .bind(self.page.after())
            .bind(self.page.rows())
            .bind(&self.segment)
            .fetch_all(snapshot.connection())
            .await?;
        let (rows, next) = self.page.cut(rows, |row| &row.customer_id);
        let items = rows.into_iter().map(Member::of).collect::<Result<_, _>>()?;
        Ok(Members {
            segment: self.segment.clone(),
            items,
            next,
        })
    }
}

impl Member {
    fn of(row: Row) -> Result<Self, Problem> {
        let since = instant(row.since)?;
        Ok(Self {
            customer_id: row.customer_id,
            since,
            version: row.version,
        })
    }
}

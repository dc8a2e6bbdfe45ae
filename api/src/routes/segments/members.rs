//! `GET /v1/segments/{name}/members`.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_schemas::{CustomerId, Instant};
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::cursor::Question;
use crate::database::{Snapshot, instant};
use crate::http::{Problem, QueryParams, RequestId};
use crate::openapi::NotFound;
use crate::query::{Query, ReadMode, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::page::Page;
use crate::routes::path::{SegmentName, SegmentPath};
use crate::routes::personal::{self, PersonalOutputs};

/// Members of a segment, by customer id
///
/// A segment that is derived from personal attributes is answered 403 to viewers; a read by another role
/// is recorded in the audit log.
#[utoipa::path(
    get,
    path = "/v1/segments/{name}/members",
    operation_id = "list_members",
    tag = "segments",
    params(SegmentPath, MembersParams),
    responses(
        (status = 200, description = "A page of members.", body = Members),
        NotFound,
    ),
)]
pub(crate) async fn members(
    State(reader): State<Reader>,
    SegmentPath { name: segment }: SegmentPath,
    QueryParams(params): QueryParams<MembersParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let question = Question::new(&[
        Some("members"),
        Some(context.caller.tenant.as_str()),
        Some(segment.as_str()),
    ]);
    let page = Page::new(question, params.limit, params.cursor.as_deref())?;
    let request_id = context.request_id.clone();
    let query = MembersQuery {
        segment,
        page,
        request_id,
    };
    reader.respond(&context, &query).await
}

/// The page of members.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembersParams {
    /// The number of customers per page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next` of the previous page. A cursor is valid for the segment it was returned for.
    cursor: Option<String>,
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
    /// Whether the segment is derived from personal attributes, so that the read is recorded.
    #[serde(skip)]
    is_audited: bool,
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

/// Reads one page of a segment's members.
#[derive(Debug)]
struct MembersQuery {
    segment: SegmentName,
    page: Page,
    request_id: RequestId,
}

impl Query for MembersQuery {
    type Answer = Members;

    fn dependency(&self) -> Option<Dependency> {
        // A re-evaluation that changes no membership still changes `version`.
        Some(Dependency::Kinds(&[
            AggregateKind::Memberships,
            AggregateKind::Evaluation,
        ]))
    }

    fn is_audited(members: &Members) -> bool {
        members.is_audited
    }

    fn access(&self, caller: &Caller) -> ReadMode {
        personal::access(caller)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Members, Problem> {
        let definitions = snapshot.definitions().await?;
        let (definitions, segment) = self.segment.find(definitions.as_deref())?;
        let personal = PersonalOutputs::new(Some(definitions), snapshot.caller());
        personal.require_segment(&segment.name)?;
        let is_audited = personal.has_segment(&segment.name);
        if is_audited {
            personal::record("segment", &segment.name, &self.request_id, snapshot).await?;
        }
        let rows = sqlx::query_as::<_, Row>(include_str!("../../sql/members.sql"))
            .bind(snapshot.tenant())
            .bind(self.page.after())
            .bind(self.page.rows())
            .bind(self.segment.as_str())
            .fetch_all(snapshot.connection())
            .await?;
        let (rows, next) = self.page.cut(rows, |row| &row.customer_id);
        let items = rows
            .into_iter()
            .map(Member::from_row)
            .collect::<Result<_, _>>()?;
        Ok(Members {
            segment: self.segment.as_str().to_owned(),
            items,
            next,
            is_audited,
        })
    }
}

#[derive(Debug, FromRow)]
struct Row {
    customer_id: String,
    since: i64,
    version: i64,
}

impl Member {
    fn from_row(row: Row) -> Result<Self, Problem> {
        let since = instant(row.since)?;
        Ok(Self {
            customer_id: row.customer_id,
            since,
            version: row.version,
        })
    }
}

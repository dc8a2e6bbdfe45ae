//! `GET /v1/segments` and `GET /v1/segments/{name}/members`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::touched::Kind;
use tidemark_schemas::Instant;

use super::counts::{self, Evaluation};
use super::page::{Next, Page};
use super::warming::{CountsFrom, Warming};
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::cursor::Question;
use crate::database::{Query, Snapshot, instant};
use crate::extract::{Named, NothingAsked, Parameters};
use crate::problem::Problem;

/// Every segment of the tenant.
#[derive(Debug)]
struct AllSegments;

#[derive(Debug, Serialize)]
pub(crate) struct Segments {
    items: Vec<Segment>,
    /// Null unless the tenant's customers are being evaluated under newer definitions: sizes are
    /// then between those of the old and of the new.
    evaluation: Option<Evaluation>,
}

#[derive(Debug, Serialize)]
struct Segment {
    name: Arc<str>,
    description: String,
    /// How many customers are in it.
    size: i64,
    /// Of the tenant's definitions that define it.
    version: i64,
    /// Null unless it counts activities by their properties, which are not kept, and what it asks
    /// about began before it did.
    warming: Option<Warming>,
}

pub(crate) async fn list(
    State(service): State<Service>,
    Parameters(NothingAsked {}): Parameters<NothingAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &AllSegments).await
}

impl Query for AllSegments {
    type Answer = Segments;

    fn depends(&self) -> Option<Depends> {
        const MOVED_BY: [Kind; 3] = [Kind::Memberships, Kind::Population, Kind::Evaluation];
        Some(Depends::Kinds(&MOVED_BY))
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
            warming: counts_from.warming(&definitions, segment, at),
        });
        Ok(Segments {
            items: segments.collect(),
            evaluation,
        })
    }
}

/// Which page of members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembersAsked {
    /// Rows on a page: 50 unless said otherwise, 500 at most.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// One page of a segment's members.
#[derive(Debug)]
struct MembersPage {
    segment: String,
    page: Page,
}

#[derive(Debug, Serialize)]
pub(crate) struct Members {
    segment: String,
    items: Vec<Member>,
    #[serde(flatten)]
    next: Next,
}

#[derive(Debug, Serialize)]
struct Member {
    customer_id: String,
    /// When the customer entered it.
    since: Instant,
    /// Of the definitions the membership was last computed with.
    version: i64,
}

#[derive(Debug, FromRow)]
struct Row {
    customer_id: String,
    since: i64,
    version: i64,
}

pub(crate) async fn members(
    State(service): State<Service>,
    Named(segment): Named,
    Parameters(asked): Parameters<MembersAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let question = Question::new(&[
        Some("members"),
        Some(asking.caller.tenant.as_str()),
        Some(&segment),
    ]);
    let page = Page::new(question, asked.limit, asked.cursor.as_deref())?;
    service
        .answer(&asking, &MembersPage { segment, page })
        .await
}

impl Query for MembersPage {
    type Answer = Members;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&[Kind::Memberships]))
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

//! `GET /v1/journeys/{name}/stages`, `…/flows` and `…/bottlenecks`: the rollups of one journey over
//! all customers.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::definitions::{Journey, TenantDefinitions};
use tidemark_projections::invalidation::Kind;
use tidemark_projections::journeys::{Bottleneck, Funnel, FunnelStage, Link, Sums};
use tidemark_projections::rollups::kinds;
use utoipa::ToSchema;

use crate::database::Snapshot;
use crate::http::{Path, Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;
use crate::routes::counts;
use crate::routes::rollups::{Day, Days};

const KINDS: [&str; 5] = [
    kinds::JOURNEY_FLOW,
    kinds::JOURNEY_STAY,
    kinds::JOURNEY_ENTERED,
    kinds::JOURNEY_ADVANCED,
    kinds::JOURNEY_COMPLETED,
];
const DEPENDS: Dependency = Dependency::Kinds(&[Kind::Positions, Kind::Rollups]);

/// The days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct JourneyParams {
    /// The first day (ISO 8601), in the tenant's time zone. Unbounded by default.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day (ISO 8601). Unbounded by default. With `from`, at most 1,100 days.
    #[param(format = Date)]
    to: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JourneyStages)]
pub(crate) struct StageList {
    /// The name of the journey.
    journey: String,
    /// The author's description of the journey.
    description: String,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The first day of first entries into a stage; null if unbounded.
    #[schema(required)]
    from: Option<Day>,
    /// The last day of first entries into a stage; null if unbounded.
    #[schema(required)]
    to: Option<Day>,
    /// The stages, from first to last.
    stages: Vec<FunnelStage>,
}

/// Lists the stages of a journey with conversion and dwell time
///
/// `from` and `to` select customers by the day on which they first entered each stage, and limit
/// `entered`, `advanced` and `completed`. The number of customers in each stage and the dwell times
/// cover all customers.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/stages",
    operation_id = "list_stages",
    tag = "journeys",
    params(("name" = str, Path, description = "The name of the journey."), JourneyParams),
    responses(
        (status = 200, description = "The stages of the journey.", body = StageList),
        NotFound,
    ),
)]
pub(crate) async fn stages(
    State(reader): State<Reader>,
    Path(journey): Path,
    QueryParams(asked): QueryParams<JourneyParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let asked = StagesOf(Asked::new(journey, &asked)?);
    reader.respond(&context, &asked).await
}

#[derive(Debug)]
struct StagesOf(Asked);

impl Query for StagesOf {
    type Answer = StageList;

    fn dependency(&self) -> Option<Dependency> {
        Some(DEPENDS)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<StageList, Problem> {
        let Asked { journey, days } = &self.0;
        let found = self.0.read(snapshot).await?;
        Ok(StageList {
            journey: journey.clone(),
            description: found.journey.description,
            version: found.definitions.version,
            from: days.from(),
            to: days.to(),
            stages: found.funnel.stages,
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JourneyFlows)]
pub(crate) struct Flows {
    /// The name of the journey.
    journey: String,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The first day of the moves; null if unbounded.
    #[schema(required)]
    from: Option<Day>,
    /// The last day of the moves; null if unbounded.
    #[schema(required)]
    to: Option<Day>,
    /// The stages, from first to last.
    nodes: Vec<Node>,
    /// The moves between stages: first those into the journey, then by the stages left and entered.
    /// Links may lead back to an earlier stage.
    links: Vec<Link>,
}

/// A stage with the moves into it and out of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlowNode)]
struct Node {
    /// The name of the stage.
    stage: Arc<str>,
    /// The number of customers in the stage now.
    customers: i64,
    /// The number of moves into the stage.
    inflow: i64,
    /// The number of moves out of the stage.
    outflow: i64,
}

/// Lists the moves between the stages of a journey, for a Sankey diagram
///
/// Counts all moves, or those on the days from `from` to `to`.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/flows",
    operation_id = "list_flows",
    tag = "journeys",
    params(("name" = str, Path, description = "The name of the journey."), JourneyParams),
    responses(
        (status = 200, description = "The stages and the moves between them.", body = Flows),
        NotFound,
    ),
)]
pub(crate) async fn flows(
    State(reader): State<Reader>,
    Path(journey): Path,
    QueryParams(asked): QueryParams<JourneyParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let asked = FlowsOf(Asked::new(journey, &asked)?);
    reader.respond(&context, &asked).await
}

#[derive(Debug)]
struct FlowsOf(Asked);

impl Query for FlowsOf {
    type Answer = Flows;

    fn dependency(&self) -> Option<Dependency> {
        Some(DEPENDS)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Flows, Problem> {
        let Asked { journey, days } = &self.0;
        let found = self.0.read(snapshot).await?;
        let Funnel { stages, links } = found.funnel;
        let moves = |counts: &dyn Fn(&Link) -> bool| {
            let counted = links.iter().filter(|link| counts(link));
            counted.map(|link| link.moves).sum()
        };
        let nodes = stages.into_iter().map(|of| Node {
            inflow: moves(&|link| link.to == of.stage),
            outflow: moves(&|link| link.from.as_ref() == Some(&of.stage)),
            customers: of.customers,
            stage: of.stage,
        });
        Ok(Flows {
            journey: journey.clone(),
            version: found.definitions.version,
            from: days.from(),
            to: days.to(),
            nodes: nodes.collect(),
            links,
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JourneyBottlenecks)]
pub(crate) struct Bottlenecks {
    /// The name of the journey.
    journey: String,
    /// The version of the tenant's definitions in force.
    version: i64,
    /// The first day of first entries into a stage; null if unbounded.
    #[schema(required)]
    from: Option<Day>,
    /// The last day of first entries into a stage; null if unbounded.
    #[schema(required)]
    to: Option<Day>,
    /// The bottlenecks, by descending loss. The last stage and stages without an entry are omitted.
    items: Vec<Bottleneck>,
}

/// Lists the bottlenecks of a journey
///
/// Ranks the stages by lost completions: the number of customers who did not advance, times the
/// completion rate of those who did. Customers who entered a stage recently have had little time to
/// advance; a `to` some weeks in the past excludes them.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/bottlenecks",
    operation_id = "list_bottlenecks",
    tag = "journeys",
    params(("name" = str, Path, description = "The name of the journey."), JourneyParams),
    responses(
        (status = 200, description = "The bottlenecks of the journey.", body = Bottlenecks),
        NotFound,
    ),
)]
pub(crate) async fn bottlenecks(
    State(reader): State<Reader>,
    Path(journey): Path,
    QueryParams(asked): QueryParams<JourneyParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let asked = BottlenecksOf(Asked::new(journey, &asked)?);
    reader.respond(&context, &asked).await
}

#[derive(Debug)]
struct BottlenecksOf(Asked);

impl Query for BottlenecksOf {
    type Answer = Bottlenecks;

    fn dependency(&self) -> Option<Dependency> {
        Some(DEPENDS)
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Bottlenecks, Problem> {
        let Asked { journey, days } = &self.0;
        let found = self.0.read(snapshot).await?;
        Ok(Bottlenecks {
            journey: journey.clone(),
            version: found.definitions.version,
            from: days.from(),
            to: days.to(),
            items: found.funnel.bottlenecks(),
        })
    }
}

/// A journey and a range of days.
#[derive(Debug)]
struct Asked {
    journey: String,
    days: Days,
}

/// A journey with its rollups.
struct Found {
    definitions: Arc<TenantDefinitions>,
    journey: Journey,
    funnel: Funnel,
}

#[derive(Debug, FromRow)]
struct Row {
    kind: String,
    item: String,
    detail: String,
    value: i64,
}

impl Asked {
    fn new(journey: String, asked: &JourneyParams) -> Result<Self, Problem> {
        let days = Days::asked(asked.from.as_deref(), asked.to.as_deref())?;
        Ok(Self { journey, days })
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Found, Problem> {
        let definitions = snapshot.definitions().await?;
        let known = definitions.and_then(|known| {
            let journey = known.journeys.get(&*self.journey)?.clone();
            Some((known, journey))
        });
        let Some((definitions, journey)) = known else {
            return Err(Problem::NotFound {
                kind: "journey",
                name: self.journey.clone(),
            });
        };
        let here = counts::of_kind(snapshot, "stage").await?;
        let customers = |stage: &str| {
            let counter = format!("{}/{stage}", self.journey);
            here.get(&counter).copied().unwrap_or(0)
        };
        let sums = self.sums(snapshot).await?;
        let funnel = Funnel::of(&journey, customers, &sums);
        Ok(Found {
            definitions,
            journey,
            funnel,
        })
    }

    async fn sums(&self, snapshot: &mut Snapshot<'_>) -> Result<Sums, Problem> {
        let span = self.days.ever();
        let rows = sqlx::query_as::<_, Row>(include_str!("../../sql/journey_rollups.sql"))
            .bind(snapshot.tenant())
            .bind(&KINDS[..])
            .bind(&self.journey)
            .bind(span.from)
            .bind(span.to)
            .bind(kinds::JOURNEY_STAY)
            .fetch_all(snapshot.connection())
            .await?;
        let mut sums = Sums::default();
        for row in rows {
            sums.add(&row.kind, &row.item, &row.detail, row.value);
        }
        Ok(sums)
    }
}

//! `GET /v1/journeys/{name}/stages`, `…/flows` and `…/bottlenecks`: what the ways of all customers
//! through one journey add up to.

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

use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{Named, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;
use crate::routes::counts;
use crate::routes::rollups::{Day, Days};

const KINDS: [&str; 5] = [
    kinds::JOURNEY_FLOW,
    kinds::JOURNEY_STAY,
    kinds::JOURNEY_ENTERED,
    kinds::JOURNEY_ADVANCED,
    kinds::JOURNEY_COMPLETED,
];
const DEPENDS: Depends = Depends::Kinds(&[Kind::Positions, Kind::Rollups]);

/// Which days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct JourneyAsked {
    /// The first day, in the tenant's zone; from the first there is unless said.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day; without end unless said. At most 1,100 days where both are said.
    #[param(format = Date)]
    to: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JourneyStages)]
pub(crate) struct StageList {
    /// The journey's name.
    journey: String,
    /// In words, as its author wrote it.
    description: String,
    /// Of the tenant's definitions that define it.
    version: i64,
    /// The first day on which those counted first entered a stage; null: from the first there is.
    #[schema(required)]
    from: Option<Day>,
    /// The last day on which those counted first entered a stage; null: without end.
    #[schema(required)]
    to: Option<Day>,
    /// First to last.
    stages: Vec<FunnelStage>,
}

/// How many customers stand in each stage of a journey, how far they come, and how long they stay
///
/// `from` and `to` choose customers by the day on which they first entered each stage: `entered`,
/// `advanced` and `completed` are of them. Who stands where, and how long stays took, is of all.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/stages",
    operation_id = "list_stages",
    tag = "journeys",
    params(("name" = str, Path, description = "The journey's name."), JourneyAsked),
    responses(
        (status = 200, description = "The journey's stages.", body = StageList),
        NotFound,
    ),
)]
pub(crate) async fn stages(
    State(service): State<Service>,
    Named(journey): Named,
    Parameters(asked): Parameters<JourneyAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let asked = StagesOf(Asked::new(journey, &asked)?);
    service.answer(&asking, &asked).await
}

#[derive(Debug)]
struct StagesOf(Asked);

impl Query for StagesOf {
    type Answer = StageList;

    fn depends(&self) -> Option<Depends> {
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
    /// The journey's name.
    journey: String,
    /// Of the tenant's definitions that define it.
    version: i64,
    /// The first day of the moves; null: from the first there is.
    #[schema(required)]
    from: Option<Day>,
    /// The last day of the moves; null: without end.
    #[schema(required)]
    to: Option<Day>,
    /// The stages, first to last.
    nodes: Vec<Node>,
    /// The moves between them: those into the journey first, then by stage left and entered. Some
    /// may lead back.
    links: Vec<Link>,
}

/// A stage with the moves into it and out of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlowNode)]
struct Node {
    /// The stage's name.
    stage: Arc<str>,
    /// How many customers stand in it now.
    customers: i64,
    /// Moves into it.
    inflow: i64,
    /// Moves out of it.
    outflow: i64,
}

/// The moves between the stages of a journey, as for a Sankey diagram
///
/// All that were ever made, or those of the days from `from` to `to`.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/flows",
    operation_id = "list_flows",
    tag = "journeys",
    params(("name" = str, Path, description = "The journey's name."), JourneyAsked),
    responses(
        (status = 200, description = "Stages and the moves between them.", body = Flows),
        NotFound,
    ),
)]
pub(crate) async fn flows(
    State(service): State<Service>,
    Named(journey): Named,
    Parameters(asked): Parameters<JourneyAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let asked = FlowsOf(Asked::new(journey, &asked)?);
    service.answer(&asking, &asked).await
}

#[derive(Debug)]
struct FlowsOf(Asked);

impl Query for FlowsOf {
    type Answer = Flows;

    fn depends(&self) -> Option<Depends> {
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
    /// The journey's name.
    journey: String,
    /// Of the tenant's definitions that define it.
    version: i64,
    /// The first day on which those counted first entered a stage; null: from the first there is.
    #[schema(required)]
    from: Option<Day>,
    /// The last day on which those counted first entered a stage; null: without end.
    #[schema(required)]
    to: Option<Day>,
    /// The greatest obstacle first. The last stage is none, nor is one that nobody entered.
    items: Vec<Bottleneck>,
}

/// Where a journey loses most
///
/// Stages by the completions of the journey that are lost in them: the customers who went no further,
/// times how likely those who did go on came to the end. Who entered a stage lately has not had much
/// time to go on: with `to` some weeks ago only those are counted who had.
#[utoipa::path(
    get,
    path = "/v1/journeys/{name}/bottlenecks",
    operation_id = "list_bottlenecks",
    tag = "journeys",
    params(("name" = str, Path, description = "The journey's name."), JourneyAsked),
    responses(
        (status = 200, description = "Stages as obstacles.", body = Bottlenecks),
        NotFound,
    ),
)]
pub(crate) async fn bottlenecks(
    State(service): State<Service>,
    Named(journey): Named,
    Parameters(asked): Parameters<JourneyAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let asked = BottlenecksOf(Asked::new(journey, &asked)?);
    service.answer(&asking, &asked).await
}

#[derive(Debug)]
struct BottlenecksOf(Asked);

impl Query for BottlenecksOf {
    type Answer = Bottlenecks;

    fn depends(&self) -> Option<Depends> {
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

/// One journey, on some days.
#[derive(Debug)]
struct Asked {
    journey: String,
    days: Days,
}

/// A journey, and what its rollups say.
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
    fn new(journey: String, asked: &JourneyAsked) -> Result<Self, Problem> {
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

//! The funnel of one journey: the query behind `…/stages`, `…/flows` and `…/bottlenecks`.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::definitions::Journey;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::journeys::{Funnel, Sums};
use tidemark_projections::rollups::{JourneyRollup, RollupKind};
use utoipa::IntoParams;

use crate::database::Snapshot;
use crate::http::Problem;
use crate::query::Query;
use crate::response_cache::Dependency;
use crate::routes::counts;
use crate::routes::path::{JourneyName, JourneyPath};
use crate::routes::personal::PersonalOutputs;
use crate::routes::rollups::{Day, Days, kind_from_name};

/// The days.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct JourneyParams {
    /// The first day (ISO 8601), in the tenant's time zone. Unbounded by default.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day (ISO 8601); at most today, by the watermark. Unbounded by default. With `from`, at
    /// most 1,100 days. A range that begins after today is refused.
    #[param(format = Date)]
    to: Option<String>,
}

/// Reads the rollups of one journey and presents them as an answer.
#[derive(Debug)]
pub(super) struct FunnelQuery<A> {
    journey: JourneyName,
    days: Days,
    present: fn(JourneyFunnel) -> A,
}

/// A journey with the rollups of the given days.
#[derive(Debug)]
pub(super) struct JourneyFunnel {
    pub(super) journey: Journey,
    /// The version of the tenant's definitions in force.
    pub(super) version: i64,
    pub(super) from: Option<Day>,
    pub(super) to: Option<Day>,
    pub(super) funnel: Funnel,
}

#[derive(Debug, FromRow)]
struct Row {
    kind: String,
    item: String,
    detail: String,
    value: i64,
}

impl<A> FunnelQuery<A> {
    pub(super) fn new(
        path: JourneyPath,
        params: &JourneyParams,
        present: fn(JourneyFunnel) -> A,
    ) -> Result<Self, Problem> {
        Ok(Self {
            journey: path.name,
            days: Days::parse(params.from.as_deref(), params.to.as_deref())?,
            present,
        })
    }

    async fn sums(&self, snapshot: &mut Snapshot<'_>, days: Days) -> Result<Sums, Problem> {
        let span = days.unbounded();
        let kinds = JourneyRollup::ALL.map(|kind| RollupKind::Journey(kind).name());
        let rows = sqlx::query_as::<_, Row>(include_str!("../../sql/journey_rollups.sql"))
            .bind(snapshot.tenant())
            .bind(kinds)
            .bind(self.journey.as_str())
            .bind(span.from)
            .bind(span.to)
            .bind(RollupKind::Journey(JourneyRollup::Stay).name())
            .fetch_all(snapshot.connection())
            .await?;
        let mut sums = Sums::default();
        for row in rows {
            if let RollupKind::Journey(kind) = kind_from_name(&row.kind)? {
                sums.add(kind, &row.item, &row.detail, row.value);
            }
        }
        Ok(sums)
    }
}

impl<A: Serialize + Send> Query for FunnelQuery<A> {
    type Answer = A;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[
            AggregateKind::Positions,
            AggregateKind::Rollups,
        ]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<A, Problem> {
        let definitions = snapshot.definitions().await?;
        let (definitions, journey) = self.journey.find(definitions.as_deref())?;
        PersonalOutputs::new(Some(definitions), snapshot.caller())
            .require_journey(&journey.name)?;
        let in_stages = counts::by_kind(snapshot, CounterKind::Stage).await?;
        let customers = |stage: &str| {
            let counter = format!("{}/{stage}", self.journey.as_str());
            in_stages.get(&counter).copied().unwrap_or(0)
        };
        let days = self.days.until_today(snapshot, definitions)?;
        let sums = self.sums(snapshot, days).await?;
        Ok((self.present)(JourneyFunnel {
            funnel: Funnel::from_sums(journey, customers, &sums),
            journey: journey.clone(),
            version: definitions.version,
            from: days.from(),
            to: days.to(),
        }))
    }
}

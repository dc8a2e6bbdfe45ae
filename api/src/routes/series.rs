//! `GET /v1/series`: the main metrics by day.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::rollups::{ConversationRollup, Crossing, RevenueRollup, RollupKind};
use tidemark_schemas::Currency;
use utoipa::ToSchema;

use super::conversations::channels;
use super::rollups::{self, Day, Days, DaysParams, Rollup, Selection, within_64_bits};
use crate::database::Snapshot;
use crate::http::{Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// Rollups that are flows of a day, and rollups that add up to a stock at its end.
const FLOWS: [RollupKind; 5] = [
    RollupKind::Revenue(RevenueRollup::Orders),
    RollupKind::Revenue(RevenueRollup::Gross),
    RollupKind::Revenue(RevenueRollup::Refunded),
    RollupKind::Conversation(ConversationRollup::MessagesIn),
    RollupKind::Conversation(ConversationRollup::MessagesOut),
];
const STOCKS: [RollupKind; 3] = [
    RollupKind::CustomersNew,
    RollupKind::Band(Crossing::Entered),
    RollupKind::Band(Crossing::Left),
];
/// The name of the score behind the counted bands.
const CHURN: &str = "churn";

/// Main metrics by day
#[utoipa::path(
    get,
    path = "/v1/series",
    operation_id = "get_series",
    tag = "analytics",
    params(DaysParams),
    responses((status = 200, description = "The main metrics by day.", body = Series)),
)]
pub(crate) async fn series(
    State(reader): State<Reader>,
    QueryParams(params): QueryParams<DaysParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &SeriesQuery(params.days()?)).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Series {
    /// The tenant's currency. Amounts are converted at the rates in force; amounts in a currency
    /// without a rate are left out. Null until the tenant is defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// One item per day.
    items: Vec<SeriesDay>,
}

/// The main metrics of one day. Amounts are in minor units of the tenant's currency.
#[derive(Debug, Serialize, ToSchema)]
struct SeriesDay {
    /// The day.
    day: Day,
    /// The number of customers with an event by the end of the day.
    customers: i64,
    /// The number of customers with their first event on the day.
    new_customers: i64,
    /// The number of orders placed.
    orders: i64,
    /// The total of the orders placed on the day, in minor units.
    gross_minor: i64,
    /// The total of the refunds made on the day, in minor units.
    refunded_minor: i64,
    /// Gross less refunded, in minor units.
    net_minor: i64,
    /// The number of messages from customers.
    messages_in: i64,
    /// The number of messages to customers.
    messages_out: i64,
    /// The number of customers at the end of the day, by churn risk band.
    bands: BTreeMap<String, i64>,
}

#[derive(Debug)]
struct SeriesQuery(Days);

impl Query for SeriesQuery {
    type Answer = Series;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Rollups]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Series, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Series {
                currency: None,
                items: Vec::new(),
            });
        };
        let span = self.0.span(snapshot, &definitions)?;
        let mut subjects = channels();
        subjects.push(CHURN);
        let selection = |kinds, by_day| Selection {
            kinds,
            subjects: &subjects,
            by_day,
            by_item: true,
        };
        let mut stocks = Stocks::default();
        for before in rollups::read(snapshot, selection(&STOCKS, false), span.before()).await? {
            stocks.add(&before);
        }
        let all = [&FLOWS[..], &STOCKS[..]].concat();
        let mut days: BTreeMap<i32, Vec<Rollup>> = BTreeMap::new();
        for rollup in rollups::read(snapshot, selection(&all, true), span).await? {
            days.entry(rollup.day).or_default().push(rollup);
        }
        let items = (span.from..=span.to).map(|day| {
            let rollups = days.remove(&day).unwrap_or_default();
            stocks.end_of(day, &rollups, &definitions)
        });
        Ok(Series {
            currency: Some(definitions.currency),
            items: items.collect(),
        })
    }
}

/// The stocks at the end of a day.
#[derive(Debug, Default)]
struct Stocks {
    customers: i128,
    bands: BTreeMap<String, i128>,
}

impl Stocks {
    fn add(&mut self, rollup: &Rollup) {
        match rollup.kind {
            RollupKind::CustomersNew => self.customers += rollup.value,
            RollupKind::Band(crossing) => {
                let band = self.bands.entry(rollup.item.clone()).or_default();
                match crossing {
                    Crossing::Entered => *band += rollup.value,
                    Crossing::Left => *band -= rollup.value,
                }
            }
            // Flows.
            RollupKind::Revenue(_)
            | RollupKind::Conversation(_)
            | RollupKind::Campaign(_)
            | RollupKind::Segment(_)
            | RollupKind::Stage(_)
            | RollupKind::Journey(_) => {}
        }
    }

    fn end_of(
        &mut self,
        day: i32,
        rollups: &[Rollup],
        definitions: &TenantDefinitions,
    ) -> SeriesDay {
        for rollup in rollups {
            self.add(rollup);
        }
        let of = |kind: RollupKind| {
            let rollups = rollups.iter().filter(|rollup| rollup.kind == kind);
            rollups.map(|rollup| rollup.value).sum::<i128>()
        };
        let money = |kind: RollupKind| {
            let rollups = rollups.iter().filter(|rollup| rollup.kind == kind);
            rollups
                .filter_map(|rollup| rollup.converted(definitions))
                .sum::<i128>()
        };
        let (gross, refunded) = (
            money(RollupKind::Revenue(RevenueRollup::Gross)),
            money(RollupKind::Revenue(RevenueRollup::Refunded)),
        );
        let bands = self.bands.iter();
        SeriesDay {
            day: Day(day),
            customers: within_64_bits(self.customers),
            new_customers: within_64_bits(of(RollupKind::CustomersNew)),
            orders: within_64_bits(of(RollupKind::Revenue(RevenueRollup::Orders))),
            gross_minor: within_64_bits(gross),
            refunded_minor: within_64_bits(refunded),
            net_minor: within_64_bits(gross - refunded),
            messages_in: within_64_bits(of(RollupKind::Conversation(
                ConversationRollup::MessagesIn,
            ))),
            messages_out: within_64_bits(of(RollupKind::Conversation(
                ConversationRollup::MessagesOut,
            ))),
            bands: bands
                .map(|(band, customers)| (band.clone(), within_64_bits(*customers)))
                .collect(),
        }
    }
}

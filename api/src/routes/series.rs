//! `GET /v1/series` and `GET /v1/segments/{name}/series`: values by day.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::invalidation::Kind;
use tidemark_projections::rollups::kinds;
use tidemark_schemas::Currency;
use utoipa::ToSchema;

use super::conversations::channels;
use super::rollups::{self, Asked, Day, Days, DaysParams, Rollup, within_64_bits};
use crate::database::Snapshot;
use crate::http::{Path, Problem, QueryParams};
use crate::openapi::NotFound;
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// Rollups that are flows of a day, and rollups that add up to a stock at its end.
const FLOWS: [&str; 5] = [
    kinds::ORDERS,
    kinds::GROSS,
    kinds::REFUNDED,
    kinds::MESSAGES_IN,
    kinds::MESSAGES_OUT,
];
const STOCKS: [&str; 3] = [kinds::CUSTOMERS_NEW, kinds::BAND_ENTERED, kinds::BAND_LEFT];
/// The name of the score whose bands are counted.
const CHURN: &str = "churn";

#[derive(Debug)]
struct SegmentSeriesOf {
    segment: String,
    days: Days,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentSeries {
    /// The name of the segment.
    segment: String,
    /// One item per day. A change counts on the day it took effect.
    items: Vec<SegmentDay>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SegmentDay {
    /// The day.
    day: Day,
    /// The number of customers in the segment at the end of the day.
    size: i64,
    /// The number of entries on the day.
    entered: i64,
    /// The number of exits on the day.
    left: i64,
}

/// Returns the size of a segment by day
#[utoipa::path(
    get,
    path = "/v1/segments/{name}/series",
    operation_id = "get_segment_series",
    tag = "segments",
    params(("name" = str, Path, description = "The name of the segment."), DaysParams),
    responses(
        (status = 200, description = "The size of the segment by day.", body = SegmentSeries),
        NotFound,
    ),
)]
pub(crate) async fn segment(
    State(reader): State<Reader>,
    Path(segment): Path,
    QueryParams(asked): QueryParams<DaysParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let days = asked.days()?;
    let query = SegmentSeriesOf { segment, days };
    reader.respond(&context, &query).await
}

impl Query for SegmentSeriesOf {
    type Answer = SegmentSeries;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[Kind::Rollups]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<SegmentSeries, Problem> {
        let definitions = snapshot.definitions().await?;
        let defined = definitions.filter(|known| known.segment(&self.segment).is_some());
        let Some(definitions) = defined else {
            return Err(Problem::NotFound {
                kind: "segment",
                name: self.segment.clone(),
            });
        };
        let span = self.days.span(snapshot, &definitions)?;
        let names = [&*self.segment];
        let asked = |by_day| Asked {
            kinds: &[kinds::SEGMENT_ENTERED, kinds::SEGMENT_LEFT],
            names: &names,
            by_day,
            by_item: false,
        };
        let mut size = 0;
        for before in rollups::read(snapshot, asked(false), span.before()).await? {
            size += signed(&before);
        }
        let mut days: BTreeMap<i32, (i128, i128)> = BTreeMap::new();
        for rollup in rollups::read(snapshot, asked(true), span).await? {
            let (entered, left) = days.entry(rollup.day).or_default();
            let entry = rollup.kind == kinds::SEGMENT_ENTERED;
            *(if entry { entered } else { left }) += rollup.value;
        }
        let items = (span.from..=span.to).map(|day| {
            let (entered, left) = days.get(&day).copied().unwrap_or_default();
            size += entered - left;
            SegmentDay {
                day: Day(day),
                size: within_64_bits(size),
                entered: within_64_bits(entered),
                left: within_64_bits(left),
            }
        });
        Ok(SegmentSeries {
            segment: self.segment.clone(),
            items: items.collect(),
        })
    }
}

/// Returns the contribution of a rollup to a stock: exits count negative.
fn signed(rollup: &Rollup) -> i128 {
    match &*rollup.kind {
        kinds::SEGMENT_LEFT | kinds::BAND_LEFT => -rollup.value,
        _ => rollup.value,
    }
}

#[derive(Debug)]
struct SeriesOf(Days);

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

/// Returns the tenant's main metrics by day
#[utoipa::path(
    get,
    path = "/v1/series",
    operation_id = "get_series",
    tag = "analytics",
    params(DaysParams),
    responses((status = 200, description = "The main metrics by day.", body = Series)),
)]
pub(crate) async fn main_rollups(
    State(reader): State<Reader>,
    QueryParams(asked): QueryParams<DaysParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader.respond(&context, &SeriesOf(asked.days()?)).await
}

impl Query for SeriesOf {
    type Answer = Series;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[Kind::Rollups]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Series, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Series {
                currency: None,
                items: Vec::new(),
            });
        };
        let span = self.0.span(snapshot, &definitions)?;
        let mut names = channels();
        names.push(CHURN);
        let asked = |kinds, by_day| Asked {
            kinds,
            names: &names,
            by_day,
            by_item: true,
        };
        let mut stocks = Stocks::default();
        for before in rollups::read(snapshot, asked(&STOCKS, false), span.before()).await? {
            stocks.add(&before);
        }
        let all = [&FLOWS[..], &STOCKS[..]].concat();
        let mut days: BTreeMap<i32, Vec<Rollup>> = BTreeMap::new();
        for rollup in rollups::read(snapshot, asked(&all, true), span).await? {
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
        match &*rollup.kind {
            kinds::CUSTOMERS_NEW => self.customers += rollup.value,
            kinds::BAND_ENTERED | kinds::BAND_LEFT => {
                *self.bands.entry(rollup.item.clone()).or_default() += signed(rollup);
            }
            _ => {}
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
        let of = |kind: &str| {
            let rollups = rollups.iter().filter(|rollup| rollup.kind == kind);
            rollups.map(|rollup| rollup.value).sum::<i128>()
        };
        let money = |kind: &str| {
            let rollups = rollups.iter().filter(|rollup| rollup.kind == kind);
            rollups
                .filter_map(|rollup| rollup.converted(definitions))
                .sum::<i128>()
        };
        let (gross, refunded) = (money(kinds::GROSS), money(kinds::REFUNDED));
        let bands = self.bands.iter();
        SeriesDay {
            day: Day(day),
            customers: within_64_bits(self.customers),
            new_customers: within_64_bits(of(kinds::CUSTOMERS_NEW)),
            orders: within_64_bits(of(kinds::ORDERS)),
            gross_minor: within_64_bits(gross),
            refunded_minor: within_64_bits(refunded),
            net_minor: within_64_bits(gross - refunded),
            messages_in: within_64_bits(of(kinds::MESSAGES_IN)),
            messages_out: within_64_bits(of(kinds::MESSAGES_OUT)),
            bands: bands
                .map(|(band, customers)| (band.clone(), within_64_bits(*customers)))
                .collect(),
        }
    }
}

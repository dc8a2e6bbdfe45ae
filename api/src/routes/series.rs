//! `GET /v1/series` and `GET /v1/segments/{name}/series`: how it came to be what it is.

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
use super::rollups::{self, Asked, Day, Days, DaysAsked, Rollup, within_64_bits};
use crate::Service;
use crate::answers::{Asking, Depends};
use crate::database::{Query, Snapshot};
use crate::extract::{Named, Parameters};
use crate::openapi::NotFound;
use crate::problem::Problem;

/// What is a flow of a day, and what stands at its end.
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
    /// The segment's name.
    segment: String,
    /// Day by day. A change counts on the day it took effect.
    items: Vec<SegmentDay>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SegmentDay {
    /// The day.
    day: Day,
    /// How many customers were in it at the end of the day.
    size: i64,
    /// How many entered it.
    entered: i64,
    /// How many left it.
    left: i64,
}

/// How large a segment was, day by day
#[utoipa::path(
    get,
    path = "/v1/segments/{name}/series",
    operation_id = "get_segment_series",
    tag = "segments",
    params(("name" = str, Path, description = "The segment's name."), DaysAsked),
    responses(
        (status = 200, description = "The segment's size by day.", body = SegmentSeries),
        NotFound,
    ),
)]
pub(crate) async fn segment(
    State(service): State<Service>,
    Named(segment): Named,
    Parameters(asked): Parameters<DaysAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let days = asked.days()?;
    let query = SegmentSeriesOf { segment, days };
    service.answer(&asking, &query).await
}

impl Query for SegmentSeriesOf {
    type Answer = SegmentSeries;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&[Kind::Rollups]))
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

/// What a rollup adds to a stock: exits take away.
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
    /// The tenant's, into which amounts are converted at the rates in force; what has no rate is left
    /// out. Null before the tenant is defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// Day by day.
    items: Vec<SeriesDay>,
}

/// Amounts are in minor units of the tenant's currency.
#[derive(Debug, Serialize, ToSchema)]
struct SeriesDay {
    /// The day.
    day: Day,
    /// Customers of whom something had happened by the end of the day.
    customers: i64,
    /// Those of them whose first event was on the day.
    new_customers: i64,
    /// Orders placed.
    orders: i64,
    /// What they came to.
    gross_minor: i64,
    /// What was given back on the day.
    refunded_minor: i64,
    /// Gross less refunded.
    net_minor: i64,
    /// Messages of customers.
    messages_in: i64,
    /// Messages to customers.
    messages_out: i64,
    /// Customers by churn band at the end of the day.
    bands: BTreeMap<String, i64>,
}

/// The tenant's main rollups, day by day
#[utoipa::path(
    get,
    path = "/v1/series",
    operation_id = "get_series",
    tag = "figures",
    params(DaysAsked),
    responses((status = 200, description = "The main rollups by day.", body = Series)),
)]
pub(crate) async fn main_rollups(
    State(service): State<Service>,
    Parameters(asked): Parameters<DaysAsked>,
    asking: Asking,
) -> Result<Response, Problem> {
    service.answer(&asking, &SeriesOf(asked.days()?)).await
}

impl Query for SeriesOf {
    type Answer = Series;

    fn depends(&self) -> Option<Depends> {
        Some(Depends::Kinds(&[Kind::Rollups]))
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

/// What stands at the end of a day.
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

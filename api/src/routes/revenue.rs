//! `GET /v1/revenue`: revenue by day, week or month.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::definitions::expression::Period;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::rollups::{RevenueRollup, RollupKind};
use tidemark_schemas::Currency;
use utoipa::ToSchema;

use super::rollups::{self, Day, Days, Rollup, Selection, Span, within_64_bits};
use crate::database::Snapshot;
use crate::http::{Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// Revenue by day, week or month
#[utoipa::path(
    get,
    path = "/v1/revenue",
    operation_id = "get_revenue",
    tag = "analytics",
    params(RevenueParams),
    responses((status = 200, description = "The revenue by period.", body = Revenue)),
)]
pub(crate) async fn revenue(
    State(reader): State<Reader>,
    QueryParams(params): QueryParams<RevenueParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let days = Days::parse(params.from.as_deref(), params.to.as_deref())?;
    let by = match params.by.as_deref() {
        None => Period::Day,
        Some(text) => Period::ALL
            .into_iter()
            .find(|by| by.name() == text)
            .ok_or_else(|| {
                let detail = format!("by is {text:?}; it must be day, week or month");
                Problem::unprocessable("by", detail)
            })?,
    };
    reader.respond(&context, &RevenueQuery { days, by }).await
}

/// The days, and the length of the periods.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevenueParams {
    /// The first day (ISO 8601). By default 29 days before `to`.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day (ISO 8601). By default, and at most, today, by the watermark. A range of more than
    /// 1,100 days, or one that begins after today, is refused.
    #[param(format = Date)]
    to: Option<String>,
    /// The length of the periods: `day` (default), `week` (from Monday) or `month`.
    #[param(pattern = "^(day|week|month)$", default = "day")]
    by: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revenue {
    /// The tenant's currency. Amounts are converted at the rates in force. Null until the tenant is
    /// defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// The tenant's commission on net revenue, in percent.
    commission_percent: f64,
    /// The totals over all periods; null until the tenant is defined.
    #[schema(required)]
    total: Option<RevenuePeriod>,
    /// The periods, from first to last, including those without an order.
    items: Vec<RevenuePeriod>,
}

/// The revenue of one period. Orders count on the day they were placed, refunds on the day they
/// were made.
#[derive(Debug, Serialize, ToSchema)]
struct RevenuePeriod {
    /// The first day of the period.
    from: Day,
    /// The last day of the period.
    to: Day,
    /// The number of orders placed.
    orders: i64,
    /// The number of orders in a currency without a rate. Their amounts appear in `currencies`
    /// only.
    unconverted: i64,
    /// The number of refunds made.
    refunds: i64,
    /// The total of the orders, in minor units of the tenant's currency. Totals per currency are
    /// converted, not single orders.
    gross_minor: i64,
    /// The total of the refunds, in minor units of the tenant's currency.
    refunded_minor: i64,
    /// Gross less refunded, in minor units of the tenant's currency.
    net_minor: i64,
    /// The commission on the net, in minor units of the tenant's currency, with halves rounded away
    /// from zero.
    commission_minor: i64,
    /// The same amounts by original currency, not converted.
    currencies: BTreeMap<Currency, RevenueInCurrency>,
}

/// The revenue in one currency, in minor units of that currency.
#[derive(Debug, Serialize, ToSchema)]
struct RevenueInCurrency {
    /// The number of orders placed.
    orders: i64,
    /// The number of refunds made.
    refunds: i64,
    /// The total of the orders, in minor units.
    gross_minor: i64,
    /// The total of the refunds, in minor units.
    refunded_minor: i64,
    /// Gross less refunded, in minor units.
    net_minor: i64,
}

#[derive(Debug)]
struct RevenueQuery {
    days: Days,
    by: Period,
}

impl Query for RevenueQuery {
    type Answer = Revenue;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Rollups]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Revenue, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Revenue {
                currency: None,
                commission_percent: 0.0,
                total: None,
                items: Vec::new(),
            });
        };
        let span = self.days.span(snapshot, &definitions)?;
        let selection = Selection {
            kinds: &RevenueRollup::ALL.map(RollupKind::Revenue),
            subjects: &[""],
            by_day: true,
            by_item: false,
        };
        let rollups = rollups::read(snapshot, selection, span).await?;
        let mut days: BTreeMap<i32, Sums> = BTreeMap::new();
        for rollup in &rollups {
            days.entry(rollup.day).or_default().add(rollup);
        }
        let within = |period: Span| {
            let mut sums = Sums::default();
            for day in days.range(period.from..=period.to) {
                sums.extend(day.1);
            }
            sums.into_period(period, &definitions)
        };
        Ok(Revenue {
            currency: Some(definitions.currency),
            commission_percent: f64::from(definitions.commission_millionths) / 10_000.0,
            total: Some(within(span)),
            items: span.periods(self.by).map(within).collect(),
        })
    }
}

/// Sums in minor units, by currency.
#[derive(Debug, Default)]
struct Sums(BTreeMap<Currency, InCurrency>);

#[derive(Debug, Clone, Copy, Default)]
struct InCurrency {
    orders: i128,
    refunds: i128,
    gross: i128,
    refunded: i128,
}

impl Sums {
    fn add(&mut self, rollup: &Rollup) {
        let (RollupKind::Revenue(kind), Some(currency)) = (rollup.kind, rollup.currency) else {
            return;
        };
        let sums = self.0.entry(currency).or_default();
        let sum = match kind {
            RevenueRollup::Orders => &mut sums.orders,
            RevenueRollup::Gross => &mut sums.gross,
            RevenueRollup::Refunds => &mut sums.refunds,
            RevenueRollup::Refunded => &mut sums.refunded,
        };
        *sum += rollup.value;
    }

    fn extend(&mut self, others: &Self) {
        for (currency, other) in &others.0 {
            let sums = self.0.entry(*currency).or_default();
            sums.orders += other.orders;
            sums.refunds += other.refunds;
            sums.gross += other.gross;
            sums.refunded += other.refunded;
        }
    }

    fn into_period(self, period: Span, definitions: &TenantDefinitions) -> RevenuePeriod {
        let (mut all, mut unconverted) = (InCurrency::default(), 0);
        for (currency, sums) in &self.0 {
            all.orders += sums.orders;
            all.refunds += sums.refunds;
            let convert = |minor| rollups::convert(definitions, minor, *currency);
            if let (Some(gross), Some(refunded)) = (convert(sums.gross), convert(sums.refunded)) {
                all.gross += gross;
                all.refunded += refunded;
            } else {
                unconverted += sums.orders;
            }
        }
        let net = all.gross - all.refunded;
        let commission = net * i128::from(definitions.commission_millionths);
        let rounded = (commission.abs() + 500_000) / 1_000_000 * commission.signum();
        let currencies = self.0.iter().map(|(of, sums)| (*of, sums.in_currency()));
        RevenuePeriod {
            from: Day(period.from),
            to: Day(period.to),
            orders: within_64_bits(all.orders),
            unconverted: within_64_bits(unconverted),
            refunds: within_64_bits(all.refunds),
            gross_minor: within_64_bits(all.gross),
            refunded_minor: within_64_bits(all.refunded),
            net_minor: within_64_bits(net),
            commission_minor: within_64_bits(rounded),
            currencies: currencies.collect(),
        }
    }
}

impl InCurrency {
    fn in_currency(self) -> RevenueInCurrency {
        RevenueInCurrency {
            orders: within_64_bits(self.orders),
            refunds: within_64_bits(self.refunds),
            gross_minor: within_64_bits(self.gross),
            refunded_minor: within_64_bits(self.refunded),
            net_minor: within_64_bits(self.gross - self.refunded),
        }
    }
}

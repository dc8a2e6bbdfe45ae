//! `GET /v1/campaigns`: cost and attributed revenue of campaigns.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::models::Attribution;
use tidemark_projections::rollups::{CampaignRollup, RollupKind};
use tidemark_schemas::Currency;
use utoipa::ToSchema;

use super::rollups::{self, Day, Days, DaysParams, Rollup, Selection, within_64_bits};
use crate::database::Snapshot;
use crate::http::{Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// The largest number of items in an answer; of the rest only the number is returned.
const MOST_ITEMS: usize = 1_000;

/// Cost and attributed revenue of campaigns
#[utoipa::path(
    get,
    path = "/v1/campaigns",
    operation_id = "get_campaigns",
    tag = "analytics",
    params(DaysParams),
    responses((status = 200, description = "The campaigns, by name and channel.", body = Campaigns)),
)]
pub(crate) async fn campaigns(
    State(reader): State<Reader>,
    QueryParams(params): QueryParams<DaysParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    reader
        .respond(&context, &CampaignsQuery(params.days()?))
        .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Campaigns {
    /// The first day; null until the tenant is defined.
    #[schema(required)]
    from: Option<Day>,
    /// The last day; null until the tenant is defined.
    #[schema(required)]
    to: Option<Day>,
    /// The tenant's currency. Amounts are converted at the rates in force; amounts in a currency
    /// without a rate are left out. Null until the tenant is defined.
    #[schema(required)]
    currency: Option<Currency>,
    /// The attribution window: the number of days before an order within which a touch receives
    /// credit; null until the tenant is defined.
    #[schema(required)]
    window_days: Option<i32>,
    /// The items, by campaign and channel. If there are more than 1,000, those with the most
    /// touches.
    items: Vec<CampaignItem>,
    /// The number of items left out of `items`.
    left_out: usize,
}

/// A campaign on one channel. Touches and their cost count on the day of the touch, credit counts
/// on the day of the order.
#[derive(Debug, Serialize, ToSchema)]
struct CampaignItem {
    /// The name of the campaign.
    campaign: String,
    /// The channel of the touches.
    channel: String,
    /// The number of touches.
    touches: i64,
    /// The cost of the touches, in minor units of the tenant's currency.
    cost_minor: i64,
    /// The attributed revenue, orders less refunds, in minor units of the tenant's currency.
    credited_minor: Credited,
    /// The attributed revenue per unit of cost.
    return_on_cost: ReturnOnCost,
}

/// The attributed revenue by four attribution models. Each model distributes the full amount of
/// every order.
#[derive(Debug, Serialize, ToSchema)]
struct Credited {
    /// First touch: all credit goes to the first touch before the order.
    first: i64,
    /// Last touch: all credit goes to the last touch before the order.
    last: i64,
    /// Linear: all touches receive equal credit.
    linear: i64,
    /// Position-based: 40 % to the first touch, 40 % to the last, the rest to those between.
    position_based: i64,
}

/// The return by attribution model, as in `credited_minor`; null if there was no cost.
#[derive(Debug, Serialize, ToSchema)]
struct ReturnOnCost {
    /// First touch.
    #[schema(required)]
    first: Option<f64>,
    /// Last touch.
    #[schema(required)]
    last: Option<f64>,
    /// Linear.
    #[schema(required)]
    linear: Option<f64>,
    /// Position-based.
    #[schema(required)]
    position_based: Option<f64>,
}

#[derive(Debug)]
struct CampaignsQuery(Days);

impl Query for CampaignsQuery {
    type Answer = Campaigns;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Rollups]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Campaigns, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Campaigns {
                from: None,
                to: None,
                currency: None,
                window_days: None,
                items: Vec::new(),
                left_out: 0,
            });
        };
        let span = self.0.span(snapshot, &definitions)?;
        let selection = Selection {
            kinds: &CampaignRollup::ALL.map(RollupKind::Campaign),
            subjects: &[""],
            by_day: false,
            by_item: true,
        };
        let mut sums: BTreeMap<(String, String), Sums> = BTreeMap::new();
        for rollup in rollups::read(snapshot, selection, span).await? {
            let line = (rollup.item.clone(), rollup.detail.clone());
            sums.entry(line).or_default().add(&rollup, &definitions);
        }
        let mut items: Vec<_> = sums.into_iter().collect();
        let left_out = items.len().saturating_sub(MOST_ITEMS);
        if left_out > 0 {
            items.sort_by_key(|(_, sums)| Reverse(sums.touches));
            items.truncate(MOST_ITEMS);
            items.sort_by(|left, right| left.0.cmp(&right.0));
        }
        Ok(Campaigns {
            from: Some(Day(span.from)),
            to: Some(Day(span.to)),
            currency: Some(definitions.currency),
            window_days: Some(definitions.attribution_days),
            items: items.into_iter().map(CampaignItem::from_sums).collect(),
            left_out,
        })
    }
}

#[derive(Debug, Default)]
struct Sums {
    touches: i128,
    cost: i128,
    /// The credit by model, in the order of [`Attribution::ALL`].
    credited: [i128; 4],
}

impl Sums {
    fn add(&mut self, rollup: &Rollup, definitions: &TenantDefinitions) {
        let converted = || rollup.converted(definitions).unwrap_or(0);
        let RollupKind::Campaign(kind) = rollup.kind else {
            return;
        };
        match kind {
            CampaignRollup::Touches => self.touches += rollup.value,
            CampaignRollup::Cost => self.cost += converted(),
            CampaignRollup::Credit(model) => {
                let models = Attribution::ALL.into_iter();
                for (other, credited) in models.zip(&mut self.credited) {
                    if other == model {
                        *credited += converted();
                    }
                }
            }
        }
    }
}

impl CampaignItem {
    fn from_sums(((campaign, channel), sums): ((String, String), Sums)) -> Self {
        let [first, last, linear, position_based] = sums.credited.map(within_64_bits);
        let credited_minor = Credited {
            first,
            last,
            linear,
            position_based,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a ratio, which needs fewer digits than a double has"
        )]
        let ratios = sums
            .credited
            .map(|minor| (sums.cost > 0).then(|| minor as f64 / sums.cost as f64));
        let [first, last, linear, position_based] = ratios;
        Self {
            campaign,
            channel,
            touches: within_64_bits(sums.touches),
            cost_minor: within_64_bits(sums.cost),
            credited_minor,
            return_on_cost: ReturnOnCost {
                first,
                last,
                linear,
                position_based,
            },
        }
    }
}

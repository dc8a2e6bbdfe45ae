//! Touches of campaigns and what they cost, and the orders that are owed to them.
//!
//! An order is owed to the touches of the days before it: of the tenant's window, which ends with
//! the order's own day. The state knows of a touch by its day, so what is credited is a campaign's
//! presence by a channel on a day, however many touches that were; of one day the campaigns are in
//! the order of their names. An order is worth what is left of it after refunds, in each currency.
//!
//! Credits are what follows from the state and the window: when an order or a touch arrives late, the
//! difference is counted. They **settle** when the order is more than 311 days behind the customer's
//! newest event (the state then begins to forget the touches): what is known of it by then stays
//! credited, and what comes later about it changes no credit any more.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_schemas::event::CampaignTouched;
use tidemark_schemas::{Currency, CustomerEvent, Instant, Payload};

use super::{CampaignRollup, Rollup, RollupKind, Rollups};
use crate::days;
use crate::definitions::MAX_ATTRIBUTION_DAYS;
use crate::models::Attribution;
use crate::state::activity::Kept;
use crate::state::campaigns::CampaignLine;
use crate::state::orders::Order;
use crate::state::{CustomerState, FoldRules};

/// No more campaigns and days share an order: the last ones before it.
const MOST_SHARES: usize = 50;

/// A touch just folded as new, on that day.
pub(super) fn touched(touch: &CampaignTouched, day: i32, rollups: &mut Rollups) {
    let rollup = |kind| Rollup::new(kind, day).by(&touch.campaign, &touch.channel);
    rollups.add(rollup(RollupKind::Campaign(CampaignRollup::Touches)), 1);
    if let (Some(minor), Some(currency)) = (touch.cost_minor, touch.currency) {
        let cost = rollup(RollupKind::Campaign(CampaignRollup::Cost)).in_currency(currency);
        rollups.add(cost, i128::from(minor));
    }
}

/// The orders of a customer to be credited.
#[derive(Debug, Clone, Copy)]
pub(super) enum Orders<'a> {
    /// One of them.
    One(&'a str),
    /// The orders that a touch of that day may be credited with.
    After(i32),
    /// Every one.
    All,
}

/// The rule of attribution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// The number of days before an order; 0 gives no credits.
    pub(super) window: i32,
    /// Orders before this day are settled.
    pub(super) unsettled_from: i32,
}

impl Rule {
    /// Returns the rule for a customer with this newest event.
    pub(super) fn new(window: i32, newest: Instant) -> Self {
        Self {
            window,
            unsettled_from: Kept::behind(newest).first_day + MAX_ATTRIBUTION_DAYS,
        }
    }

    fn concerns(self, order: &Order<'_>, orders: Orders<'_>) -> bool {
        let day = order.placed.day;
        let asked = match orders {
            Orders::One(_) | Orders::All => true,
            Orders::After(touch) => (touch..=touch.saturating_add(self.window)).contains(&day),
        };
        asked && day >= self.unsettled_from
    }
}

/// Whether anything of this customer is credited to anything.
fn has_credits(state: &CustomerState) -> bool {
    !state.orders.is_empty() && state.records().campaigns.iter().len() > 0
}

/// Returns the orders whose credits the event may change, before it is folded; `None` if none.
pub(super) fn moved_by<'e>(
    event: &'e CustomerEvent,
    state: &CustomerState,
    rules: &FoldRules,
) -> Option<Orders<'e>> {
    if let Some(order_id) = super::order_of(event) {
        return Some(Orders::One(order_id));
    }
    let Payload::CampaignTouched(touch) = &event.payload else {
        return None;
    };
    if state.orders.is_empty() {
        return None;
    }
    let day = days::day_of(&rules.zone, event.occurred_at);
    let campaigns = &state.records().campaigns;
    let known = campaigns.get(&touch.campaign, &touch.channel);
    let is_new = known.is_none_or(|touches| touches.counter.between(day, day) == 0);
    is_new.then_some(Orders::After(day))
}

/// Adds what each campaign is credited with of these orders, so many times.
pub(super) fn credit(
    state: &CustomerState,
    orders: Orders<'_>,
    rule: Rule,
    times: i128,
    rollups: &mut Rollups,
) {
    if rule.window == 0 || !has_credits(state) {
        return;
    }
    let mut by_day = BTreeMap::new();
    let mut credit_one = |order: Order<'_>| {
        if rule.concerns(&order, orders) {
            let day = order.placed.day;
            let shared = by_day
                .entry(day)
                .or_insert_with(|| presences(state, day, rule.window));
            share(order, shared, times, rollups);
        }
    };
    match orders {
        Orders::One(order_id) => state.orders.get(order_id).into_iter().for_each(credit_one),
        Orders::After(_) | Orders::All => state.orders.iter().for_each(&mut credit_one),
    }
}

/// Returns campaigns and channels of the days up to this one, first to last.
fn presences(state: &CustomerState, day: i32, window: i32) -> Vec<&CampaignLine> {
    let mut presences = BTreeSet::new();
    for (line, touches) in state.records().campaigns.iter() {
        let days = touches.counter.days_from(day.saturating_sub(window));
        let days = days.take_while(|of| of.day <= day);
        presences.extend(days.map(|of| (of.day, line)));
    }
    let skipped = presences.len().saturating_sub(MOST_SHARES);
    presences
        .into_iter()
        .skip(skipped)
        .map(|(_, line)| line)
        .collect()
}

fn share(order: Order<'_>, presences: &[&CampaignLine], times: i128, rollups: &mut Rollups) {
    if presences.is_empty() {
        return;
    }
    for (currency, minor) in net_by_currency(order) {
        for model in Attribution::ALL {
            let credits = model.credit(minor, presences.len());
            let rollup = Rollup::new(
                RollupKind::Campaign(CampaignRollup::Credit(model)),
                order.placed.day,
            )
            .in_currency(currency);
            for (line, credit) in presences.iter().zip(credits) {
                if credit != 0 {
                    let rollup = rollup.clone().by(&line.campaign, &line.channel);
                    rollups.add(rollup, times * i128::from(credit));
                }
            }
        }
    }
}

/// Its amount less its refunds, in minor units.
fn net_by_currency(order: Order<'_>) -> BTreeMap<Currency, i64> {
    let mut net = BTreeMap::from([(order.placed.currency, i128::from(order.placed.amount_minor))]);
    for refund in order.refunds() {
        *net.entry(refund.currency).or_default() -= i128::from(refund.amount_minor);
    }
    let [least, most] = [i64::MIN, i64::MAX].map(i128::from);
    net.into_iter()
        .filter_map(|(of, minor)| Some((of, i64::try_from(minor.clamp(least, most)).ok()?)))
        .collect()
}

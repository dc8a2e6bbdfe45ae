//! The rollups against what the other rows add up to.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use tidemark_projections::definitions::Definitions;
use tidemark_projections::evaluated::{Change, ChangeKind, Delta, EvaluatedState};
use tidemark_projections::models::Attribution;
use tidemark_projections::rollups::{
    CampaignRollup, Crossing, RevenueRollup, Rollup, RollupKind, Rollups,
};
use tidemark_projections::state::CustomerState;
use tidemark_projections::state::orders::Order;
use tidemark_schemas::{Instant, TenantId};

use super::table::Table;

fn day(zone: &TimeZone, at: Instant) -> i32 {
    let date = at.to_jiff().to_zoned(zone.clone()).date();
    let hours = date
        .duration_since(jiff::civil::date(1970, 1, 1))
        .as_hours();
    i32::try_from(hours / 24).expect("a day")
}

/// The rollups of the states and the changes of a table.
pub(super) fn naive(table: &Table, definitions: &Definitions) -> BTreeMap<TenantId, Rollups> {
    let mut all: BTreeMap<TenantId, Rollups> = BTreeMap::new();
    let zone = |tenant| &definitions.tenant(tenant).expect("defined").rules.zone;
    for (key, row) in &table.customers {
        let state = CustomerState::decode(&row.state).expect("a state");
        let rollups = all.entry(key.tenant.clone()).or_default();
        let first = day(zone(&key.tenant), row.first_seen_at);
        rollups.add(Rollup::new(RollupKind::CustomersNew, first), 1);
        // Of the ways through journeys the laws of projections know more; here it matters that
        // whatever came in between they are counted once.
        let evaluated = EvaluatedState::decode(&row.evaluated).expect("an evaluated state");
        rollups.extend(Delta::between(None, &evaluated).rollups);
        for order in state.orders.iter() {
            let of = |kind| Rollup::new(kind, order.placed.day).in_currency(order.placed.currency);
            rollups.add(of(RollupKind::Revenue(RevenueRollup::Orders)), 1);
            rollups.add(
                of(RollupKind::Revenue(RevenueRollup::Gross)),
                i128::from(order.placed.amount_minor),
            );
        }
    }
    for (key, row) in &table.customers {
        let state = CustomerState::decode(&row.state).expect("a state");
        let window = definitions
            .tenant(&key.tenant)
            .expect("defined")
            .attribution_days;
        let rollups = all.entry(key.tenant.clone()).or_default();
        for (line, touches) in state.records().campaigns.iter() {
            for of in touches.counter.days() {
                let rollup = Rollup::new(RollupKind::Campaign(CampaignRollup::Touches), of.day);
                rollups.add(rollup.by(&line.campaign, &line.channel), of.events.into());
            }
        }
        for order in state.orders.iter() {
            credit(&state, order, window, rollups);
        }
    }
    for set in &table.changes {
        let rollups = all.entry(set.key.tenant.clone()).or_default();
        for change in &set.changes {
            let on = day(zone(&set.key.tenant), change.effective_at);
            count(change, on, rollups);
        }
    }
    all.retain(|_, rollups| !rollups.is_empty());
    all
}

/// Nothing in a log of these tests is so old that its credits settle.
fn credit(state: &CustomerState, order: Order<'_>, window: i32, rollups: &mut Rollups) {
    let day = order.placed.day;
    let mut lines = Vec::new();
    for back in (0..=window).rev() {
        for (line, touches) in state.records().campaigns.iter() {
            if touches.counter.between(day - back, day - back) > 0 {
                lines.push(line);
            }
        }
    }
    for model in Attribution::ALL {
        let credits = model.credit(order.placed.amount_minor, lines.len());
        for (line, minor) in lines.iter().zip(credits) {
            let rollup = Rollup::new(RollupKind::Campaign(CampaignRollup::Credit(model)), day)
                .by(&line.campaign, &line.channel);
            rollups.add(rollup.in_currency(order.placed.currency), minor.into());
        }
    }
}

fn count(change: &Change, day: i32, rollups: &mut Rollups) {
    let (from, to) = (&change.from, &change.to);
    let moves = match change.kind {
        ChangeKind::Segment => {
            let entered = to.is_some();
            let crossing = [Crossing::Left, Crossing::Entered][usize::from(entered)];
            rollups.add(
                Rollup::new(RollupKind::Segment(crossing), day).named(&change.name),
                1,
            );
            return;
        }
        ChangeKind::Stage => [
            (RollupKind::Stage(Crossing::Left), from),
            (RollupKind::Stage(Crossing::Entered), to),
        ],
        ChangeKind::Band => [
            (RollupKind::Band(Crossing::Left), from),
            (RollupKind::Band(Crossing::Entered), to),
        ],
        ChangeKind::Rfm | ChangeKind::Cluster | ChangeKind::RenewalBand | ChangeKind::Trigger => {
            return;
        }
    };
    for (kind, place) in moves {
        if let Some(place) = place {
            let rollup = Rollup::new(kind, day).named(&change.name);
            rollups.add(rollup.by(place, &"".into()), 1);
        }
    }
}

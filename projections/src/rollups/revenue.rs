//! Revenue: orders and refunds.
//!
//! An order counts on the day it was placed, as last placed. A refund counts on the day it was made,
//! once there is an order by its id: refunds alone are no revenue lost.

use super::{RevenueRollup, Rollup, RollupKind, Rollups};
use crate::days;
use crate::state::FoldRules;
use crate::state::orders::Order;

/// Adds an order with its refunds, so many times.
pub(super) fn count(order: Order<'_>, rules: &FoldRules, times: i128, rollups: &mut Rollups) {
    let placed = order.placed;
    let rollup = |kind| Rollup::new(kind, placed.day).in_currency(placed.currency);
    rollups.add(rollup(RollupKind::Revenue(RevenueRollup::Orders)), times);
    rollups.add(
        rollup(RollupKind::Revenue(RevenueRollup::Gross)),
        times * i128::from(placed.amount_minor),
    );
    for refund in order.refunds() {
        let day = days::day_of(&rules.zone, refund.at);
        let rollup = |kind| Rollup::new(kind, day).in_currency(refund.currency);
        rollups.add(rollup(RollupKind::Revenue(RevenueRollup::Refunds)), times);
        rollups.add(
            rollup(RollupKind::Revenue(RevenueRollup::Refunded)),
            times * i128::from(refund.amount_minor),
        );
    }
}

//! The `campaign` leaf.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::ages::age_holds;
use super::bounds::{amount_holds, count_holds, is_listed};
use super::events::window_holds;
use crate::definitions::expression::{CampaignCondition, EventWindow};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;
use crate::state::campaigns::Touches;

pub(crate) fn campaign_holds(
    condition: &CampaignCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let lines = now.state().records().campaigns.iter();
    let lines = lines.filter(|(line, _)| {
        is_listed(&condition.names, &line.campaign) && is_listed(&condition.channels, &line.channel)
    });
    let touches: Vec<&Touches> = lines.map(|(_, touches)| touches).collect();
    let counted = match &touches[..] {
        [] => {
            let never = condition.first_time.is_none() && condition.last.is_none();
            never && count_holds(&condition.count, 0)
        }
        [one, others @ ..] => {
            let mut all = Cow::Borrowed(&one.counter);
            for other in others {
                all.to_mut().merge(&other.counter);
            }
            window_holds(condition.window, &condition.count, &all, now, next_change)
                && age_holds(condition.first_time, all.first, now, next_change)
                && age_holds(condition.last, all.last, now, next_change)
        }
    };
    counted && (condition.cost.0.is_empty() || cost_holds(condition, &touches, now, next_change))
}

/// Whether the bounds hold for the cost of touches. Amounts that cannot be converted are left out.
fn cost_holds(
    condition: &CampaignCondition,
    touches: &[&Touches],
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    let (first, last) = match condition.window {
        EventWindow::LastDays(length) => (now.first_of_last_days(length), i32::MAX),
        EventWindow::Between(first, last) => (first, last),
        // Refused where a cost is asked for.
        EventWindow::Ever | EventWindow::LastMicros(_) => (i32::MIN, i32::MAX),
    };
    let definitions = now.definitions();
    let mut days: BTreeMap<i32, i128> = BTreeMap::new();
    for (day, currency, minor) in touches.iter().flat_map(|touches| touches.costs()) {
        if (first..=last).contains(&day) {
            *days.entry(day).or_default() += definitions.convert(minor, currency).unwrap_or(0);
        }
    }
    let mut total: i128 = days.values().sum();
    let holds = amount_holds(&condition.cost, Some(total));
    if let EventWindow::LastDays(length) = condition.window {
        let leaving = days.iter().find(|(_, minor)| {
            total -= **minor;
            amount_holds(&condition.cost, Some(total)) != holds
        });
        next_change.note(leaving.and_then(|(day, _)| now.end_in_last_days(*day, length)));
    }
    holds
}

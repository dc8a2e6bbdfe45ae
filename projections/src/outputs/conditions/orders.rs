//! The `orders` leaf.

use crate::definitions::expression::{OrderWindow, OrdersCondition};
use crate::outputs::next_change::NextChange;
use crate::outputs::state_at::StateAt;
use crate::state::orders::{Totals, totals_of};

pub(crate) fn orders_hold(
    condition: &OrdersCondition,
    now: &StateAt<'_>,
    next_change: &mut NextChange,
) -> bool {
    match condition.window {
        OrderWindow::Ever => totals_hold(condition, now.ledger().totals()),
        OrderWindow::Between(from, to) => {
            totals_hold(condition, now.ledger().totals_between(from, to))
        }
        OrderWindow::LastDays(days) => {
            if now.ledger().days.is_empty() {
                return totals_hold(condition, Totals::default());
            }
            let inside = now.ledger().days_from(now.first_of_last_days(days));
            let mut totals = totals_of(inside);
            let holds = totals_hold(condition, totals);
            // Time takes days away, oldest first: when does that make a difference?
            let leaving = inside.iter().find(|day| {
                totals.subtract(day.totals);
                totals_hold(condition, totals) != holds
            });
            next_change.note(leaving.and_then(|day| now.end_in_last_days(day.day, days)));
            holds
        }
    }
}

fn totals_hold(condition: &OrdersCondition, totals: Totals) -> bool {
    let converted = i128::from(totals.converted);
    let OrdersCondition {
        window: _,
        count,
        revenue,
        average,
    } = condition;
    count.hold(|bound| i128::from(totals.orders).cmp(&i128::from(*bound)))
        && revenue.hold(|bound| totals.net_minor.cmp(&i128::from(*bound)))
        // Multiplied rather than divided: no digit is lost. Bounds are below 2^44.
        && (average.0.is_empty() || converted > 0)
        && average.hold(|bound| totals.net_minor.cmp(&(i128::from(*bound) * converted)))
}

//! The ledger under a tenant's definitions, and what models measure of it.

use crate::definitions::TenantDefinitions;
use crate::models::{PurchaseHistory, Rfm};
use crate::state::Orders;
use crate::state::orders::{Day, Ledger, Order};

impl Ledger {
    /// Adds up orders in the tenant's currency. O(n log n) in their number.
    pub(crate) fn new(orders: &Orders, definitions: &TenantDefinitions) -> Self {
        Self::from_orders(orders, |order| net_minor(order, definitions))
    }

    /// Returns the purchase history for churn models; `None` for a customer without purchases.
    pub(crate) fn purchase_history(&self, today: i32) -> Option<PurchaseHistory> {
        let (first, last) = (self.days.first()?.day, self.days.last()?.day);
        let last = i64::from(last) - i64::from(first);
        Some(PurchaseHistory {
            repeat_days: u32::try_from(self.days.len() - 1).unwrap_or(u32::MAX),
            last,
            // A clock behind the newest order has seen no silence yet.
            age: (i64::from(today) - i64::from(first)).max(last),
        })
    }

    /// Returns the measures of cells and clusters; `None` for a customer without purchases.
    pub(crate) fn rfm(&self, today: i32) -> Option<Rfm> {
        let history = self.purchase_history(today)?;
        let spent = self.totals().net_minor;
        Some(Rfm {
            recency_days: history.age - history.last,
            frequency: history.repeat_days.saturating_add(1),
            monetary_minor: i64::try_from(spent).unwrap_or(if spent > 0 {
                i64::MAX
            } else {
                i64::MIN
            }),
        })
    }
}

impl Day {
    /// Returns what an order adds to its day, if it was placed.
    pub(crate) fn of_order(
        orders: &Orders,
        order_id: &str,
        definitions: &TenantDefinitions,
    ) -> Option<Self> {
        let order = orders.get(order_id)?;
        Some(Self::with(order, net_minor(order, definitions)))
    }
}

/// The order's amount less its refunds, unless a currency has no rate.
fn net_minor(order: Order<'_>, definitions: &TenantDefinitions) -> Option<i128> {
    let convert = |amount_minor, currency| definitions.convert(amount_minor, currency);
    let mut net = convert(order.placed.amount_minor, order.placed.currency)?;
    for refund in order.refunds() {
        net -= convert(refund.amount_minor, refund.currency)?;
    }
    Some(net)
}

//! Orders by day in the tenant's currency.

use crate::definitions::TenantDefinitions;
use crate::models::{PurchaseHistory, Rfm};
use crate::state::Orders;
use crate::state::orders::Order;

/// The orders of a day, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// Orders placed.
    pub(crate) orders: u64,
    /// The number of orders that could be converted.
    pub(crate) converted: u64,
    /// Amounts less refunds, in minor units. 128 bits hold any sum of orders.
    pub(crate) net_minor: i128,
}

impl Totals {
    pub(crate) fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.converted += other.converted;
        self.net_minor += other.net_minor;
    }

    pub(crate) fn subtract(&mut self, other: Self) {
        self.orders -= other.orders;
        self.converted -= other.converted;
        self.net_minor -= other.net_minor;
    }
}

/// One day with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    /// The day, counted from 1970-01-01.
    pub(crate) day: i32,
    pub(crate) totals: Totals,
}

/// The days with an order, first to last.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) days: Vec<Day>,
}

impl Ledger {
    pub(crate) fn new(orders: &Orders, definitions: &TenantDefinitions) -> Self {
        let mut days: Vec<Day> = Vec::with_capacity(orders.len());
        for order in orders.iter() {
            let net = net_minor(order, definitions);
            let totals = Totals {
                orders: 1,
                converted: u64::from(net.is_some()),
                net_minor: net.unwrap_or(0),
            };
            days.push(Day {
                day: order.placed.day,
                totals,
            });
        }
        days.sort_unstable_by_key(|day| day.day);
        days.dedup_by(|later, kept| {
            let same = later.day == kept.day;
            if same {
                kept.totals.add(later.totals);
            }
            same
        });
        Self { days }
    }

    pub(crate) fn totals(&self) -> Totals {
        totals_of(&self.days)
    }

    /// The totals of the days between two, both included.
    pub(crate) fn totals_between(&self, from: i32, to: i32) -> Totals {
        let start = self.days.partition_point(|day| day.day < from);
        let end = self.days.partition_point(|day| day.day <= to);
        totals_of(self.days.get(start..end).unwrap_or_default())
    }

    /// The days from one on.
    pub(crate) fn days_from(&self, from: i32) -> &[Day] {
        let start = self.days.partition_point(|day| day.day < from);
        self.days.get(start..).unwrap_or_default()
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

    /// Returns the number of converted days after the first, and their sum, none below zero.
    pub(crate) fn repeat_spending(&self) -> (u32, i128) {
        let repeat = self
            .days
            .iter()
            .skip(1)
            .filter(|day| day.totals.converted > 0);
        let (mut sum, mut count) = (0_i128, 0_u32);
        for day in repeat {
            sum += day.totals.net_minor.max(0);
            count += 1;
        }
        (count, sum)
    }

    /// Mean of the daily totals after the first day, none below zero.
    pub(crate) fn mean_repeat_value_minor(&self) -> Option<f64> {
        let (count, sum) = self.repeat_spending();
        #[expect(clippy::cast_precision_loss, reason = "the mean is a double")]
        let mean = sum as f64 / f64::from(count);
        (count > 0).then_some(mean)
    }
}

pub(crate) fn totals_of(days: &[Day]) -> Totals {
    let mut totals = Totals::default();
    for day in days {
        totals.add(day.totals);
    }
    totals
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

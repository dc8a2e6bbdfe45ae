//! Orders by day in the tenant's currency.
//!
//! It follows from the orders and the tenant's rates. A customer with many orders keeps it between
//! events ([`Kept`]), so that an event moves one order in it instead of adding up all of them.

use super::{Order, Orders};

/// The number of orders from which on their ledger is kept.
pub(super) const MANY: usize = 64;

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

impl Day {
    /// Returns what an order adds to its day; `net_minor` is `None` where it cannot be converted.
    pub(crate) fn with(order: Order<'_>, net_minor: Option<i128>) -> Self {
        Self {
            day: order.placed.day,
            totals: Totals {
                orders: 1,
                converted: u64::from(net_minor.is_some()),
                net_minor: net_minor.unwrap_or(0),
            },
        }
    }
}

/// The days with an order, first to last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) days: Vec<Day>,
}

impl Ledger {
    /// Adds up all orders, each as `net_minor` converts it. O(n log n) in their number.
    pub(crate) fn from_orders(
        orders: &Orders,
        net_minor: impl Fn(Order<'_>) -> Option<i128>,
    ) -> Self {
        let days = orders
            .iter()
            .map(|order| Day::with(order, net_minor(order)));
        let mut days: Vec<Day> = days.collect();
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

    fn add(&mut self, order: Day) {
        match self.days.binary_search_by_key(&order.day, |day| day.day) {
            Ok(place) => {
                if let Some(day) = self.days.get_mut(place) {
                    day.totals.add(order.totals);
                }
            }
            Err(place) => self.days.insert(place, order),
        }
    }

    fn remove(&mut self, order: Day) {
        let Ok(place) = self.days.binary_search_by_key(&order.day, |day| day.day) else {
            return;
        };
        if let Some(day) = self.days.get_mut(place) {
            day.totals.subtract(order.totals);
            if day.totals.orders == 0 {
                self.days.remove(place);
            }
        }
    }
}

pub(crate) fn totals_of(days: &[Day]) -> Totals {
    let mut totals = Totals::default();
    for day in days {
        totals.add(day.totals);
    }
    totals
}

/// The ledger of many orders under a version of the tenant's definitions. It follows from the state: all are
/// equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    ledger: Option<(i64, Ledger)>,
    /// The changes of orders that the ledger does not have yet.
    missing: u32,
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

impl Kept {
    pub(super) fn under(&self, version: i64) -> Option<&Ledger> {
        let (kept, ledger) = self.ledger.as_ref()?;
        (*kept == version && self.missing == 0).then_some(ledger)
    }

    pub(super) fn keep(&mut self, version: i64, ledger: Ledger) {
        *self = Self {
            ledger: Some((version, ledger)),
            missing: 0,
        };
    }

    /// Notes that an order has changed, which [`Self::replace`] must follow.
    pub(super) fn changed(&mut self) {
        self.missing += u32::from(self.ledger.is_some());
    }

    /// Replaces what an order adds, after its change; forgets a ledger that has missed another one.
    pub(super) fn replace(&mut self, before: Option<Day>, after: Option<Day>) {
        if std::mem::take(&mut self.missing) > 1 {
            self.ledger = None;
        }
        if let Some((_, ledger)) = &mut self.ledger {
            if let Some(before) = before {
                ledger.remove(before);
            }
            if let Some(after) = after {
                ledger.add(after);
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let days = self
            .ledger
            .as_ref()
            .map(|(_, ledger)| ledger.days.capacity());
        days.unwrap_or_default() * size_of::<Day>()
    }
}

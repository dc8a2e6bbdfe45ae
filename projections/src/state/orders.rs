//! Orders and their refunds, each in its own currency.
//!
//! The same order id twice is a newer version of the order: the greatest (`occurred_at`, event id)
//! wins. A refund that arrives before its order waits; an order id with refunds alone is no order.
//! Conversion into the tenant's currency belongs to `derive`, so that new rates need no new fold.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use tidemark_schemas::event::{OrderPlaced, OrderRefunded};
use tidemark_schemas::{Currency, EventId, Instant};

use super::{Stamp, keep_greatest, price};
use crate::days;

mod encoding;
mod ledger;

pub(crate) use ledger::{Day, Ledger, Totals, totals_of};

/// An order as last placed.
///
/// Ordered so that of two versions the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// The stamp of the event.
    pub stamp: Stamp,
    /// The day it was placed on in the tenant's zone, in days since 1970-01-01.
    pub day: i32,
    /// Total in minor units.
    pub amount_minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
}

/// Money given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refund {
    /// The instant of the refund.
    pub at: Instant,
    /// The amount, in minor units.
    pub amount_minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders {
    placed: BTreeMap<Arc<str>, Placed>,
    refunds: BTreeMap<Arc<str>, BTreeMap<EventId, Refund>>,
    text_bytes: usize,
    ledger: ledger::Kept,
}

/// One order with its refunds.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The seller's id.
    pub order_id: &'a Arc<str>,
    /// The newest version of the order.
    pub placed: &'a Placed,
    refunds: Option<&'a BTreeMap<EventId, Refund>>,
}

impl<'a> Order<'a> {
    /// Refunds in the order of their event ids.
    pub fn refunds(self) -> impl Iterator<Item = &'a Refund> {
        self.refunds.into_iter().flat_map(BTreeMap::values)
    }

    /// Returns the refunded amounts, per currency.
    pub fn refunded(self) -> BTreeMap<Currency, i128> {
        let mut sums = BTreeMap::new();
        for refund in self.refunds() {
            *sums.entry(refund.currency).or_default() += i128::from(refund.amount_minor);
        }
        sums
    }
}

/// The totals of one day, in minor units by currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayTotal {
    /// Orders placed.
    pub orders: u32,
    /// Their amounts.
    pub placed: BTreeMap<Currency, i128>,
    /// Refunds of these orders, whenever they were made.
    pub refunded: BTreeMap<Currency, i128>,
}

impl Orders {
    /// Returns the number of orders.
    pub fn len(&self) -> usize {
        self.placed.len()
    }

    /// Whether nothing was ordered.
    pub fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    /// The orders by id, with their refunds.
    pub fn iter(&self) -> impl Iterator<Item = Order<'_>> {
        // Both are in the order of their ids, so that no order is searched for.
        let mut refunds = self.refunds.iter().peekable();
        self.placed.iter().map(move |(order_id, placed)| {
            while refunds.next_if(|(of, _)| *of < order_id).is_some() {}
            let of_order = refunds.next_if(|(of, _)| *of == order_id);
            Order {
                order_id,
                placed,
                refunds: of_order.map(|(_, refunds)| refunds),
            }
        })
    }

    /// An order by its id; `None` where none was placed, whatever was refunded.
    pub fn get(&self, order_id: &str) -> Option<Order<'_>> {
        let (order_id, placed) = self.placed.get_key_value(order_id)?;
        Some(Order {
            order_id,
            placed,
            refunds: self.refunds.get(order_id),
        })
    }

    /// Every refund by its order and its event, those that wait for their order too.
    pub fn refunds(&self) -> impl Iterator<Item = (&Arc<str>, EventId, &Refund)> {
        let orders = self.refunds.iter();
        orders.flat_map(|(order_id, refunds)| {
            let refunds = refunds.iter();
            refunds.map(move |(id, refund)| (order_id, *id, refund))
        })
    }

    /// The distinct days with an order, in days since 1970-01-01.
    pub fn purchase_days(&self) -> BTreeSet<i32> {
        self.placed.values().map(|placed| placed.day).collect()
    }

    /// Totals by day, in days since 1970-01-01.
    pub fn day_totals(&self) -> BTreeMap<i32, DayTotal> {
        let mut days: BTreeMap<i32, DayTotal> = BTreeMap::new();
        for order in self.iter() {
            let day = days.entry(order.placed.day).or_default();
            day.orders += 1;
            *day.placed.entry(order.placed.currency).or_default() +=
                i128::from(order.placed.amount_minor);
            for refund in order.refunds() {
                *day.refunded.entry(refund.currency).or_default() +=
                    i128::from(refund.amount_minor);
            }
        }
        days
    }

    /// Folds an order in. False when it changes nothing.
    pub(super) fn place(&mut self, order: &OrderPlaced, stamp: Stamp, zone: &TimeZone) -> bool {
        let placed = Placed {
            stamp,
            day: days::day_of(zone, stamp.at),
            amount_minor: order.amount_minor,
            currency: order.currency,
        };
        self.insert_placed(&order.order_id, placed)
    }

    /// Folds a refund in. False when it changes nothing.
    pub(super) fn refund(&mut self, refunded: &OrderRefunded, stamp: Stamp) -> bool {
        let refund = Refund {
            at: stamp.at,
            amount_minor: refunded.amount_minor,
            currency: refunded.currency,
        };
        self.insert_refund(&refunded.order_id, stamp.id, refund)
    }

    fn insert_placed(&mut self, order_id: &Arc<str>, placed: Placed) -> bool {
        let is_changed = match self.placed.entry(Arc::clone(order_id)) {
            Entry::Vacant(vacant) => {
                self.text_bytes += order_id.len();
                vacant.insert(placed);
                true
            }
            Entry::Occupied(mut held) => keep_greatest(held.get_mut(), placed),
        };
        if is_changed {
            self.ledger.changed();
        }
        is_changed
    }

    fn insert_refund(&mut self, order_id: &Arc<str>, id: EventId, refund: Refund) -> bool {
        let refunds = match self.refunds.entry(Arc::clone(order_id)) {
            Entry::Vacant(vacant) => {
                self.text_bytes += order_id.len();
                vacant.insert(BTreeMap::new())
            }
            Entry::Occupied(held) => held.into_mut(),
        };
        let is_changed = match refunds.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(refund);
                true
            }
            Entry::Occupied(mut held) => keep_greatest(held.get_mut(), refund),
        };
        if is_changed {
            self.ledger.changed();
        }
        is_changed
    }

    /// Returns the ledger under a version of the definitions, if it is kept.
    pub(crate) fn kept_ledger(&self, version: i64) -> Option<&Ledger> {
        self.ledger.under(version)
    }

    /// Whether there are so many orders that the ledger is to be kept, and it is not under this version.
    pub(crate) fn lacks_ledger(&self, version: i64) -> bool {
        self.placed.len() >= ledger::MANY && self.ledger.under(version).is_none()
    }

    /// Keeps the ledger under a version of the definitions, for as long as [`Self::move_in_ledger`] follows
    /// each event of an order.
    pub(crate) fn keep_ledger(&mut self, version: i64, ledger: Ledger) {
        self.ledger.keep(version, ledger);
    }

    /// Replaces what an order adds to the ledger that is kept: `before` and after its event.
    pub(crate) fn move_in_ledger(&mut self, before: Option<Day>, after: Option<Day>) {
        self.ledger.replace(before, after);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (order_id, placed) in &other.placed {
            self.insert_placed(order_id, *placed);
        }
        for (order_id, refunds) in &other.refunds {
            for (id, refund) in refunds {
                self.insert_refund(order_id, *id, *refund);
            }
        }
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let refunds: usize = self.refunds.values().map(BTreeMap::len).sum();
        self.text_bytes
            + (self.placed.len() + self.refunds.len()) * price::TEXT
            + self.placed.len() * (price::STAMP + price::DAY + price::MONEY)
            + refunds * (price::STAMP + price::MONEY)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        // One map of refunds for each order that has some, few in each.
        self.text_bytes
            + self.ledger.memory_bytes()
            + super::map_bytes::<Arc<str>, Placed>(self.placed.len())
            + super::map_bytes::<Arc<str>, BTreeMap<EventId, Refund>>(self.refunds.len())
            + self.refunds.len() * super::map_bytes::<EventId, Refund>(1)
            + (self.placed.len() + self.refunds.len()) * super::ARC_BYTES
    }
}

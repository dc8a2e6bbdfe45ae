//! What the figures must be: added up in the plainest way from all events that were folded.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::Definitions;
use tidemark_projections::figures::kinds;
use tidemark_projections::state::Folded;
use tidemark_schemas::{Currency, CustomerEvent, CustomerKey, EventId, Instant, Payload, TenantId};

/// Tenant, kind, dimensions with the day after the first of them, currency, partition.
pub(crate) type Place = (String, String, String, i32, String, String, String, i32);
/// By place; none of them zero.
pub(crate) type Sums = BTreeMap<Place, i128>;

/// Where the kinds begin that follow from events alone.
pub(crate) const OF_EVENTS: [&str; 2] = ["customer.", "revenue."];

type Order = (Instant, EventId, i64, Currency);
type Refunds = BTreeMap<EventId, (Instant, i64, Currency)>;

/// What was said of each customer.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    firsts: BTreeMap<CustomerKey, Instant>,
    orders: BTreeMap<(CustomerKey, Arc<str>), Order>,
    refunds: BTreeMap<(CustomerKey, Arc<str>), Refunds>,
}

impl Naive {
    /// Takes an event in that was not refused.
    pub(crate) fn note(&mut self, event: &CustomerEvent, folded: Folded) {
        if folded == Folded::Duplicate {
            return;
        }
        let (key, at, id) = (event.key(), event.occurred_at, event.event_id);
        let first = self.firsts.entry(key.clone()).or_insert(at);
        *first = at.min(*first);
        if let Payload::OrderPlaced(order) = &event.payload {
            let said = (at, id, order.amount_minor, order.currency);
            let of = (key.clone(), Arc::clone(&order.order_id));
            let held = self.orders.entry(of).or_insert(said);
            *held = said.max(*held);
        }
        if let Payload::OrderRefunded(refund) = &event.payload {
            let said = (at, refund.amount_minor, refund.currency);
            let of = (key, Arc::clone(&refund.order_id));
            let refunds = self.refunds.entry(of).or_default();
            let held = refunds.entry(id).or_insert(said);
            *held = said.max(*held);
        }
    }

    /// What all of it adds up to; `home` is the partition of a customer.
    pub(crate) fn sums(
        &self,
        definitions: &Definitions,
        home: impl Fn(&CustomerKey) -> i32,
    ) -> Sums {
        let mut sums = Sums::new();
        let mut add = |key: &CustomerKey, kind: &str, at, currency: Option<Currency>, by: i64| {
            let code = currency.map_or_else(String::new, |currency| currency.code().to_owned());
            let none = String::new;
            let place = (
                key.tenant.to_string(),
                kind.to_owned(),
                none(),
                day(definitions, &key.tenant, at),
                none(),
                none(),
                code,
                home(key),
            );
            *sums.entry(place).or_default() += i128::from(by);
        };
        for (key, first) in &self.firsts {
            add(key, kinds::CUSTOMERS_NEW, *first, None, 1);
        }
        for (of, (at, _, amount, currency)) in &self.orders {
            add(&of.0, kinds::ORDERS, *at, Some(*currency), 1);
            add(&of.0, kinds::GROSS, *at, Some(*currency), *amount);
            for (at, amount, currency) in
                self.refunds.get(of).into_iter().flat_map(BTreeMap::values)
            {
                add(&of.0, kinds::REFUNDS, *at, Some(*currency), 1);
                add(&of.0, kinds::REFUNDED, *at, Some(*currency), *amount);
            }
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }
}

/// By the clocks of the tenant's zone.
fn day(definitions: &Definitions, tenant: &TenantId, at: Instant) -> i32 {
    let zone = definitions.tenant(tenant).unwrap().rules.zone.clone();
    let date = at.to_jiff().to_zoned(zone).date();
    let epoch = jiff::civil::date(1970, 1, 1);
    i32::try_from(date.duration_since(epoch).as_hours() / 24).unwrap()
}

//! The ledger of a customer with many orders: kept between events, it is the one that all orders add up
//! to.

use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::customer::{Customer, Encoded, InForce, Tracking};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_schemas::event::{OrderPlaced, OrderRefunded};
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Payload, TenantId};
use uuid::Uuid;

use super::random::DAY;
use super::support::{at, tenant_with};

/// Orders in JPY are not converted.
const SETTINGS: &str = "zone: Europe/Berlin, currency: EUR, rates: { USD: 0.92 }";
const SEGMENTS: &str = "segments:
  - { name: recent, when: { orders: { count: { gte: 3 }, within: 20d } } }
  - { name: large, when: { orders: { revenue: { gte: 500 } } } }
  - { name: dear, when: { orders: { average: { gte: 20 } } } }
  - { name: gone, when: { churn: { band: high } } }
";

/// Returns a version of the tenant's definitions.
fn version(version: i64, segments: &str) -> TenantDefinitions {
    let mut tenant = Arc::into_inner(tenant_with(SETTINGS, segments)).unwrap();
    tenant.version = version;
    tenant
}

/// An event of an order: its number, its day, its currency, its amount, and whether it is a refund.
type Step = (u128, i64, &'static str, i64, bool);

/// Orders and refunds of few ids, so that many are placed again on another day, in another currency.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let currencies = prop::sample::select(vec!["EUR", "USD", "JPY"]);
    let step = (
        0..120_u128,
        0..120_i64,
        currencies,
        1..9_000_i64,
        prop::bool::weighted(0.2),
    );
    prop::collection::vec(step, 200..400)
}

fn event(number: u128, (order, day, currency, amount_minor, refunded): Step) -> CustomerEvent {
    let order_id: Arc<str> = order.to_string().into();
    let currency = Currency::new(currency).unwrap();
    let payload = if refunded {
        Payload::OrderRefunded(OrderRefunded {
            order_id,
            amount_minor,
            currency,
        })
    } else {
        Payload::OrderPlaced(OrderPlaced {
            order_id,
            amount_minor,
            currency,
            items: None,
            channel: None,
        })
    };
    CustomerEvent {
        event_id: EventId(Uuid::from_u128(number)),
        tenant_id: TenantId::new("t").unwrap(),
        customer_id: CustomerId::new("c").unwrap(),
        source: "test".into(),
        occurred_at: at("2026-03-01T00:00:00Z").plus_micros(day * DAY),
        payload,
    }
}

fn reread(customer: &Customer) -> Customer {
    let stored = customer.encode();
    let stored = Encoded {
        state: &stored.state[..],
        tracked: &stored.tracked,
        evaluated: &stored.evaluated,
    };
    Customer::decode(&CustomerId::new("c").unwrap(), stored).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn customer_in_memory_folds_many_orders_as_one_that_was_read(steps in steps()) {
        let versions = [version(0, SEGMENTS), version(1, &SEGMENTS.replace("500", "900"))];
        let (mut kept, mut read) = (Customer::new(0), Customer::new(0));
        let tracking = Tracking::new();
        let clock = at("2026-03-01T00:00:00Z");
        let redefined = steps.len() * 3 / 4;
        for (number, step) in steps.into_iter().enumerate() {
            let definitions = &versions[usize::from(number >= redefined)];
            let in_force = InForce { definitions, tracking: &tracking };
            if number == redefined {
                prop_assert_eq!(kept.redefine(in_force, clock), read.redefine(in_force, clock));
            }
            let event = event(number as u128, step);
            let folded = kept.fold(in_force, &event, clock);
            prop_assert_eq!(folded, read.fold(in_force, &event, clock));
            read = reread(&read);
            prop_assert_eq!(kept.encode(), read.encode());
        }
        prop_assert!(kept.state().orders.len() >= 64, "many orders");
    }
}

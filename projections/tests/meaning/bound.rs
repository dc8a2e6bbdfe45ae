//! The bound of a customer: a function of its state and the event, whether the state stayed in memory
//! or was read.

use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::customer::{Customer, Encoded, Fold, InForce, Refused, Tracking};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::state::Folded;
use tidemark_schemas::event::{
    ActivityTracked, AttributeMap, ConsentChanged, CustomerErased, OrderPlaced, ProfileUpdated,
};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId,
};
use uuid::Uuid;

use super::random::DAY;
use super::support::{SETTINGS, at, tenant_with};

const MINUTE: i64 = 60_000_000;

/// A tenant that counts some activities, and its bound in bytes.
fn bounded(bytes: usize) -> TenantDefinitions {
    let counted = "segments:\n  - name: keen\n    \
                   when: { event: { name: login, where: { name: p, eq: x }, count: { gte: 2 } } }\n";
    let mut tenant = Arc::into_inner(tenant_with(SETTINGS, counted)).unwrap();
    tenant.max_customer_bytes = bytes;
    tenant
}

fn event(id: u128, occurred_at: Instant, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::from_u128(id)),
        tenant_id: TenantId::new("t").unwrap(),
        customer_id: CustomerId::new("c").unwrap(),
        source: "test".into(),
        occurred_at,
        payload,
    }
}

fn login() -> Payload {
    let properties = AttributeMap::from([("p".into(), AttributeValue::String("x".into()))]);
    Payload::ActivityTracked(ActivityTracked {
        name: "login".into(),
        properties,
    })
}

fn order(number: u128) -> Payload {
    Payload::OrderPlaced(OrderPlaced {
        order_id: number.to_string().into(),
        amount_minor: 100,
        currency: Currency::new("EUR").unwrap(),
        items: None,
        channel: None,
    })
}

fn profile(number: u128) -> Payload {
    let value = AttributeValue::String(format!("value {number}").into());
    let attributes = AttributeMap::from([("plan".into(), value)]);
    Payload::ProfileUpdated(ProfileUpdated { attributes })
}

fn consent(purpose: &str) -> Payload {
    Payload::ConsentChanged(ConsentChanged {
        purpose: purpose.into(),
        granted: true,
    })
}

fn erased() -> Payload {
    Payload::CustomerErased(CustomerErased {
        reason: "gdpr-art-17".into(),
    })
}

fn fold(customer: &mut Customer, definitions: &TenantDefinitions, event: &CustomerEvent) -> Fold {
    let mut tracking = Tracking::new();
    tracking.activate(definitions, Instant::MIN);
    let in_force = InForce {
        definitions,
        tracking: &tracking,
    };
    customer.fold(in_force, event, event.occurred_at)
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

fn is_too_large(fold: &Fold) -> bool {
    matches!(fold.outcome, Err(Refused::TooLarge(_)))
}

/// Events of some weeks, in the order of the log: bursts and pauses, some of them older.
fn logs() -> impl Strategy<Value = Vec<CustomerEvent>> {
    let kinds = prop::sample::select(vec![0, 0, 0, 0, 1, 2, 3, 4]);
    let gaps = prop_oneof![8 => 0..MINUTE, 2 => 0..DAY / 24, 1 => 0..9 * DAY, 1 => -2 * DAY..0];
    prop::collection::vec((kinds, gaps), 1..160).prop_map(|steps| {
        let mut clock = at("2026-03-01T00:00:00Z");
        let numbered = steps.into_iter().zip(1_u128..);
        let events = numbered.map(|((kind, gap), number)| {
            let occurred_at = clock.plus_micros(gap);
            clock = clock.max(occurred_at);
            let payload = match kind {
                0 => login(),
                1 => order(number),
                2 => profile(number),
                3 => consent(&format!("purpose {number}")),
                _ => erased(),
            };
            event(number, occurred_at, payload)
        });
        events.collect()
    })
}

proptest! {
    #[test]
    fn bound_decides_the_same_for_states_in_memory_and_states_that_were_read(
        log in logs(),
        bound in 100..3_000_usize,
        read_before in prop::collection::vec(any::<bool>(), 160),
    ) {
        let definitions = bounded(bound);
        let (mut kept, mut read, mut mixed) = (Customer::new(0), Customer::new(0), Customer::new(0));
        for (event, read_it) in log.iter().zip(read_before) {
            read = reread(&read);
            if read_it {
                mixed = reread(&mixed);
            }
            let before = kept.encode();
            let size = kept.state().size_bytes();
            let fold_kept = fold(&mut kept, &definitions, event);
            prop_assert_eq!(&fold_kept, &fold(&mut read, &definitions, event));
            prop_assert_eq!(&fold_kept, &fold(&mut mixed, &definitions, event));
            prop_assert_eq!(kept.encode(), read.encode());
            if let Err(Refused::TooLarge(too_large)) = fold_kept.outcome {
                prop_assert!(size >= too_large.bound && size == too_large.bytes);
                prop_assert_eq!(before, kept.encode(), "a refused event changes nothing");
                prop_assert!(!fold_kept.effects.dirty);
            } else if size >= 2 * bound {
                let last = kept.state().last_seen_at();
                prop_assert!(last == Some(event.occurred_at), "only time makes room");
            }
        }
    }
}

#[test]
fn events_of_a_customer_at_its_bound_are_refused_with_size_and_bound() {
    let definitions = bounded(16 * 1_024);
    let mut customer = Customer::new(0);
    let start = at("2026-03-01T00:00:00Z");
    let outcomes = (0..2_000_u128).map(|number| {
        let at = start.plus_micros(i64::try_from(number).unwrap());
        fold(
            &mut customer,
            &definitions,
            &event(number, at, order(number)),
        )
        .outcome
    });
    let outcomes: Vec<_> = outcomes.collect();
    let folded = outcomes
        .iter()
        .take_while(|it| **it == Ok(Folded::New))
        .count();
    let (size, bytes) = (customer.state().size_bytes(), customer.encode().state.len());
    assert!(
        (16 * 1_024..16 * 1_024 + 100).contains(&size),
        "{size} bytes"
    );
    assert!(bytes < size && bytes > size / 2, "{bytes} bytes are stored");
    let refused: Vec<_> = outcomes[folded..].iter().collect();
    let message = format!("the customer has {size} bytes of state, and the bound is 16384");
    assert!(
        refused
            .iter()
            .all(|it| it.as_ref().unwrap_err().to_string() == message)
    );
}

#[test]
fn customer_has_room_again_once_its_events_are_older_than_the_horizon() {
    let definitions = bounded(2_000);
    let mut customer = Customer::new(0);
    let start = at("2026-03-01T10:00:00Z");
    let mut number = 0;
    let mut at_minute = |customer: &mut Customer, minute: i64| {
        number += 1;
        let event = event(number, start.plus_micros(minute * MINUTE), login());
        is_too_large(&fold(customer, &definitions, &event))
    };
    let refused = (0..100).filter(|_| at_minute(&mut customer, 0)).count();
    assert!(refused > 20, "{refused}");
    // Instants are kept for 72 hours, ids for seven days; the decision is made for full hours.
    let [days_3, days_6, days_7] = [3, 6, 7].map(|days| days * 24 * 60);
    assert!(at_minute(&mut customer, days_3 + 59));
    assert!(!at_minute(&mut customer, days_3 + 61));
    while !at_minute(&mut customer, days_6 + 121) {}
    assert!(at_minute(&mut customer, days_7 + 59));
    assert!(!at_minute(&mut customer, days_7 + 61));
    assert!(
        !at_minute(&mut customer, days_7 + 61),
        "the ids of the burst are forgotten"
    );
}

#[test]
fn consents_and_erasures_are_folded_up_to_twice_the_bound() {
    let definitions = bounded(2_000);
    let mut customer = Customer::new(0);
    let start = at("2026-03-01T00:00:00Z");
    let mut number = 0;
    let mut refuses = |payload: Payload| {
        number += 1;
        is_too_large(&fold(
            &mut customer,
            &definitions,
            &event(number, start, payload),
        ))
    };
    while !refuses(login()) {}
    assert!(
        !refuses(erased()) && !refuses(consent("email")),
        "they have as much room again"
    );
    assert!(refuses(login()));
    let consents = (0..1_000).take_while(|purpose| !refuses(consent(&format!("{purpose}"))));
    assert!((20..200).contains(&consents.count()), "but not more");
    assert!(refuses(erased()));
}

#[test]
fn raised_bound_lets_the_refused_events_through() {
    let mut customer = Customer::new(0);
    let start = at("2026-03-01T00:00:00Z");
    let (small, large) = (bounded(1_000), bounded(100_000));
    let mut expected = Customer::new(0);
    let mut refused = Vec::new();
    for number in 0..200_u128 {
        let event = event(number, start, order(number));
        fold(&mut expected, &large, &event);
        if is_too_large(&fold(&mut customer, &small, &event)) {
            refused.push(event);
        }
    }
    assert!(refused.len() > 100);
    for event in &refused {
        assert_eq!(fold(&mut customer, &large, event).outcome, Ok(Folded::New));
    }
    assert_eq!(customer.encode(), expected.encode());
}

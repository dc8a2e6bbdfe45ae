//! The engine's laws, without Kafka and Postgres: neither how the log is cut into batches nor what
//! is forgotten, loaded again or folded again after a crash leaves a trace.

mod accepted;
mod bound;
mod clock_marks;
mod history;
mod rig;
mod rollups;
mod table;
mod tracked;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemark_projections::definitions::Definitions;
use tidemark_schemas::event::{
    ActivityTracked, CampaignTouched, OrderPlaced, ProfileUpdated, StageEntered,
};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId,
};
use uuid::Uuid;

use self::rig::{Activations, Entry, Rig, define, offset};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Room for everything.
const PLENTY: usize = 1 << 30;

const BEFORE: &str = "
tenant: { id: acme, zone: America/Havana, currency: EUR }
segments:
  - name: recent
    when: { orders: { count: { gte: 1 }, within: 7d } }
  - name: settled
    when: { attribute: { name: plan, eq: pro, has_been_for: 3d } }
  - name: gone
    when: { all: [{ churn: { band: high } }, { not: { segment: recent } }] }
  - name: stuck
    when: { stage: { journey: sales, is: lead, in_for: 48h } }
  - name: keen
    when: { event: { name: visit, where: { name: path, eq: pricing }, count: { gte: 2 }, within: 30h } }
journeys:
  - name: sales
    stages: [lead, customer]
";

const AFTER: &str = "
tenant: { id: acme, zone: America/Havana, currency: EUR, attribution: { window: 2d } }
segments:
  - name: recent
    when: { orders: { count: { gte: 1 }, within: 2d } }
  - name: keen
    when: { event: { name: visit, where: { name: path, eq: pricing }, within: 3d } }
  - name: unsettled
    when: { not: { attribute: { name: plan, eq: pro, has_been_for: 30h } } }
journeys:
  - name: sales
    stages: [customer, { name: lead, when: { segment: keen } }, elsewhere]
";

const OTHER: &str = "
tenant: { id: bolt, zone: Europe/Berlin, currency: EUR }
segments:
  - name: settled
    when: { attribute: { name: plan, exists: true, has_been_for: 1d } }
";

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn start() -> Instant {
    at("2024-03-01T00:00:00Z")
}

fn event(id: u128, tenant: &str, customer: &str, at: Instant, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::from_u128(id)),
        tenant_id: TenantId::new(tenant).expect("an id"),
        customer_id: CustomerId::new(customer).expect("an id"),
        source: "test".into(),
        occurred_at: at,
        payload,
    }
}

fn plan(value: &str) -> Payload {
    let value = AttributeValue::String(value.into());
    let attributes = BTreeMap::from([("plan".into(), value)]);
    Payload::ProfileUpdated(ProfileUpdated { attributes })
}

fn order(id: u32) -> Payload {
    Payload::OrderPlaced(OrderPlaced {
        order_id: format!("o{id}").into(),
        amount_minor: 100,
        currency: Currency::new("EUR").expect("a currency"),
        items: None,
        channel: None,
    })
}

fn stage(name: &str) -> Payload {
    Payload::StageEntered(StageEntered {
        journey: "sales".into(),
        stage: name.into(),
    })
}

fn activity(path: &str) -> Payload {
    let path = AttributeValue::String(path.into());
    Payload::ActivityTracked(ActivityTracked {
        name: "visit".into(),
        properties: BTreeMap::from([("path".into(), path)]),
    })
}

fn touch(campaign: &str) -> Payload {
    Payload::CampaignTouched(CampaignTouched {
        campaign: campaign.into(),
        channel: "email".into(),
        cost_minor: None,
        currency: None,
    })
}

fn payloads() -> impl Strategy<Value = Payload> {
    prop_oneof![
        (0..5_u32).prop_map(order),
        prop::sample::select(vec!["pro", "free"]).prop_map(plan),
        prop::sample::select(vec!["lead", "customer", "other"]).prop_map(stage),
        prop::sample::select(vec!["pricing", "home"]).prop_map(activity),
        prop::sample::select(vec!["spring", "autumn"]).prop_map(touch),
    ]
}

/// Events that come in any order, late, twice, and up to five minutes ahead of the broker's clock.
fn logs() -> impl Strategy<Value = Vec<Entry>> {
    let customers = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g"]);
    let tenants = prop::sample::select(vec!["acme", "acme", "acme", "bolt"]);
    let gaps = prop_oneof![Just(0), 0..MINUTE, 0..4 * DAY];
    let lags = prop_oneof![-5 * MINUTE..=0, 0..DAY, 0..12 * DAY];
    let events = (0..40_u128, tenants, customers, payloads(), gaps, lags);
    prop::collection::vec(events, 1..40).prop_map(|events| {
        let mut clock = start();
        let mut log = Vec::new();
        for (id, tenant, customer, payload, gap, lag) in events {
            clock = clock.plus_micros(gap);
            let occurred_at = clock.plus_micros(-lag);
            // The same id is the same event.
            let again = log
                .iter()
                .find(|entry: &&Entry| entry.event.event_id == EventId(Uuid::from_u128(id)));
            let event = again.map_or_else(
                || event(id, tenant, customer, occurred_at, payload),
                |entry| entry.event.clone(),
            );
            log.push(Entry {
                appended_at: clock,
                event,
            });
        }
        log
    })
}

/// The events beside reading on.
#[derive(Debug, Clone)]
enum Step {
    Read(usize),
    Settle,
    Restart { landed: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..8_usize).prop_map(Step::Read),
        1 => Just(Step::Settle),
        1 => any::<bool>().prop_map(|landed| Step::Restart { landed }),
    ];
    prop::collection::vec(step, 0..30)
}

/// How many timers fire in a batch, beside its records.
fn timers_per_batch() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 2, 5, usize::MAX])
}

fn run<'a>(
    log: &'a [Entry],
    activations: &'a Activations,
    (memory, timers): (usize, usize),
    steps: &[Step],
) -> Rig<'a> {
    let mut rig = Rig::new(log, activations, memory);
    rig.timers = timers;
    for step in steps {
        match step {
            Step::Read(records) => drop(rig.turn(*records)),
            Step::Settle => rig.settle(),
            Step::Restart { landed } => rig.restart(*landed),
        }
    }
    rig.read_all(3);
    rig
}

fn end_of(log: &[Entry]) -> Instant {
    let last = log.iter().map(|entry| entry.appended_at).max();
    last.unwrap_or_else(start).plus_micros(400 * DAY)
}

fn both_tenants() -> Definitions {
    let acme = define(&Definitions::default(), 0, start(), BEFORE);
    define(&acme, 1, start(), OTHER)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_batches_any_memory_any_crashes_give_the_same_rows(
        log in logs(),
        steps in steps(),
        memory in prop::sample::select(vec![0, 4_000, PLENTY]),
        timers in timers_per_batch(),
    ) {
        let activations = Activations::from([(0, both_tenants())]);
        let mut one_by_one = Rig::new(&log, &activations, PLENTY);
        one_by_one.timers = usize::MAX;
        one_by_one.read_all(1);
        let mut any = run(&log, &activations, (memory, timers), &steps);
        for rig in [&mut one_by_one, &mut any] {
            rig.assert_timers_cover();
            rig.idle_until(end_of(&log));
            rig.assert_timers_cover();
            rig.assert_counters_add_up();
            rig.assert_rollups_add_up();
        }
        let (expected, found) = (&one_by_one.table, &any.table);
        prop_assert_eq!(&found.customers, &expected.customers);
        prop_assert_eq!(&found.digests, &expected.digests);
        prop_assert_eq!(&found.counters, &expected.counters);
        prop_assert_eq!(&found.rollups, &expected.rollups);
        prop_assert_eq!(&found.memberships, &expected.memberships);
        prop_assert_eq!(&found.positions, &expected.positions);
        prop_assert_eq!(&found.parked, &expected.parked);
        prop_assert_eq!(any.histories(), one_by_one.histories());
    }

    #[test]
    fn new_definitions_reach_every_customer_as_of_the_same_instant(
        log in logs(),
        steps in steps(),
        memory in prop::sample::select(vec![0, PLENTY]),
        timers in timers_per_batch(),
        place in 0..40_i64,
    ) {
        let before = both_tenants();
        let appended_at = log.iter().zip(0..).take_while(|(_, at)| *at < place).last();
        let appended_at = appended_at.map_or_else(start, |(entry, _)| entry.appended_at);
        let after = define(&before, 2, appended_at, AFTER);
        let place = place.min(offset(log.len()));
        let activations = Activations::from([(0, before), (place, after)]);
        let mut one_by_one = Rig::new(&log, &activations, PLENTY);
        one_by_one.timers = usize::MAX;
        one_by_one.read_all(1);
        let mut any = run(&log, &activations, (memory, timers), &steps);
        for rig in [&mut one_by_one, &mut any] {
            rig.assert_timers_cover();
            rig.idle_until(end_of(&log));
            rig.assert_timers_cover();
            rig.assert_counters_add_up();
            rig.assert_rollups_add_up();
        }
        let (expected, found) = (&one_by_one.table, &any.table);
        prop_assert_eq!(&found.customers, &expected.customers);
        prop_assert_eq!(&found.counters, &expected.counters);
        prop_assert_eq!(&found.rollups, &expected.rollups);
        prop_assert_eq!(&found.memberships, &expected.memberships);
        prop_assert_eq!(&found.positions, &expected.positions);
        prop_assert_eq!(&found.activations, &expected.activations);
        prop_assert_eq!(any.histories(), one_by_one.histories());
    }

    #[test]
    fn events_that_came_before_their_tenant_count_as_if_it_had_been_there(
        log in logs(),
        steps in steps(),
        place in 0..40_i64,
    ) {
        let known = Activations::from([(0, both_tenants())]);
        let acme = define(&Definitions::default(), 0, start(), BEFORE);
        let place = place.min(offset(log.len()));
        let unknown = Activations::from([(0, acme), (place, both_tenants())]);
        let mut expected = Rig::new(&log, &known, PLENTY);
        expected.read_all(5);
        let found = run(&log, &unknown, (0, 2), &steps);
        found.assert_timers_cover();
        found.assert_counters_add_up();
        found.assert_rollups_add_up();
        prop_assert_eq!(&found.table.digests, &expected.table.digests);
        prop_assert_eq!(&found.table.parked, &expected.table.parked);
        prop_assert_eq!(&found.table.counters, &expected.table.counters);
        for (key, row) in &expected.table.customers {
            prop_assert_eq!(Some(&row.state), found.table.customers.get(key).map(|row| &row.state));
        }
    }
}

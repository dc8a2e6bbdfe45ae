//! Memory: a working set larger than the budget, a customer with fifty thousand events, and a
//! tenant with nine tenths of all events.

use std::time::{Duration, Instant};

use tidemark_processor::clock::WallClock;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerEvent, CustomerId, CustomerKey, Partitioner, TenantId};

use crate::support::generate::{Generator, Population};
use crate::support::publish::Publisher;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Running, Site};

const SEED: u64 = 7;
const DAY_MICROS: i64 = 86_400_000_000;
const MIB: u64 = 1024 * 1024;
/// The memory that a processor may hold beside its budget.
const BESIDE: u64 = 100 * MIB;
const DEADLINE: Duration = Duration::from_mins(3);

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR, rates: { USD: \"0.92\" } }
segments:
  - { name: buyers, when: { orders: { count: { gte: 3 } } } }
journeys:
  - { name: sales, stages: [lead, trial, customer] }
---
tenant: { id: globex, zone: America/New_York, currency: USD }
segments:
  - { name: customers, when: { stage: { journey: sales, is: customer } } }
journeys:
  - { name: sales, stages: [lead, trial, customer] }
";

fn generator(tenants: &[&str], customers: u32) -> Generator {
    let population = Population {
        tenants: tenants
            .iter()
            .map(|id| TenantId::new(*id).unwrap())
            .collect(),
        customers,
        begin: WallClock::System.now().plus_micros(-10 * DAY_MICROS),
        days: 6,
    };
    Generator::new(SEED, population)
}

fn publish(publisher: &Publisher, events: &[CustomerEvent]) {
    for event in events {
        publisher.event(event);
    }
    publisher.flush();
}

fn home(key: &CustomerKey) -> i32 {
    Partitioner::Murmur2.partition(key.record_key().as_bytes(), PARTITIONS)
}

/// Observations of a processor until all records were folded.
struct Watched {
    /// The largest anonymous resident memory.
    resident: u64,
    /// The longest time without a commit.
    pause: Duration,
    /// The records left in each partition when all others had reached their end.
    left_of_last: i64,
}

/// Observes the processor until all records are folded.
async fn watch(site: &Site, processor: &Running) -> Watched {
    let ends = read::ends(site.kafka, &site.topic);
    let projections = site.projections().await;
    let begun = Instant::now();
    let (mut seen, mut moved): (Vec<(i32, i64)>, Option<Instant>) = (Vec::new(), None);
    let mut watched = Watched {
        resident: 0,
        pause: Duration::ZERO,
        left_of_last: 0,
    };
    loop {
        assert!(begun.elapsed() < DEADLINE, "at {seen:?} of {ends:?}");
        watched.resident = watched.resident.max(processor.anonymous_bytes());
        let at: Vec<(i32, i64)> = projections
            .rows("select partition, next_offset from $gen.progress order by partition")
            .await;
        if at != seen {
            if let Some(moved) = moved {
                watched.pause = watched.pause.max(moved.elapsed());
            }
            (seen, moved) = (at, Some(Instant::now()));
        }
        if seen.len() == ends.len() {
            let left: Vec<i64> = ends
                .iter()
                .zip(&seen)
                .map(|((_, end), (_, at))| end - at)
                .collect();
            let behind = left.iter().filter(|left| **left > 0).count();
            if behind == 0 {
                return watched;
            }
            if behind == 1 && watched.left_of_last == 0 {
                watched.left_of_last = left.iter().sum();
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn working_set_over_the_budget_is_folded_correctly_in_bounded_memory() {
    // Given customers with many events in random order, and a budget for a part of their states
    const BUDGET_MIB: u64 = 4;
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let events = generator(&["acme", "globex"], 4_000).events(40_000);
    publish(&site.publisher().await, &events);

    // When they are folded
    let processor = site.process(&["--set", &format!("processor.memory_mib={BUDGET_MIB}")]);
    let watched = watch(&site, &processor).await;
    processor.terminate();

    // Then the states equal a fold in memory, which would not have fitted into the budget
    let expected = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    let states = expected.states();
    let needed = states
        .values()
        .map(|bytes| CustomerState::decode(bytes).unwrap().memory_bytes() as u64);
    let needed: u64 = needed.sum();
    assert!(
        needed > 2 * BUDGET_MIB * MIB,
        "the states need only {needed} bytes"
    );
    let most = BUDGET_MIB * MIB + BESIDE;
    assert!(
        watched.resident < most,
        "{} of {most} bytes",
        watched.resident
    );
}

#[tokio::test]
async fn customer_with_fifty_thousand_events_does_not_delay_commits() {
    // Given one customer with almost all events
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let events = generator(&["acme"], 1).events(50_000);
    publish(&site.publisher().await, &events);

    // When they are folded
    let processor = site.process(&[]);
    let watched = watch(&site, &processor).await;
    processor.terminate();

    // Then its state equals the fold of its events, and no commit took long
    let definitions = read::definitions(site.kafka, &site.definitions_topic);
    let rules = &definitions.tenant(&events[0].tenant_id).unwrap().rules;
    let mut expected = CustomerState::default();
    for event in &events {
        expected.fold(event, rules).unwrap();
    }
    let states = site.projections().await.states().await;
    assert_eq!(states[&events[0].key()], expected.encode());
    let pause = watched.pause;
    assert!(pause < Duration::from_secs(15), "no commit for {pause:?}");
}

#[tokio::test]
async fn tenant_with_nine_tenths_of_the_traffic_does_not_starve_others() {
    // Given one tenant with a backlog in one partition, and another with events in all others
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let mut hot = generator(&["acme"], 2_000).events(60_000);
    let name = |number: u32| CustomerId::new(format!("customer-{number:05}")).unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let at_home_in_0: Vec<CustomerId> = (0..)
        .map(name)
        .filter(|customer| {
            let (tenant, customer) = (tenant.clone(), customer.clone());
            home(&CustomerKey { tenant, customer }) == 0
        })
        .take(500)
        .collect();
    for (event, customer) in hot.iter_mut().zip(at_home_in_0.iter().cycle()) {
        event.customer_id = customer.clone();
    }
    let mut cold = generator(&["globex"], 2_000).events(8_000);
    cold.retain(|event| home(&event.key()) != 0);
    let publisher = site.publisher().await;
    publish(&publisher, &hot);
    publish(&publisher, &cold);

    // When they are folded within a small budget
    let processor = site.process(&["--set", "processor.memory_mib=16"]);
    let watched = watch(&site, &processor).await;
    processor.terminate();

    // Then the other tenant is done long before, and memory stayed within its bounds
    assert!(
        watched.left_of_last > i64::try_from(hot.len() / 4).unwrap(),
        "only {} records were left when the others were done",
        watched.left_of_last
    );
    assert!(
        watched.resident < 16 * MIB + BESIDE,
        "{} bytes",
        watched.resident
    );
    let expected = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    site.projections().await.assert_equal(&expected).await;
}

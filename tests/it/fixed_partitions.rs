//! Fixed partitions: a processor without a consumer group, which folds up to given offsets by the newest
//! definitions or by those of a recorded history, and then ends.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemark_processor::Membership;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::StageEntered;
use tidemark_schemas::{
    CustomerEvent, CustomerId, EventId, Instant, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::generate::{Generator, Population};
use crate::support::history::{
    assert_same_outcome, fold_as_recorded, positions, run_to_the_end, wait_until_in_force,
};
use crate::support::processor;
use crate::support::publish::Publisher;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const SEED: u64 = 47;
const SOON: Duration = Duration::from_mins(1);
const DAY_MICROS: i64 = 86_400_000_000;

fn definitions(at_least: u32) -> String {
    format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR, rates: {{ USD: \"0.92\" }} }}
segments:
  - name: buyers
    when: {{ orders: {{ count: {{ gte: {at_least} }} }} }}
  - name: customers
    when: {{ stage: {{ journey: sales, is: customer }} }}
journeys:
  - name: sales
    stages: [lead, trial, customer]
"
    )
}

/// Events of six days, so that the dedup horizon of seven days recognises every duplicate.
fn events(count: usize) -> Vec<CustomerEvent> {
    let population = Population {
        tenants: vec![TenantId::new("acme").unwrap()],
        customers: 1_500,
        begin: WallClock::System.now().plus_micros(-10 * DAY_MICROS),
        days: 6,
    };
    Generator::new(SEED, population).events(count)
}

fn publish(publisher: &Publisher, events: &[CustomerEvent]) {
    for event in events {
        publisher.event(event);
    }
    publisher.flush();
}

#[tokio::test]
async fn fixed_partitions_are_folded_to_their_ends_and_no_further() {
    // Given a topic, and for each of its partitions an offset in the middle
    let site = Site::new().await;
    site.define(&definitions(3));
    publish(&site.publisher().await, &events(20_000));
    let ends = read::ends(site.kafka, &site.topic);
    let middle: BTreeMap<i32, i64> = ends.iter().map(|&(p, end)| (p, end / 2)).collect();

    // When a processor folds the partitions to these offsets
    let fixed = processor::start(&site, &site.database.url).await;
    run_to_the_end(fixed.with_membership(Membership::Fixed(middle.clone()))).await;

    // Then it ends there
    let projections = site.projections().await;
    assert_eq!(positions(&projections).await, middle);
    projections.assert_consistent().await;

    // When a member of the group goes on from there, then every event is folded once
    let member = site.process(&[]);
    site.wait_until_folded(SOON).await;
    member.terminate();
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let reference =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    projections.assert_equal(&reference).await;
    projections.assert_consistent().await;
}

#[tokio::test]
async fn processor_without_any_partition_ends_at_once() {
    let site = Site::new().await;
    let fixed = processor::start(&site, &site.database.url).await;
    run_to_the_end(fixed.with_membership(Membership::Fixed(BTreeMap::new()))).await;
}

#[tokio::test]
async fn recorded_history_gives_the_projections_of_the_processor_that_recorded_it() {
    // Given projections that were folded while definitions changed twice, of producers with different
    // partitioners
    let site = Site::new().await;
    let member = site.process(&[]);
    let projections = site.projections().await;
    let all = events(30_000);
    let partitioners = Partitioner::ALL.iter().zip([3, 2, 4]);
    for (part, (partitioner, at_least)) in all.chunks(10_000).zip(partitioners) {
        let publisher = site.publisher_with(*partitioner).await;
        let version = i64::from(at_least != 3) + i64::from(at_least == 4);
        site.define(&definitions(at_least));
        wait_until_in_force(&projections, version).await;
        publish(&publisher, part);
        site.wait_until_folded(SOON).await;
    }
    member.terminate();
    let ends = positions(&projections).await;

    // When another database is folded by the history that they recorded
    let folded = fold_as_recorded(&site, &ends).await;

    // Then it holds the same, and has forwarded nothing
    let at_the_end: BTreeMap<i32, i64> = read::ends(site.kafka, &site.topic).into_iter().collect();
    assert_eq!(at_the_end, ends);
    assert_eq!(positions(&folded).await, ends);
    assert_same_outcome(&projections, &folded).await;
}

/// The customers that are due at one instant.
const DUE: u32 = 30_000;

fn waiting(hours: u32) -> String {
    format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR }}
segments:
  - name: stuck
    when: {{ stage: {{ journey: sales, is: lead, in_for: {hours}h }} }}
journeys:
  - name: sales
    stages: [lead, customer]
"
    )
}

/// Returns an event of each of so many customers that enters a stage.
fn entering(name: &str, count: u32, stage: &str, occurred_at: Instant) -> Vec<CustomerEvent> {
    let event = |number| CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(format!("{name}-{number}")).unwrap(),
        source: "test".into(),
        occurred_at,
        payload: Payload::StageEntered(StageEntered {
            journey: "sales".into(),
            stage: stage.into(),
        }),
    };
    (0..count).map(event).collect()
}

#[tokio::test]
async fn recorded_history_gives_the_same_where_definitions_changed_while_many_timers_were_due() {
    // Given very many customers that are due at one instant, soon
    let site = Site::new().await;
    let member = site.process(&[]);
    let projections = site.projections().await;
    site.define(&waiting(480));
    wait_until_in_force(&projections, 0).await;
    let publisher = site.publisher().await;
    let due = WallClock::System.now().plus_micros(20_000_000);
    let entered = due.plus_micros(-20 * DAY_MICROS);
    publish(&publisher, &entering("due", DUE, "lead", entered));
    site.wait_until_folded(SOON).await;

    // When they fall due, records are folded and other definitions come into force in the midst of it
    let left = format!(
        "select count(*) from $gen.timer where due_at <= {}",
        due.micros()
    );
    wait_for(SOON, "timers to fire", async || {
        match projections.number(&left).await {
            left if left < i64::from(DUE) => Ok(()),
            left => Err(format!("all {left} are due")),
        }
    })
    .await;
    publish(&publisher, &entering("due", 1_000, "customer", due));
    publish(&publisher, &entering("other", 3_000, "lead", due));
    site.define(&waiting(470));
    publish(&publisher, &entering("another", 3_000, "lead", due));
    wait_until_in_force(&projections, 1).await;
    publish(&publisher, &entering("last", 1_000, "lead", due));
    site.wait_until_folded(SOON).await;
    member.terminate();

    // Then each entered the segment in time, and a fold of the recorded history gives the same
    let entered = "select count(distinct customer_id) from $gen.change
        where name = 'stuck' and to_value is not null and cause = 'timer' and effective_at = ";
    let entered = format!("{entered}{}", due.micros());
    assert_eq!(projections.number(&entered).await, i64::from(DUE));
    let ends = positions(&projections).await;
    let folded = fold_as_recorded(&site, &ends).await;
    assert_eq!(positions(&folded).await, ends);
    assert_same_outcome(&projections, &folded).await;
    let due = "select count(*) from $gen.progress where fired_to <> clock";
    assert_eq!(
        folded.number(due).await,
        0,
        "it ends with every timer fired"
    );
}

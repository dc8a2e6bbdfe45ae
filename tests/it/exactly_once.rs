//! Exactly once: a processor that is killed again and again while it folds loses no event and folds
//! none twice.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::{CustomerEvent, Partitioner, TenantId};

use crate::support::compare::Projections;
use crate::support::generate::{Generator, Population};
use crate::support::publish::Publisher;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::wait_for;

const KILLS: usize = 22;
const EVENTS: usize = 160_000;
/// The share of events that are sent twice: 200,000 records in all.
const DUPLICATES: f64 = 0.25;
const SEED: u64 = 20_261_121;
const DAY_MICROS: i64 = 86_400_000_000;

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR, rates: { USD: \"0.92\" } }
segments:
  - name: buyers
    when: { orders: { count: { gte: 3 } } }
  - name: paying_buyers
    when:
      all:
        - segment: buyers
        - attribute: { name: plan, eq: pro }
        - not: { churn: { band: high } }
journeys:
  - name: sales
    stages: [lead, trial, customer]
---
tenant: { id: globex, zone: America/New_York, currency: USD }
segments:
  - name: customers
    when: { stage: { journey: sales, is: customer } }
journeys:
  - name: sales
    stages: [lead, trial, customer]
";

/// Events of six days, so that the dedup horizon of seven days recognises every duplicate.
fn population() -> Population {
    Population {
        tenants: ["acme", "globex"]
            .map(|id| TenantId::new(id).unwrap())
            .to_vec(),
        customers: 4_000,
        begin: WallClock::System.now().plus_micros(-10 * DAY_MICROS),
        days: 6,
    }
}

fn publish(publisher: &Publisher, events: &[CustomerEvent]) {
    for event in events {
        publisher.event(event);
    }
    publisher.flush();
}

async fn folded_so_far(projections: &Projections) -> i64 {
    projections
        .number("select coalesce(sum(next_offset), 0)::bigint from $gen.progress")
        .await
}

/// Publishes a part of the events, starts a processor and kills it at a random moment after it
/// began to fold, and repeats this until all events are published.
async fn kill_while_folding(site: &Site, publisher: &Publisher, sent: &[CustomerEvent]) {
    let projections = site.projections().await;
    let mut random = StdRng::seed_from_u64(SEED);
    let begun = Instant::now();
    let mut interrupted = 0;
    for chunk in sent.chunks(sent.len().div_ceil(KILLS)) {
        publish(publisher, chunk);
        let before = folded_so_far(&projections).await;
        let mut processor = site.process(&[]);
        wait_for(
            Duration::from_mins(1),
            "the processor to resume",
            async || {
                assert!(processor.is_running(), "the processor ended by itself");
                let now = folded_so_far(&projections).await;
                if now > before {
                    Ok(())
                } else {
                    Err(format!("it is at {now}"))
                }
            },
        )
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
        processor.kill();
        let total: i64 = read::ends(site.kafka, &site.topic)
            .iter()
            .map(|(_, end)| end)
            .sum();
        interrupted += usize::from(folded_so_far(&projections).await < total);
    }
    println!(
        "{KILLS} kills in {:?}, {interrupted} of them with unfolded records",
        begun.elapsed()
    );
    assert!(
        interrupted >= KILLS / 2,
        "only {interrupted} kills came while it was folding"
    );
}

#[tokio::test]
async fn processor_killed_at_random_moments_folds_every_event_exactly_once() {
    // Given events, a quarter of them sent twice, in an order unrelated to their times
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let mut generator = Generator::new(SEED, population());
    let events = generator.events(EVENTS);
    let sent = generator.duplicated_and_shuffled(&events, DUPLICATES);
    let publisher = site.publisher().await;
    let projections = site.projections().await;

    // When the processor is killed many times at random moments while it folds
    kill_while_folding(&site, &publisher, &sent).await;

    // Then an undisturbed processor ends with the tables that a fold in memory gives
    let processor = site.process(&[]);
    site.wait_until_folded(Duration::from_mins(2)).await;
    processor.terminate();
    let mut expected = Reference::new(
        read::definitions(site.kafka, &site.definitions_topic),
        PARTITIONS,
        Partitioner::Murmur2,
    );
    for event in &events {
        let folded = expected.fold(event);
        assert!(matches!(folded, Some(Ok(_))), "{folded:?}: {event:?}");
    }
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    assert_eq!(
        projections.number("select count(*) from $gen.parked").await,
        0
    );
    // The number of new events depends on the order; in that of the log it is the same with and
    // without kills.
    let in_log_order = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    assert_eq!(&projections.folded().await, in_log_order.folded());
}

#[tokio::test]
async fn fenced_partition_is_claimed_again_at_its_stored_offset() {
    // Given a processor that folds
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let mut generator = Generator::new(SEED + 1, population());
    let events = generator.events(20_000);
    let publisher = site.publisher().await;
    let projections = site.projections().await;
    let processor = site.process(&[]);
    publish(&publisher, &events[..5_000]);
    site.wait_until_folded(Duration::from_mins(1)).await;

    // When another claim takes two of its partitions, and more events arrive
    let claimed: Vec<(i32,)> = projections
        .rows(
            "update $gen.progress set epoch = epoch + 1 where partition in (1, 2)
             returning partition",
        )
        .await;
    assert_eq!(claimed.len(), 2);
    publish(&publisher, &events[5_000..]);

    // Then it discards their state, claims them again and loses nothing
    site.wait_until_folded(Duration::from_mins(1)).await;
    processor.terminate();
    let epochs: Vec<(i64,)> = projections
        .rows("select epoch from $gen.progress order by partition")
        .await;
    assert_eq!(epochs, [(1,), (3,), (3,), (1,)]);
    let expected = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    assert_eq!(&projections.folded().await, expected.folded());
}

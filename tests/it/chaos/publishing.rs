//! Producers that send twice and in any order, abort transactions, and disagree about partitions.

use std::collections::VecDeque;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tidemark_schemas::Partitioner;

use super::world::{World, population};
use crate::support::generate::Generator;
use crate::support::site::PARTITIONS;

const SEED: u64 = 20_261_130;

#[tokio::test]
async fn aborted_transactions_are_never_folded() {
    // Given a process, and events of which many are sent twice and all in random order
    let mut world = World::shared(SEED, 500).await;
    world.join();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut before = VecDeque::new();

    // When transactions are aborted between them and at the end
    for _ in 0..3 {
        world.quiet().burst(2_000, &mut before, &mut random);
        world.quiet().publisher.flush();
        world.abort_transaction().await;
    }

    // Then the position passes them, and the tables hold only committed events
    world.assert_end(0).await;
}

#[tokio::test]
async fn events_of_a_producer_with_another_partitioner_are_parked_and_the_alert_names_it() {
    // Given a process, and a producer with the partitioner of the topic
    let mut world = World::shared(SEED + 1, 300).await;
    world.join();
    let mut random = StdRng::seed_from_u64(SEED + 1);
    let mut before = VecDeque::new();
    world.quiet().burst(2_000, &mut before, &mut random);
    world.quiet().publisher.flush();

    // When another producer, with librdkafka's default partitioner, publishes other events of the
    // same customers
    let events = Generator::new(SEED + 2, population(300)).events(1_000);
    let foreign = world.site.publisher_with(Partitioner::Crc32).await;
    let mut misrouted = 0;
    for event in &events {
        foreign.event(event);
        let key = event.key().record_key();
        let home = |partitioner: Partitioner| partitioner.partition(key.as_bytes(), PARTITIONS);
        if home(Partitioner::Crc32) == home(Partitioner::Murmur2) {
            world.quiet().expected.fold(event);
        } else {
            misrouted += 1;
        }
    }
    foreign.flush();
    world.site.wait_until_folded(Duration::from_mins(2)).await;

    // Then its events in the expected partition are folded, the others are parked once, and the
    // alert names the partitioner
    let projections = world.site.projections().await;
    let parked: Vec<(String, bool, i64)> = projections
        .rows(
            "select reason, detail like '%consistent_random%', count(distinct value)
             from $gen.parked group by 1, 2",
        )
        .await;
    let named = parked.iter().find(|(_, named, _)| *named).map(|row| row.2);
    let all: i64 = parked.iter().map(|row| row.2).sum();
    assert!(parked.iter().all(|(reason, _, _)| reason == "misrouted"));
    assert_eq!(all, misrouted);
    assert!(named > Some(misrouted / 2), "{parked:?}");
    let log = world.members[0].running.log();
    assert!(
        log.contains("consistent_random"),
        "the alert names the partitioner"
    );
    world.assert_end(misrouted).await;
}

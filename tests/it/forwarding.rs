//! Misrouted events: they are forwarded to their expected partitions, and every event is folded once.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_processor::migrate::{GenerationSpec, ensure_generation};
use tidemark_schemas::{CustomerEvent, Partitioner, TenantId};

use crate::support::compare::Projections;
use crate::support::generate::{Generator, Population};
use crate::support::kafka::OwnKafka;
use crate::support::ports::free_port;
use crate::support::postgres::Database;
use crate::support::raw_produce::{RawProducer, RawRecord};
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::wait_for;

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR, rates: { USD: \"0.92\" } }
segments:
  - name: buyers
    when: { orders: { count: { gte: 3 } } }
journeys:
  - name: sales
    stages: [lead, trial, customer]
";
const SOON: Duration = Duration::from_mins(2);
const DAY_MICROS: i64 = 86_400_000_000;
const SEED: u64 = 20_261_130;

/// Events of six days, so that the dedup horizon of seven days recognises every duplicate.
fn events(seed: u64, count: usize) -> Vec<CustomerEvent> {
    let population = Population {
        tenants: vec![TenantId::new("acme").unwrap()],
        customers: 400,
        begin: WallClock::System.now().plus_micros(-10 * DAY_MICROS),
        days: 6,
    };
    Generator::new(seed, population).events(count)
}

fn is_misrouted(event: &CustomerEvent, by: Partitioner) -> bool {
    let key = event.key().record_key();
    let partition = |partitioner: Partitioner| partitioner.partition(key.as_bytes(), PARTITIONS);
    partition(by) != partition(Partitioner::Murmur2)
}

async fn publish(site: &Site, events: &[CustomerEvent], partitioner: Partitioner) {
    let publisher = site.publisher_with(partitioner).await;
    for event in events {
        publisher.event(event);
    }
    publisher.flush();
}

/// Asserts that each of the events is folded once, as from a well-partitioned topic, and that so many
/// are parked.
async fn assert_folded(site: &Site, events: &[CustomerEvent], parked: i64) {
    let definitions = read::definitions(site.kafka, &site.definitions_topic);
    let mut expected = Reference::new(definitions, PARTITIONS, Partitioner::Murmur2);
    for event in events {
        expected.fold(event).unwrap().unwrap();
    }
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    assert_eq!(count_parked(&projections).await, parked);
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let in_log_order =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    assert_eq!(&projections.folded().await, in_log_order.folded());
}

async fn count_parked(projections: &Projections) -> i64 {
    projections.number("select count(*) from $gen.parked").await
}

/// Returns the number of events forwarded because of a cause.
async fn forwarded(projections: &Projections, cause: &str) -> i64 {
    let query = format!(
        "select coalesce(sum(value), 0)::bigint from $gen.counter \
         where tenant_id = 'acme' and kind = 'forwarded' and name like '{cause}'"
    );
    projections.number(&query).await
}

/// Returns the sum of a metric over its labels.
fn sum(metrics: &str, name: &str) -> i64 {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    lines
        .filter(|rest| rest.starts_with([' ', '{']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<i64>().ok())
        .sum()
}

fn records(site: &Site) -> i64 {
    let ends = read::ends(site.kafka, &site.topic);
    ends.iter().map(|(_, end)| end).sum()
}

#[tokio::test]
async fn events_of_producers_with_other_partitioners_are_folded_and_none_is_parked_or_halts() {
    // Given producers with the partitioners of different clients
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let port = free_port();
    let processor = site.member("forwarder", port, &[]);
    let all = events(SEED, 9_000);
    let parts: Vec<&[CustomerEvent]> = all.chunks(3_000).collect();
    let mut misrouted = 0;
    for (part, partitioner) in parts.iter().zip(Partitioner::ALL) {
        publish(&site, part, *partitioner).await;
        let found = part
            .iter()
            .filter(|event| is_misrouted(event, *partitioner));
        misrouted += i64::try_from(found.count()).unwrap();
    }

    // When they are processed
    site.wait_until_folded(SOON).await;
    let metrics = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
    let metrics = metrics.unwrap().text().await.unwrap();
    let log = processor.log();
    processor.terminate();

    // Then all are folded, each record of the topic is accounted for, and the log names the producers
    assert_folded(&site, &all, 0).await;
    let projections = site.projections().await;
    assert!(misrouted > 3_000, "{misrouted} are misrouted");
    assert_eq!(forwarded(&projections, "%").await, misrouted);
    assert!(forwarded(&projections, "consistent_random").await > 1_000);
    assert!(forwarded(&projections, "fnv1a_random").await > 1_000);
    let count = |name: &str| sum(&metrics, name);
    assert_eq!(count("tidemark_records_total"), records(&site));
    assert_eq!(count("tidemark_events_forwarded_total"), misrouted);
    let seen = count("tidemark_events_folded_total") + count("tidemark_events_duplicate_total");
    assert_eq!(seen + misrouted, records(&site));
    assert!(log.contains("consistent_random"), "{log}");
    assert!(log.contains("source generator"), "{log}");
    let halts = projections
        .number("select count(*) from $gen.deferral")
        .await;
    assert_eq!(halts, 0);
}

#[tokio::test]
async fn events_without_a_key_or_with_a_wrong_one_are_folded_in_their_expected_partitions() {
    // Given events with no key, an empty one, one of another customer, and one of another form
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let all = events(SEED + 1, 80);
    let publisher = site.publisher().await;
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let keys = [None, Some(&b""[..]), Some(b"acme/nobody"), Some(b"\xff\0")];
    let mut foreign = 0;
    for (number, event) in (0..).zip(&all) {
        let key = event.key().record_key();
        let home = Partitioner::Murmur2.partition(key.as_bytes(), PARTITIONS);
        let partition = number % PARTITIONS;
        foreign += i64::from(partition != home);
        let record = RawRecord {
            key: keys[usize::try_from(number).unwrap() / 4 % 4].map(<[u8]>::to_vec),
            value: Some(publisher.encode(event)),
            ..RawRecord::default()
        };
        producer.send(&site.topic, partition, &record).unwrap();
    }

    // When they are processed
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let log = processor.log();
    processor.terminate();

    // Then all are folded, and their keys are named as the cause
    assert_folded(&site, &all, 0).await;
    let projections = site.projections().await;
    let counted =
        forwarded(&projections, "no_key").await + forwarded(&projections, "wrong_key").await;
    assert_eq!(counted, foreign);
    assert!(log.contains("its record has no key"), "{log}");
}

#[tokio::test]
async fn processor_killed_while_it_forwards_folds_every_event_exactly_once() {
    const KILLS: usize = 8;
    // Given a generation so old that no record can have been forwarded before it
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let age = "update tidemark.generation set created_at = now() - interval '1 day'";
    sqlx::query(age).execute(&site.database.pool).await.unwrap();
    let all = events(SEED + 2, 40_000);
    let projections = site.projections().await;
    let mut random = StdRng::seed_from_u64(SEED);

    // When the processor is killed at random moments while it forwards
    let position = "select coalesce(sum(next_offset), 0)::bigint from $gen.progress";
    for (number, part) in all.chunks(all.len().div_ceil(KILLS)).enumerate() {
        publish(&site, part, Partitioner::ALL[1 + number % 2]).await;
        let before = projections.number(position).await;
        let processor = site.process(&[]);
        wait_for(
            SOON,
            "the processor to resume",
            async || match projections.number(position).await {
                at if at > before => Ok(()),
                at => Err(format!("it is at {at}")),
            },
        )
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        processor.kill();
    }

    // Then an undisturbed one ends with every event folded once
    let begun = Instant::now();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_folded(&site, &all, 0).await;
    let folded: i64 = projections.folded().await.values().sum();
    let repeated = records(&site) - forwarded(&projections, "%").await - folded;
    println!(
        "{repeated} records forwarded twice, the rest in {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn topic_folded_again_into_an_empty_database_is_not_made_longer() {
    // Given a topic with misrouted events that were forwarded
    let mut site = Site::new().await;
    site.define(DEFINITIONS);
    let all = events(SEED + 3, 4_000);
    publish(&site, &all, Partitioner::Crc32).await;
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    let ends = read::ends(site.kafka, &site.topic);

    // When it is folded into an empty database
    let copy = Database::fresh().await;
    let spec = GenerationSpec {
        topic: site.topic.clone(),
        partitions: PARTITIONS,
        partitioner: Partitioner::Murmur2,
    };
    ensure_generation(&copy.url, &spec).await.unwrap();
    let url = format!("database.url={}", copy.url);
    let processor = site.process(&["--set", &url]);
    site.database = copy;
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // Then it holds the same, and the topic is as long as before
    assert_eq!(read::ends(site.kafka, &site.topic), ends);
    assert_folded(&site, &all, 0).await;
}

#[tokio::test]
async fn events_are_parked_while_the_processor_may_not_write_and_forwarded_once_it_may() {
    // Given a processor that may not write to the topic
    let kafka = OwnKafka::with_access_control();
    let site = Site::on(kafka.get(), Database::fresh().await).await;
    site.define(DEFINITIONS);
    let all = events(SEED + 4, 1_000);
    publish(&site, &all, Partitioner::Crc32).await;
    let misrouted = all
        .iter()
        .filter(|event| is_misrouted(event, Partitioner::Crc32));
    let misrouted = i64::try_from(misrouted.count()).unwrap();
    site.kafka.deny_writes(&site.topic);

    // When misrouted events are processed
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;

    // Then they are parked with the reason, and their tenant is not halted
    let projections = site.projections().await;
    assert_eq!(count_parked(&projections).await, misrouted);
    let explained = projections
        .number(
            "select count(*) from $gen.parked where reason = 'misrouted' and tenant_id = 'acme'
             and detail like '%consistent_random%may not publish%Allow it to write%'",
        )
        .await;
    assert_eq!(explained, misrouted);
    let halts = projections
        .number("select count(*) from $gen.deferral")
        .await;
    assert_eq!(halts, 0);

    // When it may write, and they are redriven, then all are folded
    site.kafka.allow_all();
    processor.terminate();
    let processor = site.process(&[]);
    let redrive = ["parked", "redrive", "--parked-reason", "misrouted"];
    let output = site.run(&[&redrive[..], &["--apply", "--json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["done"], misrouted, "{report}");
    assert_eq!(report["events"][0]["outcome"], "republished", "{report}");
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_folded(&site, &all, 0).await;
}

#[tokio::test]
async fn copies_that_the_broker_refuses_are_parked_and_the_others_are_folded() {
    // Given misrouted events, and a topic that no longer takes the larger ones
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher_with(Partitioner::Crc32).await;
    let all = events(SEED + 6, 60);
    let is_stray = |event: &&CustomerEvent| is_misrouted(event, Partitioner::Crc32);
    let (mut kept, mut large) = (Vec::new(), 0);
    for (number, event) in all.iter().filter(is_stray).enumerate() {
        let padding = vec![b'x'; if number % 5 == 0 { 20_000 } else { 10 }];
        let key = event.key().record_key();
        publisher.raw(
            key.as_bytes(),
            &publisher.encode(event),
            &[("padding", &padding)],
        );
        if number % 5 == 0 {
            large += 1;
        } else {
            kept.push(event.clone());
        }
    }
    publisher.flush();
    let smaller = [
        ("retention.ms", "-1"),
        ("message.timestamp.type", "LogAppendTime"),
        ("max.message.bytes", "10000"),
    ];
    site.kafka.alter_topic(&site.topic, &smaller).await;

    // When they are processed, then the refused ones are parked with the reason
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    let refused = "select count(*) from $gen.parked where detail like '%the broker refuses it%'";
    assert_eq!(site.projections().await.number(refused).await, large);
    assert_folded(&site, &kept, large).await;
}

#[tokio::test]
async fn copy_in_a_wrong_partition_is_parked_and_forwarded_again_only_on_command() {
    // Given a record that says it was forwarded, and is in a wrong partition
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let all = events(SEED + 5, 1);
    let publisher = site.publisher().await;
    let key = all[0].key().record_key();
    let home = Partitioner::Murmur2.partition(key.as_bytes(), PARTITIONS);
    let position = format!("{}/{home}@0", site.topic).into_bytes();
    let record = RawRecord {
        key: Some(key.into_bytes()),
        value: Some(publisher.encode(&all[0])),
        headers: vec![(b"tidemark-forwarded-from".to_vec(), Some(position))],
        ..RawRecord::default()
    };
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let wrong = (home + 1) % PARTITIONS;
    producer.send(&site.topic, wrong, &record).unwrap();

    // When it is processed, then it is parked
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let projections = site.projections().await;
    let twice = "select count(*) from $gen.parked where detail like '%forwarded once already%'";
    assert_eq!(projections.number(twice).await, 1);

    // When it is redriven, then it is folded in its expected partition
    let redriven = site.run(&[
        "parked",
        "redrive",
        "--parked-reason",
        "misrouted",
        "--apply",
    ]);
    assert!(redriven.status.success(), "{redriven:?}");
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_folded(&site, &all, 0).await;
}

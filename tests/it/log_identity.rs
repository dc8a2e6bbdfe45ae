//! The identity of logs: a topic that was truncated or created again is refused for as long as it is so;
//! one whose beginning was deleted is not.

use std::time::{Duration, Instant};

use tidemark_processor::clock::WallClock;
use tidemark_processor::migrate::{GenerationSpec, ensure_generation};
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::postgres::Database;
use crate::support::publish::Publisher;
use crate::support::read;
use crate::support::registry::Registry;
use crate::support::site::{PARTITIONS, Running, Site};
use crate::support::wait::{wait_for, wait_until};

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";
const SOON: Duration = Duration::from_mins(2);
const BROKER_TIME: (&str, &str) = ("message.timestamp.type", "LogAppendTime");

async fn publish(site: &Site, count: usize) {
    let publisher = site.publisher().await;
    for number in 0..count {
        publisher.event(&CustomerEvent {
            event_id: EventId(Uuid::new_v4()),
            tenant_id: TenantId::new("acme").unwrap(),
            customer_id: CustomerId::new(format!("customer-{number}")).unwrap(),
            source: "test".into(),
            occurred_at: WallClock::System.now(),
            payload: Payload::OrderPlaced(OrderPlaced {
                order_id: Uuid::new_v4().to_string().into(),
                amount_minor: 100,
                currency: Currency::new("EUR").unwrap(),
                items: None,
                channel: None,
            }),
        });
    }
    publisher.flush();
}

/// Creates a site on which events were folded by a processor that has ended.
async fn folded_site() -> Site {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    publish(&site, 40).await;
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    site
}

/// Waits until a process has ended, and asserts that its log says all of this.
#[track_caller]
fn assert_refuses(mut processor: Running, words: &[&str]) {
    wait_until(SOON, "the processor to end", || !processor.is_running());
    let log = processor.log();
    for word in words {
        assert!(log.contains(word), "without {word:?}:\n{log}");
    }
}

#[tokio::test]
async fn topic_that_was_created_again_is_refused_at_each_start() {
    // Given a topic that was created again, and holds more records than were folded
    let site = folded_site().await;
    let positions = "select partition, next_offset from $gen.progress order by partition";
    let before: Vec<(i32, i64)> = site.projections().await.rows(positions).await;
    site.kafka.delete_topic(&site.topic).await;
    site.kafka
        .create_topic(&site.topic, PARTITIONS, &[BROKER_TIME])
        .await;
    publish(&site, 400).await;

    // When processors start, then each refuses it, says what happened and what helps, and folds nothing
    for _ in 0..2 {
        let words = [
            "holds another record at offset",
            "created again",
            "tidemark migrate",
        ];
        assert_refuses(site.process(&[]), &words);
    }
    let after: Vec<(i32, i64)> = site.projections().await.rows(positions).await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn truncated_topic_is_refused_at_each_start() {
    // Given a topic that is shorter than what was folded of it
    let site = folded_site().await;
    site.kafka.delete_topic(&site.topic).await;
    site.kafka
        .create_topic(&site.topic, PARTITIONS, &[BROKER_TIME])
        .await;

    // When processors start, then each refuses it
    for _ in 0..2 {
        assert_refuses(
            site.process(&[]),
            &["ends at offset 0 now", "tidemark migrate"],
        );
    }
}

#[tokio::test]
async fn topic_trimmed_behind_the_position_is_read_on_and_trimmed_beyond_it_is_refused() {
    // Given a topic of which retention has deleted every record that was folded
    let site = folded_site().await;
    for (partition, end) in read::ends(site.kafka, &site.topic) {
        site.kafka.trim(&site.topic, partition, end).await;
    }

    // When more events are published, then they are folded
    publish(&site, 40).await;
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // And when records are deleted that were not folded, then the topic is refused
    publish(&site, 40).await;
    for (partition, end) in read::ends(site.kafka, &site.topic) {
        site.kafka.trim(&site.topic, partition, end).await;
    }
    for _ in 0..2 {
        assert_refuses(site.process(&[]), &["is not in the log any more"]);
    }
}

#[tokio::test]
async fn definitions_topic_that_was_created_again_is_refused_at_each_start() {
    // Given a definitions topic that was created again and has other records
    let site = folded_site().await;
    site.kafka.delete_topic(&site.definitions_topic).await;
    site.kafka
        .create_topic(&site.definitions_topic, 1, &[BROKER_TIME])
        .await;
    site.define("tenant: { id: globex, zone: Europe/Berlin, currency: EUR }\n");

    // When processors start, then each refuses it
    for _ in 0..2 {
        let words = ["definitions-", "holds another record at offset 0 now"];
        assert_refuses(site.process(&[]), &words);
    }
}

#[tokio::test]
async fn partitions_added_to_a_running_topic_end_the_processor() {
    // Given a running processor
    let site = Site::new().await;
    site.define(DEFINITIONS);
    publish(&site, 40).await;
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;

    // When partitions are added and events are published to all of them
    let more = usize::try_from(PARTITIONS).unwrap() * 2;
    site.kafka.add_partitions(&site.topic, more).await;
    publish(&site, 400).await;

    // Then it ends with the reason, and nothing of the new partitions was taken
    assert_refuses(processor, &["partitions or more", "tidemark migrate"]);
    let taken = "select count(*) from $gen.progress where partition >= 4";
    assert_eq!(site.projections().await.number(taken).await, 0);
}

/// Creates a topic of many partitions with records in each, and a database for it; returns the flags of its
/// processors.
async fn many_partitions(site: &Site, database: &Database, count: i32) -> Vec<String> {
    let topic = format!("{}-wide", site.topic);
    site.kafka.create_topic(&topic, count, &[BROKER_TIME]).await;
    let partitioner = Partitioner::Murmur2;
    let spec = GenerationSpec {
        topic: topic.clone(),
        partitions: count,
        partitioner,
    };
    ensure_generation(&database.url, &spec).await.unwrap();
    let encoder = Registry::shared().encoder(&topic).await;
    let publisher = Publisher::new(site.kafka, &topic, partitioner, encoder);
    for number in 0..2_000 {
        publisher.raw(format!("acme/customer-{number}").as_bytes(), b"", &[]);
    }
    publisher.flush();
    [
        format!("kafka.topic={topic}"),
        format!("database.url={}", database.url),
        "processor.halt_share=1".to_owned(),
    ]
    .into_iter()
    .flat_map(|setting| ["--set".to_owned(), setting])
    .collect()
}

#[tokio::test]
async fn many_partitions_are_checked_side_by_side() {
    // Given a topic of 48 partitions of which a processor that has ended read every one
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let database = Database::fresh().await;
    let flags = many_partitions(&site, &database, 48).await;
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let processor = site.process(&flags);
    wait_for(SOON, "all records to be read", async || {
        let read = "select coalesce(sum(next_offset), 0)::bigint from gen_1.progress";
        let read: i64 = sqlx::query_scalar(read)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        if read == 2_000 {
            Ok(())
        } else {
            Err(read.to_string())
        }
    })
    .await;
    processor.terminate();

    // When another starts, then it owns them in a fraction of the time that one after another takes (45 s)
    let begun = Instant::now();
    let processor = site.process(&flags);
    wait_until(SOON, "the partitions to be owned", || {
        processor.log().contains("owned partitions")
    });
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(25), "{taken:?}");
    processor.terminate();
}

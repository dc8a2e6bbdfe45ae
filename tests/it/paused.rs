//! Partitions whose fetching is paused because their queue is full.

use std::time::Duration;

use tidemark_schemas::TenantId;

use crate::support::generate::{Generator, Population};
use crate::support::ports::free_port;
use crate::support::site::{PARTITIONS, Running, Site};
use crate::support::wait::{wait_for, wait_until};

const SEED: u64 = 31;
const SOON: Duration = Duration::from_mins(1);
const DAY_MICROS: i64 = 86_400_000_000;
const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR, rates: { USD: \"0.92\" } }
";
const FLAGS: [&str; 6] = [
    "--set",
    "processor.memory_mib=4",
    "--set",
    "processor.drain_seconds=1",
    "--set",
    "log.filter=info,tidemark_processor::intake=debug",
];

/// Waits until a process owns so many partitions, as the table has it.
async fn wait_until_owned(site: &Site, owner: &str, partitions: i64) {
    let projections = site.projections().await;
    let query = format!("select count(*) from $gen.progress where owner = '{owner}'");
    wait_for(
        SOON,
        "the partitions to be owned",
        async || match projections.number(&query).await {
            count if count == partitions => Ok(()),
            count => Err(format!("{owner} owns {count}")),
        },
    )
    .await;
}

fn wait_until_logged(process: &Running, what: &str, text: &str, times: usize) {
    wait_until(SOON, what, || process.log().matches(text).count() >= times);
}

#[tokio::test]
async fn paused_partition_that_is_revoked_and_assigned_again_is_fetched_again() {
    // Given a process whose partitions are all paused, since none of its commits can land
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let first = site.member("first", free_port(), &FLAGS);
    wait_until_owned(&site, "first", i64::from(PARTITIONS)).await;
    let mut held = site.database.pool.begin().await.unwrap();
    sqlx::query("lock table gen_1.progress in share mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let population = Population {
        tenants: vec![TenantId::new("acme").unwrap()],
        customers: 500,
        begin: tidemark_processor::clock::WallClock::System
            .now()
            .plus_micros(-10 * DAY_MICROS),
        days: 6,
    };
    let publisher = site.publisher().await;
    for event in Generator::new(SEED, population).events(40_000) {
        publisher.event(&event);
    }
    publisher.flush();
    let partitions = usize::try_from(PARTITIONS).unwrap();
    wait_until_logged(
        &first,
        "every partition to be paused",
        "paused: its queue",
        partitions,
    );

    // When half of them go to another process, and come back before the first has read on
    let second = site.member("second", free_port(), &FLAGS);
    wait_until_logged(&first, "half to be given up", "owned partitions", 2);
    held.rollback().await.unwrap();
    wait_until_owned(&site, "second", i64::from(PARTITIONS) / 2).await;
    second.terminate();
    wait_until_owned(&site, "first", i64::from(PARTITIONS)).await;

    // Then the first reads all of them to the end
    site.wait_until_folded(SOON).await;
    first.terminate();
}

//! Definitions of a format that this binary does not know, beside a newer binary that does.

use std::time::Duration;

use serde_json::{Value, json};
use tidemark_processor::clock::WallClock;

use crate::definitions::order;
use crate::support::ports::free_port;
use crate::support::raw_produce::{RawProducer, RawRecord};
use crate::support::read;
use crate::support::site::{Running, Site};
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);
const BEFORE: &str = "tenant: { id: acme, zone: UTC, currency: EUR }\n";
/// A record as a newer version would write it, based on version 0.
const NEWER: &str = r#"{"format": 1000, "based_on": 0, "author": "a newer binary", "writer": "9.9.0",
                       "loops": [{"tenant": "acme"}]}"#;

/// Appends a record to the definitions topic.
fn append(site: &Site, record: &str) -> i64 {
    let record = RawRecord {
        value: Some(record.as_bytes().to_vec()),
        ..RawRecord::default()
    };
    RawProducer::connect(&site.kafka.bootstrap_servers())
        .send(&site.definitions_topic, 0, &record)
        .unwrap()
}

async fn wait_for_log(process: &Running, text: &str) {
    wait_for(SOON, text, async || {
        let log = process.log();
        if log.contains(text) { Ok(()) } else { Err(log) }
    })
    .await;
}

/// Returns the versions kept, and whether each is rejected.
async fn kept(site: &Site) -> Vec<(i64, bool)> {
    sqlx::query_as("select version, rejected is not null from tidemark.bundle order by version")
        .fetch_all(&site.database.pool)
        .await
        .unwrap()
}

/// Returns the versions that came into force in partitions, the greatest first.
async fn in_force(site: &Site) -> Vec<i64> {
    sqlx::query_scalar("select distinct version from gen_1.activation order by version desc")
        .fetch_all(&site.database.pool)
        .await
        .unwrap()
}

/// Asserts that `status` names the record and the version that is needed.
fn assert_status_tells(site: &Site, version: i64) {
    let status = site.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let expected = json!({ "version": version, "format": 1000, "needed": "9.9.0" });
    assert_eq!(status["unknown_definitions"], expected);
    let text = String::from_utf8(site.run(&["status"]).stdout).unwrap();
    let first = format!("no newer definitions come into force: definitions version {version} has");
    assert!(text.contains(&first), "{text}");
    assert!(text.contains("run tidemark 9.9.0 or newer"), "{text}");
}

#[tokio::test]
async fn record_of_an_unknown_format_is_not_rejected_and_folding_continues_before_it() {
    // Given a processor with definitions in force
    let site = Site::new().await;
    site.define(BEFORE);
    let process = site.process(&[]);
    let publisher = site.publisher().await;
    publisher.event(&order("acme", 1, WallClock::System.now()));
    publisher.flush();
    site.wait_until_folded(SOON).await;
    // When a newer command line appends a record of a format of its own, and another based on it
    assert_eq!(append(&site, NEWER), 1);
    let after = r#"{"format": 1, "based_on": 1, "author": "a test",
        "tenants": [{"tenant": {"id": "globex", "zone": "UTC", "currency": "EUR"}}]}"#;
    append(&site, after);
    wait_for_log(&process, "run tidemark 9.9.0 or newer").await;
    // Then the processor keeps neither, goes on with what it knows, and says so again when it restarts
    process.terminate();
    let process = site.process(&[]);
    wait_for_log(&process, "run tidemark 9.9.0 or newer").await;
    publisher.event(&order("acme", 2, WallClock::System.now()));
    publisher.flush();
    site.wait_until_folded(SOON).await;
    assert_eq!(kept(&site).await, [(0, false)]);
    assert_eq!(in_force(&site).await, [0]);
    assert_status_tells(&site, 1);
    // And no author can overwrite what this version cannot read
    let output = site.apply(&BEFORE.replace("EUR", "USD"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("run tidemark 9.9.0 or newer"), "{said}");
    assert_eq!(read::ends(site.kafka, &site.definitions_topic), [(0, 3)]);
    process.terminate();
}

#[tokio::test]
async fn processor_leaves_its_partitions_to_a_newer_one_and_stands_by() {
    // Given a processor that has met a record which it cannot read
    let site = Site::new().await;
    site.define(BEFORE);
    let port = free_port();
    let process = site.member("older", port, &[]);
    append(&site, NEWER);
    wait_for_log(&process, "run tidemark 9.9.0 or newer").await;
    // When a newer processor puts it in force
    sqlx::query(
        "insert into tidemark.bundle (version, appended_at, bundle, format) values (1, 0, $1, 1000)",
    )
    .bind(NEWER)
    .execute(&site.database.pool)
    .await
    .unwrap();
    assert_status_tells(&site, 1);
    // Then the older one gives its partitions up, and does not end
    wait_for_log(&process, "leaves the partitions to it and stands by").await;
    wait_for(SOON, "no partition to be owned", async || {
        let metrics = format!("http://127.0.0.1:{port}/metrics");
        let shown = reqwest::get(metrics).await.unwrap().text().await.unwrap();
        let has = |metric| shown.lines().any(|line| line == metric);
        if has("tidemark_partitions_owned 0") && has("tidemark_definitions_unknown_format 1") {
            Ok(())
        } else {
            Err(shown)
        }
    })
    .await;
    process.terminate();
    // And it owns none after a restart
    let process = site.process(&[]);
    wait_for_log(&process, "leaves the partitions to it and stands by").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        !process.log().contains("owned partitions"),
        "{}",
        process.log()
    );
    process.terminate();
}

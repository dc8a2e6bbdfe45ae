//! The lag, the records that the broker holds and no processor has folded, as operators and clients see it.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::CustomerEvent;
use uuid::Uuid;

use crate::support::ports::free_port;
use crate::support::raw_produce::{RawProducer, framed, varint};
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);
const DEFINITIONS: &str = "tenant: { id: acme, zone: UTC, currency: EUR }";

fn event(customer: &str) -> CustomerEvent {
    let event = serde_json::json!({
        "event_id": Uuid::new_v4(), "tenant_id": "acme", "customer_id": customer, "source": "test",
        "occurred_at": WallClock::System.now(),
        "payload": { "type": "activity_tracked", "name": "seen", "properties": {} },
    });
    CustomerEvent::from_json(&event.to_string()).unwrap()
}

/// Appends a record that librdkafka hands over to no consumer, without an error.
fn send_unreadable(site: &Site, partition: i32) {
    let mut body = vec![0, 0, 0]; // attributes, and the differences of timestamp and offset
    body.extend(varint(-2)); // the length of the key
    for length in [1, 0] {
        body.extend(varint(length));
        body.extend(vec![b'v'; usize::try_from(length).unwrap()]);
    }
    let now = event("ada").occurred_at.micros() / 1_000;
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let sent = producer.send_batch(&site.topic, partition, now, &framed(&body), false);
    assert_eq!(sent, Ok(0));
}

/// Runs `status --json`; returns its exit code and answer.
fn status(site: &Site) -> (i32, Value) {
    let output = site.run(&["status", "--json"]);
    let answer = serde_json::from_slice(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let answer = answer.unwrap_or_else(|_| panic!("{errors}"));
    (output.status.code().unwrap(), answer)
}

async fn get(port: u16, path: &str) -> Result<(u16, String), String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    Ok((status, text))
}

#[tokio::test]
async fn partition_that_stands_still_shows_its_lag_everywhere_and_fails_the_health_check() {
    // Given a partition whose only record cannot be read, and nothing in the others
    let site = Site::new().await;
    site.define(DEFINITIONS);
    send_unreadable(&site, 2);

    // When a processor owns every partition
    let port = free_port();
    let stalled = ["--set", "processor.stalled_seconds=1"];
    let processor = site.member("processor", port, &stalled);

    // Then its metrics show the lag, for how long the partition has not moved, and its health check
    // names the partition
    wait_for(
        SOON,
        "the health check to name the partition",
        async || match get(port, "/healthz").await? {
            (503, text) if text.starts_with("partition 2 has stood at offset 0 for") => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await;
    let (_, metrics) = get(port, "/metrics").await.unwrap();
    for line in [
        "tidemark_lag_records{partition=\"2\"} 1",
        "tidemark_lag_records{partition=\"0\"} 0",
        "tidemark_stalled_seconds{partition=\"0\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
    assert!(!metrics.contains("tidemark_stalled_seconds{partition=\"2\"} 0"));

    // And the API, which has no broker, shows it with the instant for which it holds
    let api = site.serve().await;
    let answer = wait_for(SOON, "the lag in a response", async || {
        let answer = api.get("acme", "/v1/status").await;
        match &answer.body["lag"] {
            lag if *lag == 1 && !answer.body["lag_as_of"].is_null() => Ok(answer),
            _ => Err(answer.body.to_string()),
        }
    })
    .await;
    assert_eq!(answer.headers["tidemark-lag"], "1");
    assert_eq!(
        answer.headers["tidemark-lag-as-of"],
        answer.body["lag_as_of"].as_str().unwrap()
    );

    // And so does `status`, without complaint: every partition has an owner
    let (code, status) = status(&site);
    assert_eq!((code, &status["lag"]), (0, &1.into()), "{status}");
    assert_eq!(status["partitions"][2]["lag"], 1);
    assert_eq!(status["partitions"][2]["is_owned"], true);
    processor.terminate();
}

/// Publishes so many events of customers of their own.
async fn publish(site: &Site, events: usize) {
    let publisher = site.publisher().await;
    for _ in 0..events {
        publisher.event(&event(&Uuid::new_v4().to_string()));
    }
    publisher.flush();
}

fn output_of(output: Output) -> (String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn status_before_the_first_processor_says_first_what_waits_and_fails() {
    // Given events, and no processor yet
    let site = Site::new().await;
    site.define(DEFINITIONS);
    publish(&site, 40).await;

    // Then `status` counts them, says first that no processor folds them, and fails
    let (code, answer) = status(&site);
    assert_eq!((code, &answer["lag"]), (1, &40.into()), "{answer}");
    assert_eq!(answer["partitions"].as_array().unwrap().len(), 4);
    let (text, errors) = output_of(site.run(&["status"]));
    let first = format!("unowned: {PARTITIONS} of {PARTITIONS} partitions, with 40 records");
    assert!(text.starts_with(&first), "{text}");
    assert!(text.contains("never claimed"), "{text}");
    assert!(errors.contains("start `tidemark process`"), "{errors}");
}

/// Waits until the owner has written where each partition ends.
async fn wait_for_heartbeats(site: &Site) {
    let projections = site.projections().await;
    wait_for(SOON, "every end of the log to be written", async || {
        let query = "select count(*) from $gen.heartbeat where log_end is not null";
        match projections.number(query).await {
            4 => Ok(()),
            count => Err(format!("{count} partitions")),
        }
    })
    .await;
}

#[tokio::test]
async fn status_and_api_after_the_last_processor_say_since_when_no_processor_folds() {
    // Given a processor that has folded everything, and a `status` that is content
    let site = Site::new().await;
    site.define(DEFINITIONS);
    publish(&site, 40).await;
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    wait_for_heartbeats(&site).await;
    let (code, answer) = status(&site);
    assert_eq!((code, &answer["lag"]), (0, &0.into()), "{answer}");

    // When it ends, and more events arrive
    processor.terminate();
    publish(&site, 40).await;

    // Then `status` counts them, and says since when no processor folds
    wait_for(SOON, "partitions without an owner", async || {
        let (code, answer) = status(&site);
        let unowned = answer["partitions"].as_array().unwrap().iter();
        let unowned = unowned.filter(|partition| partition["is_owned"] == false);
        match (code, unowned.count()) {
            (1, 4) if answer["lag"] == 40 => Ok(()),
            _ => Err(answer.to_string()),
        }
    })
    .await;
    let (text, _) = output_of(site.run(&["status"]));
    assert!(text.starts_with("unowned: 4 of 4"), "{text}");
    assert!(text.contains("since 20"), "{text}");

    // And the API, which has no broker, says as of when its lag is
    let api = site.serve().await;
    let answer = api.get("acme", "/v1/status").await;
    let partition = &answer.body["partitions"][0];
    assert!(partition["log_end_as_of"].as_str() <= partition["seen_at"].as_str());
    assert_eq!(answer.headers["tidemark-lag"], "0", "as of its last look");
    assert_eq!(
        answer.headers["tidemark-lag-as-of"],
        answer.body["lag_as_of"].as_str().unwrap()
    );
}

#[tokio::test]
async fn status_without_a_broker_says_how_old_the_lag_is_and_fails() {
    let site = Site::new().await;
    let output = site.run(&[
        "--set",
        "kafka.bootstrap_servers=127.0.0.1:1",
        "status",
        "--json",
    ]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(answer["lag_as_of"].is_null(), "{answer}");
    assert!(answer["partitions"][0]["lag"].is_null(), "{answer}");
    let reason = answer["unanswered"].as_str().unwrap();
    assert!(reason.contains("127.0.0.1:1"), "{reason}");
}

//! Retention that comes near the records that a deferred tenant needs is told before it deletes them.

use std::time::Duration;

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Payload, TenantId};
use uuid::Uuid;

use crate::support::ports::free_port;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";
const SOON: Duration = Duration::from_mins(2);
const HOUR: i64 = 3_600;

/// Publishes orders of a tenant, each of the next of so many customers.
async fn publish(site: &Site, tenant: &str, count: usize, customers: usize) {
    let publisher = site.publisher().await;
    for number in 0..count {
        publisher.event(&CustomerEvent {
            event_id: EventId(Uuid::new_v4()),
            tenant_id: TenantId::new(tenant).unwrap(),
            customer_id: CustomerId::new(format!("customer-{}", number % customers)).unwrap(),
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

/// Returns the value of a gauge of a partition, if it is exported.
async fn gauge(port: u16, name: &str, partition: &Value) -> Option<i64> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
    let text = answer.ok()?.text().await.ok()?;
    let start = format!("{name}{{partition=\"{partition}\"}} ");
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(&start)?.parse().ok())
}

async fn wait_for_gauge(port: u16, name: &str, partition: &Value, expected: Option<i64>) {
    wait_for(SOON, name, async || {
        match gauge(port, name, partition).await {
            found if found == expected => Ok(()),
            found => Err(format!("{found:?} instead of {expected:?}")),
        }
    })
    .await;
}

fn status(site: &Site) -> (Value, String) {
    let json = site.run(&["status", "--json"]);
    let text = site.run(&["status"]);
    (
        serde_json::from_slice(&json.stdout).unwrap(),
        String::from_utf8(text.stdout).unwrap(),
    )
}

#[tokio::test]
async fn retention_near_the_records_of_a_deferred_tenant_is_told_before_it_deletes_them() {
    // Given a topic that keeps its records for an hour, and a tenant that is not defined yet
    let site = Site::new().await;
    let hour = (HOUR * 1_000).to_string();
    let limits = [
        ("retention.ms", hour.as_str()),
        ("message.timestamp.type", "LogAppendTime"),
    ];
    site.kafka.alter_topic(&site.topic, &limits).await;
    site.define(DEFINITIONS);
    // Records of the defined one come first in every partition.
    publish(&site, "acme", 80, 80).await;
    publish(&site, "later", 10, 1).await;
    let port = free_port();
    let processor = site.member("first", port, &[]);
    site.wait_until_folded(SOON).await;
    let deferred = site.deferred();
    assert_eq!(deferred.len(), 1, "{deferred:?}");
    let later = &deferred[0];
    let (partition, needed) = (&later["partition"], later["next_offset"].as_i64().unwrap());

    // Then a metric and `status` say how long its records are kept
    wait_for(SOON, "the time left", async || {
        let found = gauge(port, "tidemark_deferred_headroom_seconds", partition).await;
        match found {
            Some(seconds) if (HOUR - 600..=HOUR).contains(&seconds) => Ok(()),
            found => Err(format!("{found:?}")),
        }
    })
    .await;
    let records = "tidemark_deferred_headroom_records";
    // The log has lost nothing.
    assert_eq!(gauge(port, records, partition).await, None);
    let (json, text) = status(&site);
    assert_eq!(json["deferred_headroom"][0]["scope"], "later", "{json}");
    assert!(text.contains("retention may delete it in 5"), "{text}");

    // And once the log has lost the records before them, how many are left
    let number = i32::try_from(partition.as_i64().unwrap()).unwrap();
    assert!(needed > 2, "{later}");
    site.kafka.trim(&site.topic, number, needed - 2).await;
    wait_for_gauge(port, records, partition, Some(2)).await;
    let (_, text) = status(&site);
    assert!(text.contains("2 records before it are left"), "{text}");

    // And that they are gone
    site.kafka.trim(&site.topic, number, needed + 1).await;
    wait_for_gauge(port, records, partition, Some(0)).await;
    let (json, text) = status(&site);
    assert_eq!(
        json["deferred_headroom"][0]["beginning"],
        needed + 1,
        "{json}"
    );
    assert!(
        text.contains("records that deferred later needs are gone"),
        "{text}"
    );
    processor.terminate();
}

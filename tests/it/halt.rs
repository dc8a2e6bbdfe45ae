//! Halts: a tenant with too many parked events is deferred alone; once resumed, its tables are as if
//! it had never been halted.

use std::time::Duration;

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Instant, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::api::Api;
use crate::support::history::{assert_same_outcome, fold_as_recorded, positions};
use crate::support::publish::Publisher;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: buyers
    when: { orders: { count: { gte: 6 } } }
---
tenant: { id: globex, zone: Europe/Berlin, currency: EUR }
";
const REDEFINED: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: buyers
    when: { orders: { count: { gte: 8 } } }
";
const SOON: Duration = Duration::from_mins(2);
/// A limit that a short test exceeds.
const LIMIT: [&str; 4] = [
    "--set",
    "processor.halt_window=50",
    "--set",
    "processor.halt_minimum=20",
];

fn order(tenant: &str, number: usize, amount_minor: i64) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new(tenant).unwrap(),
        customer_id: CustomerId::new(format!("customer-{}", number / 10 % 40)).unwrap(),
        source: "test".into(),
        occurred_at: WallClock::System.now(),
        payload: Payload::OrderPlaced(OrderPlaced {
            order_id: Uuid::new_v4().to_string().into(),
            amount_minor,
            currency: Currency::new("EUR").unwrap(),
            items: None,
            channel: None,
        }),
    }
}

/// Publishes orders of both tenants; of the first one, this many in ten are invalid.
fn publish(publisher: &Publisher, count: usize, invalid: usize) {
    for number in 0..count {
        let amount = if number % 10 < invalid { -1 } else { 100 };
        publisher.event(&order("acme", number, amount));
        publisher.event(&order("globex", number, 100));
    }
    publisher.flush();
}

async fn parked(site: &Site, tenant: &str, reason: &str) -> i64 {
    let query = format!(
        "select count(*) from $gen.parked where tenant_id = '{tenant}' and reason = '{reason}'"
    );
    site.projections().await.number(&query).await
}

/// Returns the events that wait in the log.
fn waiting(site: &Site) -> u64 {
    let events = |deferred: &Value| deferred["events"].as_u64().unwrap();
    site.deferred().iter().map(events).sum()
}

/// Asserts that `status` shows the same as `deferred list`, as JSON and as text.
fn assert_status_shows(site: &Site, halted: &[Value]) {
    let status = site.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["deferred"].as_array().unwrap(), halted);
    let status = site.run(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    let told = status.matches("\ndeferred acme in partition ").count();
    assert_eq!(told, halted.len(), "{status}");
}

#[tokio::test]
async fn tenant_over_the_parked_limit_is_halted_alone_and_resumed_without_loss() {
    // Given two tenants, and a producer of the first that sends many invalid events
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let processor = site.process(&LIMIT);
    publish(&publisher, 400, 3);
    site.wait_until_folded(SOON).await;
    assert!(
        site.deferred().is_empty(),
        "three in ten are below the limit"
    );

    // When it sends too many
    publish(&publisher, 160, 8);
    site.wait_until_folded(SOON).await;

    // Then it is deferred in every partition, and the other tenant continues; nothing is copied
    let halted = site.deferred();
    assert!(!halted.is_empty());
    let is_halted = |it: &Value| it["tenant"] == "acme" && it["reason"] == "halted";
    assert!(halted.iter().all(is_halted), "{halted:?}");
    let before = waiting(&site);
    assert!(before > 0);
    assert_status_shows(&site, &halted);
    let copied = parked(&site, "acme", "invalid").await;

    // And it stays deferred across a restart
    processor.terminate();
    let processor = site.process(&LIMIT);
    publish(&publisher, 40, 0);
    site.wait_until_folded(SOON).await;
    site.define(REDEFINED);
    publish(&publisher, 40, 0);
    site.wait_until_folded(SOON).await;
    assert!(waiting(&site) > before);
    assert_eq!(parked(&site, "acme", "invalid").await, copied);
    let api = site.serve().await;
    let stands_at = assert_reads_stand_still(&site, &api).await;

    // And once resumed, all its valid events are folded. What is invalid may halt it again on the way.
    let dry = site.run(&["deferred", "resume", "--tenant", "acme"]);
    assert!(dry.status.success(), "{dry:?}");
    assert!(waiting(&site) > before);
    wait_for(SOON, "the tenant to catch up", async || {
        let resumed = site.run(&[
            "deferred", "resume", "--tenant", "acme", "--apply", "--wait", "1",
        ]);
        match site.deferred() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}, {resumed:?}")),
        }
    })
    .await;
    publish(&publisher, 10, 0);
    site.wait_until_folded(SOON).await;
    wait_until_after(&api, "acme", stands_at).await;
    processor.terminate();
    assert_never_halted(&site).await;
}

async fn watermark(api: &Api, tenant: &str) -> Instant {
    let answer = api.get(tenant, "/v1/segments").await;
    let watermark = answer.headers["tidemark-watermark"].to_str().unwrap();
    watermark.parse().unwrap()
}

async fn wait_until_after(api: &Api, tenant: &str, instant: Instant) {
    wait_for(
        SOON,
        "the watermark to move on",
        async || match watermark(api, tenant).await {
            watermark if watermark > instant => Ok(()),
            watermark => Err(watermark.to_string()),
        },
    )
    .await;
}

/// Asserts that reads of the halted tenant, cached ones too, say that they are as of the instant at which it
/// stands, while those of the other tenant go on; returns the instant.
async fn assert_reads_stand_still(site: &Site, api: &Api) -> Instant {
    let stands_at = "select min(fired_to) from $gen.deferral where tenant_id = 'acme'";
    let stands_at = site.projections().await.number(stands_at).await;
    let stands_at = Instant::from_micros(stands_at).unwrap();
    for _ in 0..3 {
        assert_eq!(watermark(api, "acme").await, stands_at);
        let moved = watermark(api, "globex").await;
        wait_until_after(api, "globex", moved.max(stands_at)).await;
    }
    stands_at
}

/// Asserts that the projections are those of a processor that never halted the tenant.
async fn assert_never_halted(site: &Site) {
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let expected =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    assert_status_shows(site, &[]);
    assert_eq!(
        parked(site, "acme", "invalid").await,
        400 * 3 / 10 + 160 * 8 / 10
    );
    let ends = positions(&projections).await;
    let never_halted = fold_as_recorded(site, &ends).await;
    assert_same_outcome(&projections, &never_halted).await;
}

//! The quota of parked bytes: a tenant with too many in a partition is deferred there, and its neighbours are
//! folded; it catches up once an operator has made room.

use std::time::Duration;

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::ports::free_port;
use crate::support::publish::Publisher;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const ACME: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }";
const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
---
tenant: { id: globex, zone: Europe/Berlin, currency: EUR }
";
const SOON: Duration = Duration::from_mins(2);
/// A quota of which five records of [`LARGE`] bytes are more than four fifths. No share of records halts.
const FLAGS: [&str; 4] = [
    "--set",
    "processor.parked_quota_mib_per_partition=1",
    "--set",
    "processor.halt_share=1",
];
const LARGE: usize = 200_000;

fn order(tenant: &str) -> CustomerEvent {
    order_of(tenant, "ada")
}

fn order_of(tenant: &str, customer: &str) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new(tenant).unwrap(),
        customer_id: CustomerId::new(customer).unwrap(),
        source: "test".into(),
        occurred_at: WallClock::System.now(),
        payload: Payload::OrderPlaced(OrderPlaced {
            order_id: Uuid::new_v4().to_string().into(),
            amount_minor: 100,
            currency: Currency::new("EUR").unwrap(),
            items: None,
            channel: None,
        }),
    }
}

/// Publishes so many large records that cannot be read, each before a valid event of the same customer.
fn publish(publisher: &Publisher, count: usize) {
    for _ in 0..count {
        publisher.raw(b"acme/ada", &vec![0xff; LARGE], &[("trace", b"1")]);
        publisher.event(&order("acme"));
        publisher.event(&order("globex"));
    }
    publisher.flush();
}

/// The numbers of parked and of folded events of a tenant.
async fn counts(site: &Site, tenant: &str) -> (i64, i64) {
    let projections = site.projections().await;
    let parked = format!("select count(*) from $gen.parked where tenant_id = '{tenant}'");
    let folded = format!(
        "select coalesce(sum(events), 0)::bigint from $gen.digest where tenant_id = '{tenant}'"
    );
    (
        projections.number(&parked).await,
        projections.number(&folded).await,
    )
}

async fn stored_bytes(site: &Site) -> i64 {
    let query = "select coalesce(sum(bytes), 0)::bigint from $gen.parked_bytes";
    site.projections().await.number(query).await
}

/// Asserts that acme is deferred over its quota and says what to do; returns how many of its records wait.
fn assert_over_quota(site: &Site) -> u64 {
    let deferred = site.deferred();
    let [over] = &deferred[..] else {
        panic!("one tenant in one partition: {deferred:?}")
    };
    assert_eq!(
        (&over["tenant"], &over["reason"]),
        (&"acme".into(), &"quota".into())
    );
    assert!(
        over["detail"]
            .as_str()
            .unwrap()
            .contains("the quota is 1048576")
    );
    over["events"].as_u64().unwrap()
}

fn parked_command(site: &Site, arguments: &[&str]) {
    let output = site.run(&[&["parked"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
}

/// Resumes acme, and waits until it has caught up or is deferred again.
async fn resume(site: &Site) {
    let arguments = [
        "deferred", "resume", "--tenant", "acme", "--apply", "--wait", "1",
    ];
    let resumed = site.run(&arguments);
    wait_for(
        SOON,
        "the resumed tenant to catch up or to wait again",
        async || {
            let is_under_way = |it: &Value| !it["resume_by"].is_null();
            if site.deferred().iter().any(is_under_way) {
                return Err(format!("{resumed:?}"));
            }
            Ok(())
        },
    )
    .await;
}

async fn wait_for_metrics(port: u16, expected: &[&str]) {
    wait_for(SOON, "the metrics", async || {
        let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
        let text = answer.map_err(|error| error.to_string())?.text().await;
        let text = text.map_err(|error| error.to_string())?;
        match expected.iter().find(|metric| !text.contains(**metric)) {
            None => Ok(()),
            Some(missing) => Err(format!("{missing} is not in {text}")),
        }
    })
    .await;
}

#[tokio::test]
async fn tenant_over_its_quota_of_parked_bytes_is_deferred_alone_until_room_is_made() {
    // Given a tenant with more invalid bytes than its quota, beside valid events of its own and of another
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let port = free_port();
    let processor = site.member("first", port, &FLAGS);
    publish(&publisher, 8);
    site.wait_until_folded(SOON).await;

    // Then it is deferred at the record that is too much, and the other tenant is folded
    assert_eq!(counts(&site, "acme").await, (5, 5));
    assert_eq!(counts(&site, "globex").await, (0, 8));
    assert_eq!(assert_over_quota(&site), 3);
    let row = i64::try_from(LARGE + 256 + "acme/ada".len() + "trace1".len()).unwrap();
    assert_eq!(stored_bytes(&site).await, 5 * row);
    let status = site.run(&["status", FLAGS[0], FLAGS[1]]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("% of the quota of a tenant"), "{status}");
    wait_for_metrics(port, &["tidemark_parked_quota_bytes 1048576"]).await;
    wait_for_metrics(port, &["tidemark_tenants_over_quota{partition="]).await;

    // And a resumed tenant without room waits again at the same record, also after a restart
    processor.terminate();
    let processor = site.process(&FLAGS);
    resume(&site).await;
    assert_eq!(counts(&site, "acme").await, (5, 5));
    assert_over_quota(&site);

    // And once the parked events are discarded, what waited is parked and folded
    let all = [
        "--tenant",
        "acme",
        "--reason",
        "corrected at its producer",
        "--apply",
    ];
    parked_command(&site, &[&["discard"], &all[..]].concat());
    assert_eq!(stored_bytes(&site).await, 0);
    resume(&site).await;
    assert_eq!(site.deferred(), Vec::<Value>::new());
    assert_eq!(counts(&site, "acme").await, (3, 8));
    assert_eq!(stored_bytes(&site).await, 3 * row);
    processor.terminate();
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let expected =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
}

#[tokio::test]
async fn placeholder_id_that_takes_half_of_the_quota_is_deferred_without_its_tenant() {
    // Given a tenant with so many events of a placeholder id that they take half of its quota
    const ANONYMOUS: i64 = 2_500;
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let processor = site.process(&FLAGS);
    for _ in 0..ANONYMOUS {
        publisher.event(&order_of("acme", "anonymous"));
    }
    publisher.flush();
    site.wait_until_folded(SOON).await;

    // Then the id is deferred alone, and no more of its events are copied
    let deferred = site.deferred();
    let [over] = &deferred[..] else {
        panic!("one customer in one partition: {deferred:?}")
    };
    assert_eq!(
        (&over["customer"], &over["reason"]),
        (&"anonymous".into(), &"quota".into())
    );
    let waiting = over["events"].as_i64().unwrap();
    let (parked, _) = counts(&site, "acme").await;
    assert!(
        waiting > 0 && parked + waiting == ANONYMOUS,
        "{parked} and {waiting}"
    );
    assert!(stored_bytes(&site).await <= 512 * 1024);

    // And the tenant's other customers are folded, and its invalid events parked
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    assert_eq!(counts(&site, "acme").await, (parked + 1, 1));
    assert_eq!(site.deferred().len(), 1);
    processor.terminate();
}

#[tokio::test]
async fn placeholder_id_of_a_tenant_that_catches_up_is_deferred_without_it() {
    // Given a tenant that is not defined, with more events of a placeholder id than half of its quota
    let site = Site::new().await;
    site.define("tenant: { id: globex, zone: Europe/Berlin, currency: EUR }");
    let publisher = site.publisher().await;
    let processor = site.process(&FLAGS);
    for number in 0..2_500 {
        publisher.event(&order_of("acme", "anonymous"));
        publisher.event(&order_of("acme", &format!("customer-{}", number % 20)));
    }
    publisher.flush();
    site.wait_until_folded(SOON).await;

    // When it is defined
    site.define(ACME);

    // Then all its other events are folded, and the id waits alone
    wait_for(SOON, "the events of the tenant", async || {
        match counts(&site, "acme").await {
            (_, 2_500) => Ok(()),
            counts => Err(format!("{counts:?}, {:?}", site.deferred())),
        }
    })
    .await;
    wait_for(SOON, "the tenant to catch up", async || {
        let deferred = site.deferred();
        let [over] = &deferred[..] else {
            return Err(format!("{deferred:?}"));
        };
        let found = (&over["customer"], &over["reason"]);
        if found != (&"anonymous".into(), &"quota".into()) {
            return Err(format!("{over}"));
        }
        Ok(())
    })
    .await;
    assert!(stored_bytes(&site).await <= 512 * 1024);

    // And once there is room, the rest of its events is parked: none is lost
    let (parked, _) = counts(&site, "acme").await;
    let reason = ["--reason", "no customer's", "--apply"];
    parked_command(
        &site,
        &[&["discard", "--tenant", "acme"], &reason[..]].concat(),
    );
    let scope = ["--tenant", "acme", "--customer", "anonymous"];
    site.run(&[&["deferred", "resume"], &scope[..], &["--apply"]].concat());
    assert_eq!(site.deferred(), Vec::<Value>::new());
    assert_eq!(counts(&site, "acme").await, (2_500 - parked, 2_500));
    processor.terminate();
}

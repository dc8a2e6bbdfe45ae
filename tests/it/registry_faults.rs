//! Faults of the registry: while it is unavailable or slow, folding waits; wrong responses park
//! events, and a redrive folds them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::faulty::{Fault, FaultyRegistry};
use crate::support::ports::free_port;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::{wait_for, wait_until};

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";
const SOON: Duration = Duration::from_mins(2);

/// Returns an order of one customer.
fn order(customer: &str) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
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

/// Returns orders of customers in every partition.
fn orders(count: usize) -> Vec<CustomerEvent> {
    (0..count)
        .map(|number| order(&format!("customer-{number}")))
        .collect()
}

/// Publishes events under a schema.
fn publish(site: &Site, schema: u32, events: &[CustomerEvent]) {
    let publisher = FaultyRegistry::publisher(site, schema);
    for event in events {
        publisher.event(event);
    }
    publisher.flush();
}

/// Returns whether the processor has logged this text.
fn has_logged(site: &Site, text: &str) -> bool {
    fs::read_dir(site.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .any(|path| fs::read_to_string(path).unwrap().contains(text))
}

async fn parked(site: &Site) -> BTreeMap<String, i64> {
    let counts = "select reason, count(*) from $gen.parked group by reason";
    site.projections()
        .await
        .rows(counts)
        .await
        .into_iter()
        .collect()
}

/// Asserts that every published event is folded once.
async fn assert_folded(site: &Site, events: &[CustomerEvent]) {
    let definitions = read::definitions(site.kafka, &site.definitions_topic);
    let mut expected = Reference::new(definitions, PARTITIONS, Partitioner::Murmur2);
    for event in events {
        expected.fold(event).unwrap().unwrap();
    }
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    assert_eq!(parked(site).await, BTreeMap::new());
}

#[tokio::test]
async fn unavailable_registry_pauses_folding_and_parks_nothing() {
    // Given events, and no server at the registry's address
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = FaultyRegistry::start().await;
    assert_eq!(registry.register(&site.topic, 0).await, 1);
    let port = free_port();
    let events = orders(50);
    publish(&site, 1, &events);
    let setting = format!("registry.url=http://127.0.0.1:{port}");
    let processor = site.process(&["--set", &setting]);
    wait_until(SOON, "the processor to log that it waits", || {
        has_logged(&site, "waiting for the registry")
    });
    assert_eq!(parked(&site).await, BTreeMap::new());

    // When the registry starts
    registry.also_listen_on(port).await;

    // Then all events are folded
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_folded(&site, &events).await;
}

#[tokio::test]
async fn slow_registry_delays_only_the_partition_that_needs_a_new_schema() {
    // Given a processor that knows one schema, and a registry that does not respond for the next
    // one
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = FaultyRegistry::start().await;
    let known = registry.register(&site.topic, 1).await;
    let new = registry.register(&site.topic, 2).await;
    let mut events = orders(40);
    publish(&site, known, &events);
    let processor = site.process(&["--set", &registry.setting()]);
    site.wait_until_folded(SOON).await;
    registry.inject([(new, Fault::Silence)]);

    // When one partition needs that schema, and all have more records
    let first = order("customer-0");
    let waiting = Partitioner::Murmur2.partition(first.key().record_key().as_bytes(), PARTITIONS);
    publish(&site, new, std::slice::from_ref(&first));
    let more = orders(40);
    publish(&site, known, &more);
    let ends = read::ends(site.kafka, &site.topic);
    let projections = site.projections().await;
    let positions = "select partition, next_offset from $gen.progress order by partition";
    let at = wait_for(SOON, "the other partitions to continue", async || {
        let at: Vec<(i32, i64)> = projections.rows(positions).await;
        let others = at
            .iter()
            .zip(&ends)
            .filter(|((partition, _), _)| *partition != waiting);
        let behind = others.filter(|((_, next), (_, end))| next < end).count();
        if behind == 0 {
            Ok(at)
        } else {
            Err(format!("{at:?} of {ends:?}"))
        }
    })
    .await;

    // Then only that partition waits, and nothing is parked
    let waiting = usize::try_from(waiting).unwrap();
    assert!(at[waiting].1 < ends[waiting].1, "{at:?} of {ends:?}");
    assert_eq!(parked(&site).await, BTreeMap::new());

    // And once the registry responds, it continues
    registry.inject([]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    events.push(first);
    events.extend(more);
    assert_folded(&site, &events).await;
}

/// Asserts that folding waits after an HTML page and after an error of the registry.
fn assert_faults_are_waited_out(
    site: &Site,
    registry: &FaultyRegistry,
    [missing, page, fault]: [u32; 3],
    events: &[CustomerEvent],
) {
    publish(site, page, &events[160..200]);
    wait_until(SOON, "the processor to log the HTML page", || {
        has_logged(site, "an answer that is not the protocol's")
    });
    publish(site, fault, &events[200..]);
    registry.inject([(missing, Fault::Missing), (fault, Fault::ServerError)]);
    wait_until(
        SOON,
        "the processor to log the error of the registry",
        || has_logged(site, "500 Internal Server Error"),
    );
}

#[tokio::test]
async fn wrong_registry_responses_lose_nothing_and_a_redrive_folds_what_they_parked() {
    // Given a registry with faults for every schema but one
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = FaultyRegistry::start().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(registry.register(&site.topic, number).await);
    }
    let [truth, missing, broken, other, page, fault] = ids[..] else {
        panic!("{ids:?}")
    };
    registry.inject([
        (missing, Fault::Missing),
        (broken, Fault::Schema("{\"type\": \"rec")),
        (other, Fault::Schema("\"long\"")),
        (page, Fault::Html),
        (fault, Fault::ServerError),
    ]);
    let events = orders(240);
    for (schema, events) in [missing, truth, broken, other]
        .into_iter()
        .zip(events.chunks(40))
    {
        publish(&site, schema, events);
    }

    // When its responses are taken as they are
    let processor = site.process(&["--set", &registry.setting()]);
    site.wait_until_folded(SOON).await;

    // Then a missing, broken or foreign schema parks events, the rest is folded, and many events
    // with one missing id cause few lookups
    let reasons = parked(&site).await;
    assert_eq!(reasons.get("unknown_schema"), Some(&40), "{reasons:?}");
    assert_eq!(reasons.values().sum::<i64>(), 120, "{reasons:?}");
    let only = ["unknown_schema", "incompatible", "undecodable"];
    assert!(
        reasons.keys().all(|reason| only.contains(&reason.as_str())),
        "{reasons:?}"
    );
    assert!(registry.lookups() < 40, "{} lookups", registry.lookups());

    assert_faults_are_waited_out(&site, &registry, [missing, page, fault], &events);
    assert_eq!(parked(&site).await, reasons);

    // And when the faults are removed, a redrive looks the schemas up again and folds every event
    registry.inject([]);
    site.wait_until_folded(SOON).await;
    let redriven = site.run(&["parked", "redrive", "--apply", "--json"]);
    assert!(redriven.status.success(), "{redriven:?}");
    processor.terminate();
    assert_folded(&site, &events).await;
}

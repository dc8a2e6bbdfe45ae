//! The operator commands for parked events: list, show, redrive and discard.

mod accepting;
mod header_names;
mod many;

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::faulty::{Fault, FaultyRegistry};
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::wait_for;

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";
const SOON: Duration = Duration::from_mins(2);

fn order(customer: &str, amount_minor: i64) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(customer).unwrap(),
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

fn orders(count: usize) -> Vec<CustomerEvent> {
    let customer = |number: usize| format!("customer-{}", number % 300);
    (0..count)
        .map(|number| order(&customer(number), 100))
        .collect()
}

/// Returns the last line of the output as JSON and asserts the exit code.
#[track_caller]
fn answer(output: &Output, code: i32) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}{errors}");
    serde_json::from_str(text.lines().last().unwrap_or("null")).unwrap()
}

async fn assert_folded(site: &Site, events: &[CustomerEvent]) {
    let definitions = read::definitions(site.kafka, &site.definitions_topic);
    let mut expected = Reference::new(definitions, PARTITIONS, Partitioner::Murmur2);
    for event in events {
        expected.fold(event).unwrap().unwrap();
    }
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
}

/// Creates a site with events that are parked because its registry has no schema for now.
async fn parked_site(events: &[CustomerEvent]) -> (Site, FaultyRegistry, u32) {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = FaultyRegistry::start().await;
    let schema = registry.register(&site.topic, 0).await;
    registry.inject([(schema, Fault::Missing)]);
    let publisher = FaultyRegistry::publisher(&site, schema);
    for event in events {
        publisher.event(event);
    }
    publisher.flush();
    (site, registry, schema)
}

/// Disables halts: here the registry causes the unknown schemas, not the tenant.
const NO_HALT: [&str; 2] = ["--set", "processor.halt_share=1"];

/// Returns an event that another partitioner sends to another partition.
fn stray() -> CustomerEvent {
    (0..100)
        .map(|number| order(&format!("stray-{number}"), 100))
        .find(|event| {
            let key = event.key().record_key();
            Partitioner::Crc32.partition(key.as_bytes(), PARTITIONS)
                != Partitioner::Murmur2.partition(key.as_bytes(), PARTITIONS)
        })
        .unwrap()
}

#[tokio::test]
async fn parked_events_are_listed_redriven_and_discarded() {
    // Given events parked because the registry did not know their schema
    let events = orders(40);
    let (site, registry, schema) = parked_site(&events).await;
    let setting = registry.setting();
    let processor = site.process(&["--set", &setting]);
    site.wait_until_folded(SOON).await;
    let unknown = [
        "parked",
        "redrive",
        "--parked-reason",
        "unknown_schema",
        "--json",
    ];
    let dry = answer(&site.run(&unknown), 0);
    assert_eq!(
        (&dry["dry_run"], &dry["matching"]),
        (&true.into(), &40.into()),
        "{dry}"
    );
    let listed = answer(
        &site.run(&["parked", "list", "--newer-than", "1h", "--json"]),
        0,
    );
    assert_eq!(
        listed.as_array().map(Vec::len),
        Some(40),
        "a dry run changes nothing: {listed}"
    );

    // When the registry knows the schema and the events are redriven, then they are folded
    registry.inject([]);
    let done = answer(&site.run(&[&unknown[..], &["--apply"]].concat()), 0);
    assert_eq!(
        (&done["done"], &done["waiting"]),
        (&40.into(), &0.into()),
        "{done}"
    );
    assert_folded(&site, &events).await;

    park_two(&site, schema).await;
    show_redrive_and_discard(&site, &setting).await;
    processor.terminate();
    assert_folded(&site, &events).await;
}

/// Publishes an invalid event, and a record that is no event, and waits until they are parked.
async fn park_two(site: &Site, schema: u32) {
    let publisher = FaultyRegistry::publisher(site, schema);
    let invalid = publisher.encode(&order("customer-1", -1));
    publisher.raw(b"acme/customer-1", &invalid, &[("trace", b"me")]);
    publisher.raw(b"acme/customer-2", b"nonsense", &[]);
    publisher.flush();
    site.wait_until_folded(SOON).await;
}

/// Shows, redrives and discards the invalid event; the undecodable one stays.
async fn show_redrive_and_discard(site: &Site, setting: &str) {
    let listed = answer(
        &site.run(&["parked", "list", "--parked-reason", "invalid", "--json"]),
        0,
    );
    let event = &listed[0];
    assert_eq!(event["field"], "payload.amount_minor", "{listed}");
    let position = format!("{}@{}", event["partition"], event["offset"]);
    let show = ["--set", setting, "parked", "show", &position, "--json"];
    let shown = answer(&site.run(&show), 0);
    assert_eq!(shown["decoded"]["tenant_id"], "acme", "{shown}");
    assert_eq!(shown["headers"][0]["text"], "me", "{shown}");
    assert_eq!(shown["key"]["text"], "acme/customer-1", "{shown}");

    // A redrive finds the event still invalid
    let redrive = ["parked", "redrive", &position, "--apply", "--json"];
    let tried = answer(&site.run(&redrive), 1);
    assert_eq!(
        (&tried["done"], &tried["still_parked"]),
        (&0.into(), &1.into()),
        "{tried}"
    );

    // A discard with a reason is audited
    let reason = ["--reason", "test data of the vendor"];
    let all = site.run(&[&["parked", "discard"], &reason[..]].concat());
    assert_eq!(
        all.status.code(),
        Some(2),
        "a discard without a filter is rejected: {all:?}"
    );
    let discard = [&["parked", "discard", &position], &reason[..], &["--json"]].concat();
    assert_eq!(answer(&site.run(&discard), 0)["dry_run"], true);
    let gone = answer(&site.run(&[&discard[..], &["--apply"]].concat()), 0);
    assert_eq!(gone["events"][0]["outcome"], "discarded", "{gone}");
    let projections = site.projections().await;
    let left: Vec<(String,)> = projections.rows("select reason from $gen.parked").await;
    assert_eq!(left, [("undecodable".to_owned(),)]);
    let trace = format!("{position}: test data of the vendor");
    let audited = format!(
        "select count(*) from tidemark.audit where action = 'parked.discard' \
         and tenant_id = 'acme' and target like '%/{trace}'"
    );
    assert_eq!(projections.number(&audited).await, 1);
    let counted = "select coalesce(sum(value), 0)::bigint from $gen.counter where tenant_id = 'acme' and kind =";
    // The undecodable record is of the tenant in its key.
    assert_eq!(projections.number(&format!("{counted} 'parked'")).await, 1);
    assert_eq!(
        projections.number(&format!("{counted} 'discarded'")).await,
        1
    );
}

#[tokio::test]
async fn redriven_events_count_once_when_processors_are_killed() {
    // Given thousands of parked events, and a registry that has the schema now
    let events = orders(6_000);
    let (site, registry, _) = parked_site(&events).await;
    let setting = registry.setting();
    let flags = ["--set", &setting, NO_HALT[0], NO_HALT[1]];
    let processor = site.process(&flags);
    site.wait_until_folded(SOON).await;
    processor.kill();
    registry.inject([]);

    // When they are redriven while no processor runs, then the command reports them as waiting and
    // keeps them
    let redrive = ["parked", "redrive", "--apply", "--wait", "1", "--json"];
    let waiting = answer(&site.run(&redrive), 1);
    assert_eq!(
        (&waiting["done"], &waiting["waiting"]),
        (&0.into(), &6_000.into()),
        "{waiting}"
    );

    // And processors that are killed during the redrive fold each of them once
    let projections = site.projections().await;
    for left in [5_000, 3_500, 2_000, 500] {
        let processor = site.process(&flags);
        wait_for(SOON, "more events to be folded", async || match projections
            .number("select count(*) from $gen.parked")
            .await
        {
            found if found <= left => Ok(()),
            found => Err(format!("{found} parked")),
        })
        .await;
        processor.kill();
    }
    let processor = site.process(&flags);
    wait_for(SOON, "no parked events", async || {
        match projections.number("select count(*) from $gen.parked").await {
            // The processor before may have folded the last one: this one must have started before
            // it is terminated.
            0 if processor.log().contains("claimed") => Ok(()),
            found => Err(format!("{found} parked")),
        }
    })
    .await;
    processor.terminate();
    assert_folded(&site, &events).await;
    let folded = "select count(*) from $gen.parked_request where outcome = 'folded'";
    assert_eq!(projections.number(folded).await, 6_000);
}

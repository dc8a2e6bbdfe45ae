//! Many parked events: they are listed and redriven at the pace of folding.

use std::time::Instant;

use tidemark_schemas::CustomerEvent;

use super::{DEFINITIONS, NO_HALT, SOON, answer, order};
use crate::support::faulty::{Fault, FaultyRegistry};
use crate::support::publish::Publisher;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const EVENTS: usize = 80_000;
/// The largest ratio of the time of a redrive to that of folding as many live events. A redrive does
/// more: it records, audits and answers the command for each event, and deletes the parked row.
const TIMES: u32 = 5;

fn publish(publisher: &Publisher) {
    for number in 0..EVENTS {
        publisher.event(&order(&format!("customer-{}", number % 2_000), 100));
    }
    publisher.flush();
}

#[tokio::test]
async fn eighty_thousand_parked_events_are_redriven_at_the_pace_of_folding() {
    // Given the time in which as many live events are folded
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = FaultyRegistry::start().await;
    let known = registry.register(&site.topic, 0).await;
    let missing = registry.register(&site.topic, 1).await;
    registry.inject([(missing, Fault::Missing)]);
    publish(&FaultyRegistry::publisher(&site, known));
    let setting = registry.setting();
    let begun = Instant::now();
    let processor = site.process(&["--set", &setting, NO_HALT[0], NO_HALT[1]]);
    site.wait_until_folded(SOON).await;
    let live = begun.elapsed();

    // And as many parked ones
    publish(&FaultyRegistry::publisher(&site, missing));
    site.wait_until_folded(SOON).await;
    registry.inject([]);
    let parked = site.projections().await;
    let parked = parked.number("select count(*) from $gen.parked").await;
    assert_eq!(parked, i64::try_from(EVENTS).unwrap());

    // When all are redriven, then that takes a small multiple of the time
    let begun = Instant::now();
    let redrive = ["parked", "redrive", "--apply", "--wait", "600", "--json"];
    let done = answer(&site.run(&redrive), 0);
    let redriven = begun.elapsed();
    println!("live {live:?}, redriven {redriven:?}");
    assert_eq!(done["done"], EVENTS, "{done}");
    assert!(
        redriven < live * TIMES,
        "{redriven:?} for what is folded live in {live:?}"
    );
    processor.terminate();
    let folded = "select sum(events)::bigint from $gen.digest";
    let folded = site.projections().await.number(folded).await;
    assert_eq!(folded, 2 * i64::try_from(EVENTS).unwrap());
}

/// Publishes valid events, a damaged one beside each and an invalid one under a schema, and an event
/// under another; returns the first producer.
fn publish_damaged(site: &Site, known: u32, missing: u32) -> Publisher {
    let publisher = FaultyRegistry::publisher(site, known);
    for number in 0..40 {
        let event = customer(number);
        let key = event.key().record_key();
        publisher.event(&event);
        publisher.raw(key.as_bytes(), &publisher.encode(&event)[..20], &[]);
    }
    publisher.event(&order("customer-0", -1));
    publisher.flush();
    let unknown = FaultyRegistry::publisher(site, missing);
    unknown.event(&customer(0));
    unknown.flush();
    publisher
}

fn customer(number: usize) -> CustomerEvent {
    order(&format!("customer-{number}"), 100)
}

#[tokio::test]
async fn redrive_of_unreadable_events_does_not_make_live_events_wait_for_the_registry() {
    // Given live events of a schema, and a damaged one of the same schema
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = FaultyRegistry::start().await;
    let known = registry.register(&site.topic, 0).await;
    let missing = registry.register(&site.topic, 1).await;
    registry.inject([(missing, Fault::Missing)]);
    let publisher = publish_damaged(&site, known, missing);
    let setting = registry.setting();
    let processor = site.process(&["--set", &setting, NO_HALT[0], NO_HALT[1]]);
    site.wait_until_folded(SOON).await;

    // When they are redriven while the registry does not respond
    registry.inject([(known, Fault::Silence), (missing, Fault::Silence)]);
    for (reason, events) in [("undecodable", 40), ("unknown_schema", 1)] {
        let redrive = ["parked", "redrive", "--parked-reason", reason, "--apply"];
        let waiting = answer(
            &site.run(&[&redrive[..], &["--json", "--wait", "1"]].concat()),
            1,
        );
        assert_eq!(waiting["waiting"], events, "{waiting}");
    }

    // Then live events are folded, and another command is applied
    for number in 0..40 {
        publisher.event(&customer(number));
    }
    publisher.flush();
    site.wait_until_folded(SOON).await;
    let discard = ["parked", "discard", "--parked-reason", "invalid"];
    let options = ["--reason", "a test", "--apply", "--json"];
    let discarded = answer(&site.run(&[&discard[..], &options].concat()), 0);
    assert_eq!(discarded["done"], 1, "{discarded}");

    // And once the registry responds, the events are tried again
    registry.inject([]);
    let projections = site.projections().await;
    let pending = "select count(*) from $gen.parked_request where outcome is null";
    wait_for(
        SOON,
        "every command to be applied",
        async || match projections.number(pending).await {
            0 => Ok(()),
            left => Err(format!("{left} wait")),
        },
    )
    .await;
    let outcomes = "select outcome, count(*) from $gen.parked_request group by outcome order by 1";
    let outcomes: Vec<(String, i64)> = projections.rows(outcomes).await;
    let expected = [("discarded", 1), ("folded", 1), ("parked", 40)];
    assert_eq!(
        outcomes,
        expected.map(|(name, events)| (name.to_owned(), events))
    );
    processor.terminate();
}

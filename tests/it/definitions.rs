//! Definitions: from a file to every customer of the tenant.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Instant, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::compare::Projections;
use crate::support::publish::Publisher;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);
const CUSTOMERS: usize = 8_000;

fn definitions(at_least: u32) -> String {
    format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR }}
segments:
  - name: buyers
    when: {{ orders: {{ count: {{ gte: {at_least} }} }} }}
---
tenant: {{ id: globex, zone: UTC, currency: USD }}
segments:
  - name: buyers
    when: {{ orders: {{ count: {{ gte: 1 }} }} }}
"
    )
}

pub(crate) fn order(tenant: &str, customer: usize, occurred_at: Instant) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new(tenant).unwrap(),
        customer_id: CustomerId::new(format!("customer-{customer:05}")).unwrap(),
        source: "test".into(),
        occurred_at,
        payload: Payload::OrderPlaced(OrderPlaced {
            order_id: Uuid::new_v4().to_string().into(),
            amount_minor: 100,
            currency: Currency::new("EUR").unwrap(),
            items: None,
            channel: None,
        }),
    }
}

#[tokio::test]
async fn invalid_file_is_rejected_whole_and_every_error_names_its_line() {
    let site = Site::new().await;
    let output = site.apply(
        "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: chicken
    when: { segment: egg }
  - name: egg
    when: { segment: chicken }
  - name: typo
    when: { orders: { cuont: { gte: 1 } } }
",
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("definitions.yaml:8:"),
        "the line of the typo: {said}"
    );
    assert!(said.contains("\"count\""), "the nearest valid name: {said}");
    assert!(
        said.contains("chicken") && said.contains("egg"),
        "the cycle: {said}"
    );
    assert_eq!(
        read::ends(site.kafka, &site.definitions_topic),
        [(0, 0)],
        "nothing is applied"
    );
}

/// Asserts that a record of almost one mebibyte is applied, which with its framing is more than a
/// topic accepts by default.
#[tokio::test]
async fn bundle_of_one_mebibyte_is_applied() {
    let site = Site::new().await;
    let description = "x".repeat(950);
    let mut documents = String::new();
    for tenant in ["acme", "globex"] {
        writeln!(
            documents,
            "---\ntenant: {{ id: {tenant}, zone: UTC, currency: EUR }}\nsegments:"
        )
        .unwrap();
        for number in 0..500 {
            writeln!(
                documents,
                "  - name: segment-{number:03}\n    description: {description}\n    \
                 when: {{ orders: {{ count: {{ gte: 1 }} }} }}"
            )
            .unwrap();
        }
    }
    assert!(documents.len() > 1_000_000);
    site.define(&documents);
    let ends = read::ends(site.kafka, &site.definitions_topic);
    assert_eq!(ends, [(0, 1)], "one record");
}

#[tokio::test]
async fn zone_of_a_tenant_cannot_change_and_unchanged_definitions_are_not_published() {
    let site = Site::new().await;
    site.define(&definitions(1));
    site.define(&definitions(1));
    assert_eq!(
        read::ends(site.kafka, &site.definitions_topic),
        [(0, 1)],
        "one record"
    );
    let output = site.apply(&definitions(1).replace("Europe/Berlin", "Asia/Tokyo"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("zone"), "{said}");
    let shown = site.run(&["define", "show", "acme"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("Europe/Berlin") && shown.contains("buyers"),
        "{shown}"
    );
}

/// Publishes an order for every customer, a second one for every eighth, and as many for another
/// tenant.
fn publish_orders(publisher: &Publisher) {
    let now = WallClock::System.now();
    for customer in 0..CUSTOMERS {
        publisher.event(&order("acme", customer, now));
        if customer % 8 == 0 {
            publisher.event(&order("acme", customer, now));
            publisher.event(&order("globex", customer, now));
        }
    }
}

async fn wait_until_reevaluated(projections: &Projections) {
    wait_for(SOON, "every customer to be re-evaluated", async || {
        let left = "select count(*) from $gen.customer where tenant_id = 'acme'
                    and definition_version < 1";
        let left = projections.number(left).await;
        let open = "select count(*) from $gen.reevaluation where not done";
        let open = projections.number(open).await;
        if left + open == 0 {
            Ok(())
        } else {
            Err(format!("{left} customers and {open} re-evaluations left"))
        }
    })
    .await;
}

async fn assert_moved(projections: &Projections) {
    // Then the members are the customers with two orders, whichever processor evaluated them
    let members: Vec<(String,)> = projections
        .rows("select customer_id from $gen.membership where tenant_id = 'acme'")
        .await;
    let members: BTreeSet<String> = members.into_iter().map(|(id,)| id).collect();
    let expected: BTreeSet<String> = (0..CUSTOMERS)
        .filter(|customer| customer % 8 < 2)
        .map(|customer| format!("customer-{customer:05}"))
        .collect();
    assert_eq!(members, expected);
    // Each other customer left once, because of the definitions, at the time they were appended
    let left: Vec<(i64, i64, i64)> = projections
        .rows(
            "select count(*), count(distinct customer_id), count(*) filter (
                 where definition_version = 1 and effective_at =
                     (select appended_at from tidemark.bundle where version = 1))
             from $gen.change where tenant_id = 'acme' and cause = 'definition'
                 and from_value is not null",
        )
        .await;
    let (changes, customers, stamped) = left[0];
    assert_eq!((changes, customers), (stamped, changes));
    let outside = i64::try_from(CUSTOMERS - expected.len()).unwrap();
    assert!(
        changes >= outside,
        "{changes} of {outside} left because of the definitions"
    );
}

#[tokio::test]
async fn changed_definition_reevaluates_every_customer_once_when_the_processor_is_killed() {
    // Given many customers with one order each, an eighth of them with two
    let site = Site::new().await;
    site.define(&definitions(1));
    let publisher = site.publisher().await;
    publish_orders(&publisher);
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let projections = site.projections().await;
    let buyers = "select count(*) from $gen.membership where tenant_id = 'acme'";
    assert_eq!(
        projections.number(buyers).await,
        i64::try_from(CUSTOMERS).unwrap()
    );

    // When the segment requires two orders while events keep arriving, and the processor is killed
    site.define(&definitions(2));
    let begun = "select count(*) from $gen.reevaluation";
    wait_for(SOON, "the re-evaluation to begin", async || {
        if projections.number(begun).await > 0 {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .await;
    processor.kill();
    for customer in (1..CUSTOMERS).step_by(8) {
        publisher.event(&order("acme", customer, WallClock::System.now()));
    }
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    wait_until_reevaluated(&projections).await;
    processor.terminate();

    assert_moved(&projections).await;
    // And the customers of the other tenant do not change
    let theirs = "select count(*) from $gen.change where tenant_id = 'globex'
                  and cause = 'definition'";
    assert_eq!(projections.number(theirs).await, 0);
    let reference = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    projections.assert_equal(&reference).await;
    projections.assert_consistent().await;
    let activations = "select count(*) from $gen.activation where version = 1";
    assert_eq!(
        projections.number(activations).await,
        4,
        "one for each partition"
    );
}

//! Quarantine: a customer that cannot be processed is deferred alone; once mended, its tables are as if it
//! had never been deferred.

mod bounds;
mod panics;
mod refused_rows;
mod unreadable_rows;

use std::time::Duration;

use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::{OrderPlaced, StageEntered};
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Instant, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::history::{assert_same_outcome, fold_as_recorded, positions};
use crate::support::publish::Publisher;
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::wait::wait_for;

/// Time makes those `stuck` that entered the stage so many hours ago; a tracked counter says who bought often.
fn definitions(hours: u32, orders: u32) -> String {
    format!(
        "tenant: {{ id: acme, zone: Europe/Berlin, currency: EUR }}
segments:
  - name: buyers
    when: {{ orders: {{ count: {{ gte: {orders} }} }} }}
  - name: stuck
    when: {{ stage: {{ journey: sales, is: lead, in_for: {hours}h }} }}
journeys:
  - name: sales
    stages: [lead, customer]
"
    )
}

/// A segment more.
const REGULARS: &str = "segments:
  - name: regulars
    when: { orders: { count: { gte: 2 } } }";
const SOON: Duration = Duration::from_mins(2);
const DAY_MICROS: i64 = 86_400_000_000;
const DUE_IN_MICROS: i64 = 20_000_000;
const CUSTOMERS: usize = 40;
const FAILING: &str = "customer-7";

fn event(number: usize, occurred_at: Instant, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(format!("customer-{}", number % CUSTOMERS)).unwrap(),
        source: "test".into(),
        occurred_at,
        payload,
    }
}

/// Publishes orders of every customer.
fn publish(publisher: &Publisher, per_customer: usize) {
    for number in 0..CUSTOMERS * per_customer {
        publisher.event(&event(number, WallClock::System.now(), order("EUR")));
    }
    publisher.flush();
}

fn order(currency: &str) -> Payload {
    Payload::OrderPlaced(OrderPlaced {
        order_id: Uuid::new_v4().to_string().into(),
        amount_minor: 100,
        currency: Currency::new(currency).unwrap(),
        items: None,
        channel: None,
    })
}

/// Lets every customer enter a stage at an instant.
fn enter(publisher: &Publisher, at: Instant) {
    for number in 0..CUSTOMERS {
        let entered = Payload::StageEntered(StageEntered {
            journey: "sales".into(),
            stage: "lead".into(),
        });
        publisher.event(&event(number, at, entered));
    }
    publisher.flush();
}

/// Exchanges the state of the customer for another; returns the one before.
async fn exchange_state(site: &Site, state: &[u8]) -> Vec<u8> {
    let before: Vec<u8> =
        sqlx::query_scalar("select state from gen_1.customer where customer_id = $1")
            .bind(FAILING)
            .fetch_one(&site.database.pool)
            .await
            .unwrap();
    sqlx::query("update gen_1.customer set state = $1 where customer_id = $2")
        .bind(state)
        .bind(FAILING)
        .execute(&site.database.pool)
        .await
        .unwrap();
    before
}

#[tokio::test]
async fn customer_with_a_damaged_row_is_quarantined_alone_and_catches_up_once_it_is_mended() {
    // Given folded events, and a row that cannot be read
    let site = Site::new().await;
    site.define(&definitions(480, 3));
    let publisher = site.publisher().await;
    let processor = site.process(&[]);
    let due = WallClock::System.now().plus_micros(DUE_IN_MICROS);
    enter(&publisher, due.plus_micros(-20 * DAY_MICROS));
    publish(&publisher, 5);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    let state = exchange_state(&site, b"damaged").await;

    // When more events come, a timer falls due, and other definitions come between them
    let processor = site.process(&[]);
    publish(&publisher, 5);
    site.wait_until_folded(SOON).await;
    wait_until_stuck(&site, 39).await;
    site.define(&definitions(479, 12));
    publish(&publisher, 5);
    site.wait_until_folded(SOON).await;

    // Then the customer is quarantined, and every other one is folded
    assert_quarantined_alone(&site).await;

    // And while it is not mended, it stays so: resumed, and across a restart
    let resume = [
        "deferred",
        "resume",
        "--tenant",
        "acme",
        "--customer",
        FAILING,
    ];
    let early = site.run(&[&resume[..], &["--apply", "--wait", "2"]].concat());
    assert_eq!(early.status.code(), Some(1), "{early:?}");
    wait_until_stopped_again(&site).await;
    processor.terminate();
    let processor = site.process(&[]);
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    assert_eq!(site.deferred()[0]["events"], 11);

    // And once it is mended and resumed, it is as if it had never been
    exchange_state(&site, &state).await;
    let resumed = site.run(&[&resume[..], &["--apply"]].concat());
    assert!(resumed.status.success(), "{resumed:?}");
    assert!(site.deferred().is_empty());
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_never_quarantined(&site).await;
}

/// Waits until the customer is quarantined, and asserts that no other one is and that the detail has these words.
async fn wait_until_quarantined_alone(site: &Site, words: &[&str]) {
    wait_for(SOON, "the customer to be quarantined", async || {
        if site.deferred().is_empty() {
            Err("not yet".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    site.wait_until_folded(SOON).await;
    let found = site.deferred();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["customer"], FAILING);
    assert_eq!(found[0]["reason"], "quarantined");
    let detail = found[0]["detail"].as_str().unwrap();
    let has = |word: &&str| detail.contains(*word);
    assert!(words.iter().all(has), "{detail}");
}

/// Resumes the customer, and waits until it has caught up.
fn resume(site: &Site) {
    let resume = ["deferred", "resume", "--tenant", "acme", "--customer"];
    let resumed = site.run(&[&resume[..], &[FAILING, "--apply"]].concat());
    assert!(resumed.status.success(), "{resumed:?}");
    assert!(site.deferred().is_empty());
}

async fn execute(site: &Site, statement: String) {
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&site.database.pool)
        .await
        .unwrap();
}

async fn wait_until_stuck(site: &Site, customers: i64) {
    let projections = site.projections().await;
    let stuck = "select count(*) from $gen.membership where segment = 'stuck'";
    wait_for(SOON, "the timers to fire", async || {
        match projections.number(stuck).await {
            count if count == customers => Ok(()),
            count => Err(format!("{count} have")),
        }
    })
    .await;
}

async fn assert_quarantined_alone(site: &Site) {
    let found = site.deferred();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (
            &found[0]["customer"],
            &found[0]["reason"],
            &found[0]["events"]
        ),
        (&FAILING.into(), &"quarantined".into(), &10.into())
    );
    assert!(found[0]["detail"].as_str().unwrap().contains("damaged"));
    let events = "select sum(events)::bigint from $gen.digest";
    let folded = site.projections().await.number(events).await;
    assert_eq!(folded, 40 * 16 - 10);
}

async fn wait_until_stopped_again(site: &Site) {
    wait_for(
        SOON,
        "the customer to be deferred as before",
        async || match site.deferred() {
            found if found[0]["resume_by"].is_null() => Ok(()),
            found => Err(format!("{found:?}")),
        },
    )
    .await;
}

/// Asserts that every event is folded.
async fn assert_folded(site: &Site) {
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let expected =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
}

/// Asserts that the projections are those of a processor that never met a damaged row.
async fn assert_never_quarantined(site: &Site) {
    assert_folded(site).await;
    let projections = site.projections().await;
    let ends = positions(&projections).await;
    let folded = fold_as_recorded(site, &ends).await;
    assert_same_outcome(&projections, &folded).await;
}

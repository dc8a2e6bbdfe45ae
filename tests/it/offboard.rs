//! Offboarding: a tenant's projections are erased exactly once, beside the events of others, and nothing of
//! them comes back.

mod commands;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tidemark_processor::Membership;
use tidemark_processor::clock::WallClock;
use tidemark_processor::migrate::{GenerationSpec, ensure_generation};
use tidemark_schemas::event::{OrderPlaced, StageEntered};
use tidemark_schemas::{
    Currency, CustomerEvent, CustomerId, EventId, Partitioner, Payload, TenantId,
};
use uuid::Uuid;

use crate::support::compare::Projections;
use crate::support::history::{assert_same_outcome, fold_as_recorded, positions, run_to_the_end};
use crate::support::postgres::Database;
use crate::support::processor;
use crate::support::publish::Publisher;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(2);
const SEED: u64 = 20_261_130;
/// The customers of the tenant that is offboarded: several batches of the erasure in each partition.
const CUSTOMERS: usize = 3_000;
/// The most kills of the processor that erases them.
const KILLS: usize = 6;
const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: recent
    when: { orders: { count: { gte: 1 }, within: 30d } }
  - name: curious
    when: { event: { name: page_viewed, where: { name: path, starts_with: /pricing }, count: { gte: 3 }, within: 7d } }
journeys:
  - name: sales
    stages: [lead, customer]
---
tenant: { id: globex, zone: Europe/Berlin, currency: EUR }
segments:
  - name: recent
    when: { orders: { count: { gte: 2 }, within: 30d } }
journeys:
  - name: sales
    stages: [lead, customer]
";
const AGAIN: &str = "
tenant: { id: acme, zone: UTC, currency: USD }
segments:
  - name: buyers
    when: { orders: { count: { gte: 1 } } }
";
const OFFBOARD: [&str; 8] = [
    "tenants",
    "offboard",
    "acme",
    "--reason",
    "the contract has ended",
    "--json",
    "--quiet-hours",
    "0",
];

fn event(tenant: &str, customer: usize, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new(tenant).unwrap(),
        customer_id: CustomerId::new(format!("customer-{customer}")).unwrap(),
        source: "test".into(),
        occurred_at: WallClock::System.now(),
        payload,
    }
}

fn order(tenant: &str, customer: usize, amount_minor: i64) -> CustomerEvent {
    let payload = Payload::OrderPlaced(OrderPlaced {
        order_id: Uuid::new_v4().to_string().into(),
        amount_minor,
        currency: Currency::new("EUR").unwrap(),
        items: None,
        channel: None,
    });
    event(tenant, customer, payload)
}

/// Publishes an order and a stage of each customer; every tenth order cannot be folded.
fn publish(publisher: &Publisher, tenant: &str, customers: usize) {
    for customer in 0..customers {
        let amount = if customer % 10 == 9 { -1 } else { 9_900 };
        publisher.event(&order(tenant, customer, amount));
        let stage = Payload::StageEntered(StageEntered {
            journey: "sales".into(),
            stage: "lead".into(),
        });
        publisher.event(&event(tenant, customer, stage));
    }
    publisher.flush();
}

/// Returns the rows of a tenant in every table that can have any but `offboarding`, as the catalog lists them.
async fn rows_of(projections: &Projections, tenant: &str) -> BTreeMap<String, i64> {
    let tables: Vec<(String,)> = projections
        .rows(
            "select relname::text from pg_class
             where relnamespace = '$gen'::regnamespace and relkind = 'r' and relname <> 'offboarding'
               and exists (select from pg_attribute
                           where attrelid = pg_class.oid and attname = 'tenant_id')",
        )
        .await;
    assert!(tables.len() > 10, "{tables:?}");
    let mut rows = BTreeMap::new();
    for (table,) in tables {
        let query = format!("select count(*) from $gen.{table} where tenant_id = '{tenant}'");
        match projections.number(&query).await {
            0 => {}
            count => drop(rows.insert(table, count)),
        }
    }
    rows
}

/// Runs the command with more arguments; returns its exit code, its report and its error.
fn offboard(site: &Site, more: &[&str]) -> (Option<i32>, Value, String) {
    let output = site.run(&[&OFFBOARD, more].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), report, error)
}

/// Returns the numbers of partitions in which rows are erased, and of those in which some are left.
async fn erasing(projections: &Projections) -> (i64, i64) {
    let all = "select count(*) from $gen.offboarding";
    let left = format!("{all} where done_at is null");
    (
        projections.number(all).await,
        projections.number(&left).await,
    )
}

/// Makes each part of the erasure take a tenth of a second, so that kills come in between.
async fn slow_down(site: &Site) {
    for statement in [
        "create function slow_down() returns trigger language plpgsql
         as $$ begin perform pg_sleep(0.1); return new; end $$",
        "create trigger slow_down before update on gen_1.offboarding
         for each row execute function slow_down()",
    ] {
        let slowed = sqlx::query(statement).execute(&site.database.pool).await;
        slowed.unwrap();
    }
}

/// Starts a processor and kills it at a random moment while it erases, again and again. Returns how often rows
/// were left by a kill.
async fn kill_while_erasing(site: &Site, publisher: &Publisher) -> usize {
    let projections = site.projections().await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut interrupted = 0;
    for _ in 0..KILLS {
        publish(publisher, "globex", 40);
        let before: Vec<(Option<i64>,)> = rows_erased(&projections).await;
        let processor = site.process(&[]);
        wait_for(SOON, "rows to be erased", async || {
            let (begun, left) = erasing(&projections).await;
            let is_done = begun == i64::from(PARTITIONS) && left == 0;
            if is_done || rows_erased(&projections).await != before {
                return Ok(());
            }
            Err(format!("{begun} begun, {left} left"))
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        processor.kill();
        match erasing(&projections).await {
            (begun, 0) if begun == i64::from(PARTITIONS) => break,
            (_, left) => interrupted += usize::from(left > 0),
        }
    }
    interrupted
}

async fn rows_erased(projections: &Projections) -> Vec<(Option<i64>,)> {
    let erased = "select sum(\"rows\")::bigint from $gen.offboarding";
    projections.rows(erased).await
}

/// Folds both topics into an empty database, by the newest definitions.
async fn rebuild(site: &Site, ends: &BTreeMap<i32, i64>) -> (Database, Projections) {
    let copy = Database::fresh().await;
    let spec = GenerationSpec {
        topic: site.topic.clone(),
        partitions: PARTITIONS,
        partitioner: Partitioner::Murmur2,
    };
    ensure_generation(&copy.url, &spec).await.unwrap();
    let fixed = processor::start(site, &copy.url).await;
    run_to_the_end(fixed.with_membership(Membership::Fixed(ends.clone()))).await;
    let projections = Projections::active(&copy.pool).await;
    (copy, projections)
}

/// Asserts that the tables hold what a fold of the topic in memory gives, and agree with each other.
async fn assert_equals_fold(site: &Site, projections: &Projections) {
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let expected =
        Reference::from_topic(site.kafka, topic, definitions, Partitioner::Murmur2).await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
}

/// Defines two tenants and folds events of both; some are parked, and have been redriven in vain.
async fn fold_two_tenants(site: &Site, publisher: &Publisher) {
    site.define(DEFINITIONS);
    let processor = site.process(&[]);
    publish(publisher, "acme", CUSTOMERS);
    publish(publisher, "globex", 200);
    site.wait_until_folded(SOON).await;
    let redrive = ["parked", "redrive", "--tenant", "acme", "--apply"];
    assert_eq!(
        site.run(&redrive).status.code(),
        Some(1),
        "they stay parked"
    );
    processor.terminate();
}

/// Asserts that a dry run names the rows of every table, and changes nothing.
async fn assert_dry_run(site: &Site, projections: &Projections) {
    let before = rows_of(projections, "acme").await;
    for table in [
        "customer",
        "membership",
        "position",
        "timer",
        "change_set",
        "parked",
        "parked_request",
        "tracked_leaf",
    ] {
        assert!(
            before.contains_key(table),
            "no {table} to erase: {before:?}"
        );
    }
    for more in [&[][..], &["--dry-run"]] {
        let (code, report, error) = offboard(site, more);
        assert_eq!(
            (code, &report["outcome"]),
            (Some(0), &"dry_run".into()),
            "{error}"
        );
        let rows: BTreeMap<String, i64> = serde_json::from_value(report["rows"].clone()).unwrap();
        assert_eq!(rows, before);
    }
    assert_eq!(rows_of(projections, "acme").await, before);
    assert_eq!(read::ends(site.kafka, &site.definitions_topic), [(0, 1)]);
    let audited: i64 = sqlx::query_scalar(AUDITED)
        .fetch_one(&site.database.pool)
        .await
        .unwrap();
    assert_eq!(audited, 0);
}

const COUNTED: &str = "select sum(customers)::bigint from $gen.digest where tenant_id = 'acme'";
const AUDITED: &str = "select count(*) from tidemark.audit
    where tenant_id = 'acme' and action = 'tenants.offboard'
      and target::json ->> 'reason' = 'the contract has ended'
      and (target::json -> 'rows' ->> 'customer')::int = 3000";

#[tokio::test]
async fn tenant_is_erased_exactly_once_by_processors_that_are_killed_while_events_of_another_arrive()
 {
    // Given two tenants with customers, segments, stages, timers, changes and parked events
    let site = Site::new().await;
    let publisher = site.publisher().await;
    fold_two_tenants(&site, &publisher).await;
    let projections = site.projections().await;
    assert_dry_run(&site, &projections).await;

    // When one is offboarded, and the processor that erases its rows is killed again and again
    let (code, report, error) = offboard(&site, &["--yes", "--wait", "12"]);
    assert_eq!(
        (code, &report["outcome"]),
        (Some(1), &"waiting".into()),
        "{error}"
    );
    assert!(error.contains("start `tidemark process`"), "{error}");
    let audited: i64 = sqlx::query_scalar(AUDITED)
        .fetch_one(&site.database.pool)
        .await
        .unwrap();
    assert_eq!(audited, 1);
    slow_down(&site).await;
    let interrupted = kill_while_erasing(&site, &publisher).await;
    assert!(interrupted > 0, "no kill came while rows were erased");
    let processor = site.process(&[]);
    publish(&publisher, "globex", 100);
    site.wait_until_folded(SOON).await;
    wait_until_erased(&projections).await;

    // Then no table has a row of it, the other tenant is as the log has it, and so is a rebuild
    assert_eq!(rows_of(&projections, "acme").await, BTreeMap::new());
    let erased = "select sum(customers)::bigint from $gen.offboarding";
    assert_eq!(projections.number(erased).await, 3_000);
    assert_equals_fold(&site, &projections).await;
    let ends = positions(&projections).await;
    let (_copy, rebuilt) = rebuild(&site, &ends).await;
    assert_eq!(rows_of(&rebuilt, "acme").await, BTreeMap::new());
    assert_equals_fold(&site, &rebuilt).await;
    assert_begins_empty(&site, &publisher, &projections).await;
    processor.terminate();
    assert_histories_agree(&site, &projections).await;
}

/// Asserts that what arrives afterwards waits in the log, and is all that is folded once the tenant is defined
/// again.
async fn assert_begins_empty(site: &Site, publisher: &Publisher, projections: &Projections) {
    for customer in 0..5 {
        publisher.event(&order("acme", customer, 100));
    }
    publish(publisher, "globex", 10);
    site.wait_until_folded(SOON).await;
    assert_waits(site, 5);
    site.define(AGAIN);
    wait_for(SOON, "the tenant to catch up", async || {
        match site.deferred() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        }
    })
    .await;
    assert_eq!(projections.number(COUNTED).await, 5);
    let members = "select count(*) from $gen.membership where tenant_id = 'acme'";
    assert_eq!(projections.number(members).await, 5);
    publish(publisher, "globex", 40);
    site.wait_until_folded(SOON).await;
}

/// Asserts that the log gives the same by the recorded history, and nothing from before the offboarding by the
/// newest definitions.
async fn assert_histories_agree(site: &Site, projections: &Projections) {
    let ends = positions(projections).await;
    let again = fold_as_recorded(site, &ends).await;
    assert_same_outcome(projections, &again).await;
    let (_copy, rebuilt) = rebuild(site, &ends).await;
    assert_eq!(rebuilt.number(COUNTED).await, 5);
}

async fn wait_until_erased(projections: &Projections) {
    wait_for(SOON, "every row to be erased", async || {
        match erasing(projections).await {
            (begun, 0) if begun == i64::from(PARTITIONS) => Ok(()),
            (begun, left) => Err(format!("{begun} begun, {left} left")),
        }
    })
    .await;
}

/// Asserts that so many events of the tenant wait in the log, because it is not defined.
fn assert_waits(site: &Site, events: u64) {
    let deferred = site.deferred();
    let is_undefined = |it: &Value| it["tenant"] == "acme" && it["reason"] == "undefined";
    assert!(deferred.iter().all(is_undefined), "{deferred:?}");
    let waiting = deferred.iter().map(|it| it["events"].as_u64().unwrap());
    assert_eq!(waiting.sum::<u64>(), events, "{deferred:?}");
}

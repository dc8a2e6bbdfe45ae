//! Time: changes that the passing of time causes have their exact due time, whenever the processor
//! runs.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tidemark_processor::clock::WallClock;
use tidemark_projections::customer::{Customer, InForce, Tracking};
use tidemark_projections::evaluated::{Cause, Change};
use tidemark_schemas::event::{OrderPlaced, StageEntered};
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId};
use uuid::Uuid;

use crate::support::compare::Projections;
use crate::support::read;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);
const DAY: i64 = 86_400_000_000;
/// Berlin changes to summer time between these two clocks.
const FIRST: &str = "2026-03-01T00:00:00Z";
const SECOND: &str = "2026-06-15T12:00:00Z";

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: bought_lately
    when: { orders: { count: { gte: 1 }, within: 30d } }
  - name: stuck
    when: { stage: { journey: sales, is: trial, in_for: 20d } }
  - name: going
    when: { churn: { band: [medium, high] } }
  - name: quiet_and_stuck
    when: { all: [ { segment: stuck }, { not: { segment: bought_lately } } ] }
journeys:
  - name: sales
    stages: [lead, trial, customer]
";

fn event(customer: u32, occurred_at: Instant, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(format!("customer-{customer:03}")).unwrap(),
        source: "test".into(),
        occurred_at,
        payload,
    }
}

/// Returns purchases and stages from January to March, at a different time of day for each customer
/// and not in order.
fn events() -> Vec<CustomerEvent> {
    let begin: Instant = "2026-01-05T00:00:00Z".parse().unwrap();
    let mut events = Vec::new();
    for customer in 0..120 {
        let at = |day: u32, step: u32| {
            let within = i64::from(customer * 7_919 + step) * 1_000_003 % DAY;
            begin.plus_micros(i64::from(day) * DAY + within)
        };
        for purchase in 0..customer % 5 {
            let order_id = Uuid::new_v4().to_string().into();
            let order = OrderPlaced {
                order_id,
                amount_minor: 1_000,
                currency: Currency::new("EUR").unwrap(),
                items: None,
                channel: None,
            };
            let day = (customer + purchase * 11) % 54;
            events.push(event(
                customer,
                at(day, purchase),
                Payload::OrderPlaced(order),
            ));
        }
        let stage = StageEntered {
            journey: "sales".into(),
            stage: "trial".into(),
        };
        events.push(event(
            customer,
            at(customer % 50, 9),
            Payload::StageEntered(stage),
        ));
    }
    events.reverse();
    events
}

type Row = (String, String, Option<String>, Option<String>, i64, String);

/// A change as the database stores it, with the customer first.
type Stored = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    i64,
    String,
);

fn row(change: &Change) -> Row {
    let text = |value: &Option<std::sync::Arc<str>>| value.as_deref().map(str::to_owned);
    let (from, to) = (text(&change.from), text(&change.to));
    let cause = match change.cause {
        Cause::Event(_) => "event",
        Cause::Timer => "timer",
        Cause::Definition => "definition",
        Cause::Evaluation => "evaluation",
    };
    (
        change.kind.name().to_owned(),
        change.name.to_string(),
        from,
        to,
        change.effective_at.micros(),
        cause.to_owned(),
    )
}

/// Returns the expected changes of each customer from `tidemark-projections` alone: every event is
/// folded at the first clock, then time passes to the second.
fn expected(site: &Site, events: &[CustomerEvent], until: Instant) -> BTreeMap<String, Vec<Row>> {
    let definitions = read::definitions(site.kafka, &site.definitions_topic);
    let acme = definitions.tenant(&TenantId::new("acme").unwrap()).unwrap();
    let first: Instant = FIRST.parse().unwrap();
    let in_force = InForce {
        definitions: acme,
        tracking: &Tracking::new(),
    };
    let mut customers = BTreeMap::<String, (Customer, Vec<Change>)>::new();
    for event in events {
        let (customer, changes) = customers
            .entry(event.customer_id.to_string())
            .or_insert_with(|| (Customer::new(0), Vec::new()));
        let fold = customer.fold(in_force, event, first);
        fold.outcome.unwrap();
        changes.extend(fold.effects.changes);
    }
    let rows = customers
        .into_iter()
        .map(|(id, (mut customer, mut changes))| {
            changes.extend(customer.advance(acme, until).changes);
            (id, changes.iter().map(row).collect())
        });
    rows.collect()
}

/// Returns the stored changes by customer, in order.
async fn changes(projections: &Projections) -> BTreeMap<String, Vec<Row>> {
    let rows: Vec<Stored> = projections
        .rows(
            "select customer_id, kind, name, from_value, to_value, effective_at, cause
             from $gen.change order by partition, seq, step,
                 array_position(array['segment', 'stage', 'band'], kind), name",
        )
        .await;
    let mut found = BTreeMap::<String, Vec<Row>>::new();
    for (customer, kind, name, from, to, effective_at, cause) in rows {
        found
            .entry(customer)
            .or_default()
            .push((kind, name, from, to, effective_at, cause));
    }
    found
}

#[tokio::test]
async fn timers_keep_their_exact_due_time_after_downtime() {
    // Given events folded at a clock in March
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let events = events();
    for event in &events {
        publisher.event(event);
    }
    publisher.flush();
    let processor = site.process(&["--clock", FIRST]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    let projections = site.projections().await;
    let first: Instant = FIRST.parse().unwrap();
    let clocks = "select max(clock) from $gen.progress";
    assert_eq!(
        projections.number(clocks).await,
        first.micros(),
        "a fixed clock does not advance"
    );

    // When no processor runs until June
    let processor = site.process(&["--clock", SECOND]);
    let until = SECOND.parse::<Instant>().unwrap().plus_micros(-1_000_000);
    wait_for(SOON, "the clock to reach June", async || {
        let clock = "select min(fired_to) from $gen.progress where next_offset > 0";
        let clock = projections.number(clock).await;
        if clock == until.micros() {
            Ok(())
        } else {
            Err(format!("it is {clock}"))
        }
    })
    .await;
    processor.terminate();

    // Then every change in between has its exact due time
    let found = changes(&projections).await;
    let expected = expected(&site, &events, until);
    for (customer, changes) in &expected {
        assert_eq!(found.get(customer), Some(changes), "{customer}");
    }
    let fired = |row: &&Row| row.5 == "timer" && row.4 > first.micros();
    let later = found.values().flatten().filter(fired).count();
    assert!(
        later > 100,
        "only {later} changes were due between March and June"
    );
    projections.assert_consistent().await;
}

/// Appends an event to a partition in a transaction that is still open on return.
async fn append_in_a_transaction(site: &Site, partition: i32) -> BaseProducer {
    let stage = StageEntered {
        journey: "sales".into(),
        stage: "trial".into(),
    };
    let now = WallClock::System.now();
    let event = event(1, now, Payload::StageEntered(stage));
    let value = site.publisher().await.encode(&event);
    let producer: BaseProducer = site
        .kafka
        .client()
        .set("transactional.id", &site.topic)
        .create()
        .unwrap();
    producer.init_transactions(SOON).unwrap();
    producer.begin_transaction().unwrap();
    let key = event.key().record_key();
    let record = BaseRecord::to(&site.topic)
        .key(&key)
        .payload(&value)
        .partition(partition);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(SOON).unwrap();
    producer
}

#[tokio::test]
async fn clock_waits_at_the_records_of_an_open_transaction() {
    // Given a processor at the end of every partition
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let processor = site.process(&[]);
    let projections = site.projections().await;
    let clocks = "select clock from $gen.progress where clock > 0 order by partition";
    wait_for(SOON, "every clock to advance", async || {
        match projections.rows::<(i64,)>(clocks).await.len() {
            4 => Ok(()),
            clocks => Err(format!("{clocks} clocks advance")),
        }
    })
    .await;

    // When a transaction appends an event to one of them and stays open
    let producer = append_in_a_transaction(&site, 2).await;
    let appended_at = WallClock::System.now();

    // Then the other clocks advance, and that one waits at the event
    wait_for(SOON, "the other clocks to pass it", async || {
        let others = "select min(clock) from $gen.progress where partition <> 2";
        let others = projections.number(others).await;
        let passed = others > appended_at.plus_micros(2_000_000).micros();
        if passed {
            Ok(())
        } else {
            Err(format!("they are at {others}"))
        }
    })
    .await;
    let waiting = "select clock from $gen.progress where partition = 2";
    assert!(
        projections.number(waiting).await < appended_at.micros(),
        "the clock is ahead of the appended event"
    );

    // And it advances once the transaction is committed
    producer.commit_transaction(SOON).unwrap();
    wait_for(SOON, "its clock to advance", async || {
        let clock = projections.number(waiting).await;
        let passed = clock > appended_at.micros();
        if passed {
            Ok(())
        } else {
            Err(format!("it is {clock}"))
        }
    })
    .await;
    processor.terminate();
}

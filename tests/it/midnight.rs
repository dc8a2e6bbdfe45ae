//! A midnight at which very many timers fall due: events of other customers do not wait for them.

use std::time::Duration;

use tidemark_schemas::event::StageEntered;
use tidemark_schemas::{CustomerEvent, CustomerId, EventId, Instant, Payload, TenantId};
use uuid::Uuid;

use crate::support::compare::Projections;
use crate::support::publish::Publisher;
use crate::support::read;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const LONG: Duration = Duration::from_mins(4);
/// The customers that are due at the midnight.
const DUE: u32 = 100_000;
/// The customers among them of which an event follows.
const DUE_WITH_EVENTS: u32 = 200;
/// The customers of the events after it, who have nothing due.
const OTHERS: u32 = 2_000;
const DAY_MICROS: i64 = 86_400_000_000;
const ENTERED: &str = "2026-05-12T22:00:00Z";
/// Twenty days later, midnight in Berlin.
const MIDNIGHT: &str = "2026-06-01T22:00:00Z";
const BEFORE: &str = "2026-05-20T12:00:00Z";
const AFTER: &str = "2026-06-02T12:00:00Z";

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: stuck
    when: { stage: { journey: sales, is: lead, in_for: 20d } }
journeys:
  - name: sales
    stages: [lead, customer]
";

fn publish(publisher: &Publisher, name: &str, numbers: u32, stage: &str, occurred_at: Instant) {
    for number in 0..numbers {
        publisher.event(&CustomerEvent {
            event_id: EventId(Uuid::new_v4()),
            tenant_id: TenantId::new("acme").unwrap(),
            customer_id: CustomerId::new(format!("{name}-{number:06}")).unwrap(),
            source: "test".into(),
            occurred_at,
            payload: Payload::StageEntered(StageEntered {
                journey: "sales".into(),
                stage: stage.into(),
            }),
        });
    }
    publisher.flush();
}

/// Returns the records that are not folded, and the timers due that have not fired, at one instant.
async fn left(site: &Site, projections: &Projections, midnight: Instant) -> (i64, i64) {
    let ends = read::ends(site.kafka, &site.topic);
    let end: i64 = ends.iter().map(|(_, end)| end).sum();
    let query = format!(
        "select {end} - (select sum(next_offset)::bigint from $gen.progress),
                (select count(*) from $gen.timer where due_at <= {})",
        midnight.micros()
    );
    projections.rows(&query).await[0]
}

/// Waits until so many timers are due at most.
async fn wait_until_left(site: &Site, projections: &Projections, most: i64) {
    let midnight = MIDNIGHT.parse().unwrap();
    wait_for(LONG, "timers to fire", async || {
        match left(site, projections, midnight).await {
            (_, due) if due <= most => Ok(()),
            (_, due) => Err(format!("{due} timers are left")),
        }
    })
    .await;
}

/// Waits until the second definitions are in force in every partition.
async fn wait_until_activated(projections: &Projections) {
    let newer = "select count(*) from $gen.progress where definitions = 1";
    wait_for(
        LONG,
        "the definitions to be in force",
        async || match projections.number(newer).await {
            4 => Ok(()),
            partitions => Err(format!("{partitions} partitions")),
        },
    )
    .await;
}

/// Asserts that every customer due entered the segment at midnight and once, before what its event did,
/// and that no other customer did.
async fn assert_exact(projections: &Projections, midnight: Instant) {
    let entered = "select customer_id, effective_at, cause from $gen.change
        where name = 'stuck' and to_value is not null";
    let entered: Vec<(String, i64, String)> = projections.rows(entered).await;
    assert_eq!(entered.len(), DUE as usize);
    for (customer, at, cause) in &entered {
        assert!(customer.starts_with("due-"), "{customer}");
        assert_eq!((*at, &**cause), (midnight.micros(), "timer"), "{customer}");
    }
    let then = "select name, cause from $gen.change where customer_id like 'due-000%'
            and effective_at >= (select max(effective_at) from $gen.change where name = 'stuck' and cause = 'timer')
        order by customer_id, seq, step, name desc limit 3";
    let then: Vec<(String, String)> = projections.rows(then).await;
    let then: Vec<_> = then
        .iter()
        .map(|(name, cause)| (&**name, &**cause))
        .collect();
    assert_eq!(
        then,
        [("stuck", "timer"), ("stuck", "event"), ("sales", "event")]
    );
    let members = projections
        .number("select count(*) from $gen.membership")
        .await;
    assert_eq!(members, i64::from(DUE - DUE_WITH_EVENTS));
    projections.assert_consistent().await;
}

#[tokio::test]
async fn events_after_a_midnight_are_visible_before_its_timers_have_fired_exactly_once() {
    // Given very many customers with a timer at the same midnight
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let [midnight, entered] = [MIDNIGHT, ENTERED].map(|at| at.parse::<Instant>().unwrap());
    publish(&publisher, "due", DUE, "lead", entered);
    let processor = site.process(&["--clock", BEFORE]);
    site.wait_until_folded(LONG).await;
    processor.terminate();
    let projections = site.projections().await;
    let (_, due) = left(&site, &projections, midnight).await;
    assert_eq!(due, i64::from(DUE), "one timer each");

    // When the midnight passes, and events follow, some of customers that are due
    let soon_after = midnight.plus_micros(DAY_MICROS / 24);
    publish(&publisher, "due", DUE_WITH_EVENTS, "customer", soon_after);
    publish(&publisher, "other", OTHERS, "lead", soon_after);
    let processor = site.process(&["--clock", AFTER]);
    let api = site.serve().await;
    let due = wait_for(LONG, "the events to be folded", async || {
        match left(&site, &projections, midnight).await {
            (0, due) => Ok(due),
            (records, due) => Err(format!("{records} records and {due} timers are left")),
        }
    })
    .await;

    // Then they are visible while many timers are still due, and no answer claims more
    assert!(due > i64::from(DUE / 10), "only {due} timers are left");
    let answer = api.get("acme", "/v1/customers/other-000007").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let watermark = answer.headers["tidemark-watermark"].to_str().unwrap();
    assert!(watermark < MIDNIGHT, "{watermark}");

    // And when the processor is killed in the midst of the timers, and definitions change before it is
    // back, none is lost, none fires twice, and all fire under the definitions that were in force
    wait_until_left(&site, &projections, due - 5_000).await;
    processor.kill();
    let (_, due) = left(&site, &projections, midnight).await;
    assert!(due > 0, "all had fired");
    site.define(&DEFINITIONS.replace("20d", "19d"));
    let processor = site.process(&["--clock", AFTER]);
    wait_until_left(&site, &projections, 0).await;
    wait_for(LONG, "the watermark to pass midnight", async || {
        let answer = api.get("acme", "/v1/customers/other-000007").await;
        let watermark = answer.headers["tidemark-watermark"].to_str().unwrap();
        if watermark > MIDNIGHT {
            Ok(())
        } else {
            Err(watermark.to_owned())
        }
    })
    .await;
    wait_until_activated(&projections).await;
    processor.terminate();
    assert_exact(&projections, midnight).await;
}

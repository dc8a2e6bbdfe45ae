//! Wrong clocks: of a host, on real Kafka and Postgres, and a fixed one where the wall clock ruled before.

use std::time::Duration;

use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::OrderPlaced;
use tidemark_schemas::{Currency, CustomerEvent, CustomerId, EventId, Payload, TenantId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::processor;
use crate::support::publish::Publisher;
use crate::support::site::Site;
use crate::support::wait::wait_until;

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";
const SOON: Duration = Duration::from_mins(2);
const HOUR_MICROS: i64 = 3_600_000_000;

fn publish(publisher: &Publisher) {
    for number in 0..40 {
        publisher.event(&CustomerEvent {
            event_id: EventId(Uuid::new_v4()),
            tenant_id: TenantId::new("acme").unwrap(),
            customer_id: CustomerId::new(format!("customer-{number}")).unwrap(),
            source: "test".into(),
            occurred_at: WallClock::System.now(),
            payload: Payload::OrderPlaced(OrderPlaced {
                order_id: Uuid::new_v4().to_string().into(),
                amount_minor: 100,
                currency: Currency::new("EUR").unwrap(),
                items: None,
                channel: None,
            }),
        });
    }
    publisher.flush();
}

/// Folds events with a processor whose clock is wrong, through phases without events; returns by how
/// much the furthest clock of a partition is ahead of the true time, and the number of parked events.
async fn fold_with_skewed_clock(skew_micros: i64) -> (i64, i64) {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let clock = WallClock::Skewed(skew_micros);
    let processor = processor::start_at(&site, &site.database.url, clock).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(processor.run(stop.clone()));
    let publisher = site.publisher().await;
    for _ in 0..8 {
        publish(&publisher);
        site.wait_until_folded(SOON).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    let projections = site.projections().await;
    let clock = projections
        .number("select max(clock) from $gen.progress")
        .await;
    let parked = projections.number("select count(*) from $gen.parked").await;
    (clock - WallClock::System.now().micros(), parked)
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_clocks_do_not_follow_a_host_that_is_an_hour_ahead() {
    let (ahead, parked) = fold_with_skewed_clock(HOUR_MICROS).await;
    assert!(ahead < 1_000_000, "{ahead} microseconds ahead");
    assert_eq!(parked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_not_in_the_future_for_a_host_that_is_an_hour_behind() {
    let (ahead, parked) = fold_with_skewed_clock(-HOUR_MICROS).await;
    assert!(ahead > -HOUR_MICROS / 2, "the append times were not stored");
    assert_eq!(parked, 0);
}

#[tokio::test]
async fn fixed_clock_is_refused_where_the_wall_clock_was_followed() {
    // Given projections of a processor that followed the wall clock
    let site = Site::new().await;
    site.define(DEFINITIONS);
    publish(&site.publisher().await);
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // When a processor starts with a fixed clock, then it is refused, also a second time
    for clock in ["2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"] {
        let mut processor = site.process(&["--clock", clock]);
        wait_until(SOON, "the processor to end", || !processor.is_running());
        let log = processor.log();
        assert!(log.contains("--clock cannot be used"), "{log}");
    }
}

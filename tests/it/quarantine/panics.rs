//! Panics in the processing of one customer: it is quarantined alone, and catches up once they are over.

use tidemark_processor::clock::WallClock;

use super::{
    DAY_MICROS, FAILING, REGULARS, SOON, assert_folded, assert_never_quarantined, definitions,
    enter, publish, resume, wait_until_quarantined_alone,
};
use crate::support::publish::Publisher;
use crate::support::site::Site;

const DUE_IN_MICROS: i64 = 5_000_000;

/// Lets a step of the customer panic while `provoke` makes every customer take it.
async fn inject(site: &Site, publisher: &Publisher, step: &str, provoke: impl FnOnce()) {
    site.inject(&[format!("{step} of acme/{FAILING}")]);
    provoke();
    let detail = format!("{step} panicked: a fault that a test causes");
    wait_until_quarantined_alone(site, &[&detail]).await;
    publish(publisher, 1);
    site.wait_until_folded(SOON).await;
    site.inject(&[]);
    resume(site);
}

#[tokio::test]
async fn customer_with_processing_that_panics_is_quarantined_alone_until_it_does_not() {
    // Given folded events
    let site = Site::new().await;
    site.define(&definitions(480, 3));
    let publisher = site.publisher().await;
    let processor = site.process(&[]);
    publish(&publisher, 2);
    site.wait_until_folded(SOON).await;

    // When the processing of one customer panics, then that customer is quarantined alone, and it catches up
    // once it does not panic any more: when its rows are encoded, in a timer, in a re-evaluation, and where an
    // event comes before the re-evaluation
    inject(&site, &publisher, "the encoding of its rows", || {
        publish(&publisher, 3);
    })
    .await;
    inject(&site, &publisher, "a timer", || {
        let due = WallClock::System.now().plus_micros(DUE_IN_MICROS);
        enter(&publisher, due.plus_micros(-20 * DAY_MICROS));
    })
    .await;
    inject(&site, &publisher, "an evaluation", || {
        site.define(&definitions(480, 3).replace("segments:", REGULARS));
    })
    .await;
    inject(&site, &publisher, "an evaluation before an event", || {
        publish(&publisher, 1);
    })
    .await;

    // And at the end it is as if nothing had panicked, in the same process
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_never_quarantined(&site).await;
}

#[tokio::test]
async fn customer_with_a_second_event_that_panics_is_quarantined_alone() {
    // Given folded events
    let site = Site::new().await;
    site.define(&definitions(480, 3));
    let publisher = site.publisher().await;
    let processor = site.process(&[]);
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;

    // When every event of one customer makes its fold panic
    site.inject(&[format!("the fold of an event of acme/{FAILING}")]);
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    assert!(site.deferred().is_empty());
    publish(&publisher, 3);

    // Then the first is parked, and the customer is quarantined with the second
    wait_until_quarantined_alone(&site, &["folding its events panicked"]).await;
    let parked = "select count(*) from $gen.parked where reason = 'panic'";
    let projections = site.projections().await;
    assert_eq!(projections.number(parked).await, 1);

    // And once no event does, nothing is lost
    site.inject(&[]);
    resume(&site);
    let redrive = ["parked", "redrive", "--parked-reason", "panic", "--apply"];
    let redriven = site.run(&redrive);
    assert!(redriven.status.success(), "{redriven:?}");
    assert_eq!(projections.number(parked).await, 0);
    processor.terminate();
    assert_folded(&site).await;
}

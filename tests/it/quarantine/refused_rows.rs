//! Rows that Postgres refuses in a commit: the customer that causes them is found and quarantined alone.

use serde_json::Value;
use tidemark_processor::clock::WallClock;

use super::{
    CUSTOMERS, DAY_MICROS, FAILING, REGULARS, SOON, assert_never_quarantined, definitions, enter,
    event, execute, order, publish, resume, wait_until_quarantined_alone,
};
use crate::support::publish::Publisher;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const DUE_IN_MICROS: i64 = 5_000_000;
const FAILING_NUMBER: usize = 7;

/// Lets Postgres refuse rows of a table for which a condition does not hold.
async fn refuse(site: &Site, table: &str, condition: &str) {
    let constraint = format!(
        "alter table gen_1.{table} add constraint refused_by_a_test check ({condition}) not valid"
    );
    execute(site, constraint).await;
}

/// Lets Postgres accept the rows again.
async fn accept(site: &Site, table: &str) {
    let constraint = format!("alter table gen_1.{table} drop constraint refused_by_a_test");
    execute(site, constraint).await;
}

async fn wait_until_refused(site: &Site, rows: &str) {
    wait_until_quarantined_alone(site, &[rows, "refused_by_a_test"]).await;
}

#[tokio::test]
async fn customer_with_rows_that_postgres_refuses_is_quarantined_alone_until_they_are_accepted() {
    // Given folded events
    let site = Site::new().await;
    site.define(&definitions(480, 3));
    let publisher = site.publisher().await;
    let processor = site.process(&[]);
    publish(&publisher, 2);
    site.wait_until_folded(SOON).await;

    // When Postgres refuses a row to which one customer among many in a batch contributes, then that customer is
    // quarantined, and it catches up once the row is accepted
    refuse_rows_of_records(&site, &publisher).await;
    refuse_rows_of_timers(&site, &publisher).await;
    refuse_rows_of_a_reevaluation(&site).await;

    // And at the end it is as if nothing had been refused
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_never_quarantined(&site).await;
}

/// Refuses the row of the customer, and then a row that customers share.
async fn refuse_rows_of_records(site: &Site, publisher: &Publisher) {
    refuse(site, "customer", &format!("customer_id <> '{FAILING}'")).await;
    publish(publisher, 3);
    wait_until_refused(site, "rows of customers").await;
    publish(publisher, 1);
    site.wait_until_folded(SOON).await;
    accept(site, "customer").await;
    resume(site);

    refuse(site, "rollup", "currency <> 'USD'").await;
    publish(publisher, 1);
    let now = WallClock::System.now();
    publisher.event(&event(FAILING_NUMBER, now, order("USD")));
    publish(publisher, 1);
    wait_until_refused(site, "rows of rollups").await;
    accept(site, "rollup").await;
    resume(site);
}

async fn refuse_rows_of_timers(site: &Site, publisher: &Publisher) {
    refuse(site, "membership", &not_in("stuck")).await;
    let due = WallClock::System.now().plus_micros(DUE_IN_MICROS);
    enter(publisher, due.plus_micros(-20 * DAY_MICROS));
    wait_until_refused(site, "rows of memberships").await;
    accept(site, "membership").await;
    resume(site);
}

async fn refuse_rows_of_a_reevaluation(site: &Site) {
    refuse(site, "membership", &not_in("regulars")).await;
    site.define(&definitions(480, 3).replace("segments:", REGULARS));
    wait_until_refused(site, "rows of memberships").await;
    let members = "select count(*) from $gen.membership where segment = 'regulars'";
    let others = i64::try_from(CUSTOMERS - 1).unwrap();
    let projections = site.projections().await;
    wait_for(
        SOON,
        "the others to be re-evaluated",
        async || match projections.number(members).await {
            count if count == others => Ok(()),
            count => Err(count.to_string()),
        },
    )
    .await;
    accept(site, "membership").await;
    resume(site);
}

/// Returns the condition by which the customer is in no segment of that name.
fn not_in(segment: &str) -> String {
    format!("customer_id <> '{FAILING}' or segment <> '{segment}'")
}

#[tokio::test]
async fn customer_with_refused_rows_is_quarantined_alone_while_its_tenant_catches_up() {
    // Given the events of a tenant that is not defined yet, and a row that Postgres refuses
    let site = Site::new().await;
    site.define("tenant: { id: globex, zone: Europe/Berlin, currency: EUR }\n");
    let publisher = site.publisher().await;
    let processor = site.process(&[]);
    publish(&publisher, 5);
    site.wait_until_folded(SOON).await;
    let undefined = |it: &Value| it["reason"] == "undefined";
    let found = site.deferred();
    assert!(
        !found.is_empty() && found.iter().all(undefined),
        "{found:?}"
    );
    refuse(&site, "customer", &format!("customer_id <> '{FAILING}'")).await;

    // When the tenant is defined, then the customer alone waits on
    site.define(&definitions(480, 3));
    wait_for(SOON, "the tenant to catch up", async || {
        let left = site.deferred();
        let is_customer = |it: &Value| it["customer"] == FAILING;
        if left.len() == 1 && left.iter().all(is_customer) {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
    wait_until_refused(&site, "rows of customers").await;

    // And once the row is accepted, it is as if nothing had been refused
    accept(&site, "customer").await;
    resume(&site);
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_never_quarantined(&site).await;
}

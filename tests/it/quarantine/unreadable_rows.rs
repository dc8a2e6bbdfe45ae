//! Rows that cannot be read, by the processor or by Postgres itself: their customer is quarantined alone, and
//! catches up once its row is mended.

use super::{
    FAILING, REGULARS, SOON, assert_never_quarantined, definitions, execute, publish, resume,
    wait_until_quarantined_alone,
};
use crate::support::site::{Running, Site};

/// Moves a column of the customer, beside its state, by so much: far enough, it is no instant.
async fn move_evaluation(site: &Site, micros: i64) {
    let statement = format!(
        "update gen_1.customer set evaluated_at = evaluated_at + {micros} where customer_id = '{FAILING}'"
    );
    execute(site, statement).await;
}

const TOO_FAR: i64 = 4_000_000_000_000_000_000;

/// Lets Postgres fail wherever the row of the customer is read.
async fn break_reads(site: &Site) {
    for statement in [
        format!(
            "create function gen_1.broken(id text) returns boolean language plpgsql as $$
             begin
                 if id = '{FAILING}' then
                     raise exception 'broken by a test';
                 end if;
                 return true;
             end $$"
        ),
        "create policy broken on gen_1.customer as restrictive for select
             using (gen_1.broken(customer_id))"
            .to_owned(),
    ] {
        execute(site, statement).await;
    }
}

async fn mend_reads(site: &Site) {
    execute(site, "drop policy broken on gen_1.customer".to_owned()).await;
}

/// Starts a processor that has no customer in memory.
fn restart(site: &Site, processor: Running) -> Running {
    processor.terminate();
    site.process(&[])
}

#[tokio::test]
async fn customer_with_a_row_that_cannot_be_read_is_quarantined_alone_until_it_is_mended() {
    // Given folded events
    let site = Site::new().await;
    site.define(&definitions(480, 3));
    let publisher = site.publisher().await;
    let processor = site.process(&[]);
    publish(&publisher, 3);
    site.wait_until_folded(SOON).await;

    // When a row has a value that no processor writes, then its customer is quarantined at its next event
    move_evaluation(&site, TOO_FAR).await;
    let processor = restart(&site, processor);
    publish(&publisher, 3);
    wait_until_quarantined_alone(&site, &["its row cannot be read", "evaluated_at"]).await;
    move_evaluation(&site, -TOO_FAR).await;
    resume(&site);

    // And so it is where it is re-evaluated without one
    move_evaluation(&site, TOO_FAR).await;
    let processor = restart(&site, processor);
    site.define(&definitions(480, 3).replace("segments:", REGULARS));
    wait_until_quarantined_alone(&site, &["its row cannot be read", "evaluated_at"]).await;
    move_evaluation(&site, -TOO_FAR).await;
    resume(&site);

    // And where Postgres itself cannot read it
    break_reads(&site).await;
    let processor = restart(&site, processor);
    publish(&publisher, 3);
    wait_until_quarantined_alone(&site, &["its row cannot be read", "broken by a test"]).await;
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    mend_reads(&site).await;
    resume(&site);

    // And at the end it is as if every row could have been read
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_never_quarantined(&site).await;
}

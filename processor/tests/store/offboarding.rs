//! The erasure of an offboarded tenant: in parts, of one tenant and one partition alone.

use std::sync::Arc;

use tidemark_processor::store::{
    Batch, DeferralReason, DeferralRow, ParkedBytesRow, Reevaluation, Scope, Store, Unerased,
};
use tidemark_schemas::{CustomerKey, TenantId};

use crate::batches::{
    after, at, customer, deferred, filled, key, large, late, next, tenant, tracked,
};
use crate::database::{Database, TOPIC};

const CUSTOMERS_LEFT: &str =
    "select count(*) from gen_1.customer where tenant_id = 'acme' and partition = 0";
/// The rows of the tenant in the partition, in every table.
const ALL_LEFT: &str = "
    select (select count(*) from gen_1.customer where tenant_id = 'acme' and partition = 0)
         + (select count(*) from gen_1.membership where tenant_id = 'acme' and customer_id < 'x')
         + (select count(*) from gen_1.position where tenant_id = 'acme')
         + (select count(*) from gen_1.timer where tenant_id = 'acme')
         + (select count(*) from gen_1.change_set where tenant_id = 'acme')
         + (select count(*) from gen_1.rollup where tenant_id = 'acme' and partition = 0)
         + (select count(*) from gen_1.counter where tenant_id = 'acme' and partition = 0)
         + (select count(*) from gen_1.digest where tenant_id = 'acme' and partition = 0)
         + (select count(*) from gen_1.checkpoint where tenant_id = 'acme')
         + (select count(*) from gen_1.large_customer where tenant_id = 'acme' and partition = 0)
         + (select count(*) from gen_1.parked_bytes where tenant_id = 'acme' and partition = 0)
         + (select count(*) from gen_1.tracked_leaf where tenant_id = 'acme')
         + (select count(*) from gen_1.reevaluation where tenant_id = 'acme')";

/// Adds all the rows that a customer has.
fn add_customer(batch: &mut Batch, key: &CustomerKey) {
    let since = at("2024-05-01T00:00:00Z");
    batch.rows.customers.push(customer(key.clone(), b"state"));
    for segment in ["dear", "recent"] {
        let entered = (key.clone(), Arc::from(segment), since);
        batch.rows.memberships.entered.push(entered);
    }
    let position = (key.clone(), Arc::from("sales"), Arc::from("lead"), since);
    batch.rows.positions.entered.push(position);
    batch.rows.timers.set(key.clone(), Some(since));
}

/// Commits an erasure of the next rows of a kind, and returns the batch.
async fn erase(store: &Store, before: &Batch, kind: Unerased) -> Batch {
    let mut batch = next(before);
    batch.rows.offboardings.erase(tenant("acme"), kind);
    store.commit(TOPIC, &batch).await.unwrap();
    batch
}

/// Begins the erasure of acme in a partition that was just claimed.
async fn begin(store: &Store, before: &Batch) -> Batch {
    let mut batch = next(before);
    batch.rows.offboardings.begin(tenant("acme"), 4);
    store.commit(TOPIC, &batch).await.unwrap();
    batch
}

/// Commits the rows of a tenant: 600 customers of a partition, and one of everything else.
async fn populate(store: &Store, tenant: &TenantId) -> Batch {
    let since = at("2024-05-01T00:00:00Z");
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let mut batch = after(&claim, 0);
    for number in 0..600 {
        add_customer(&mut batch, &key("acme", &format!("c-{number:03}")));
    }
    batch.rows.large.push(large(&key("acme", "c-000")));
    batch.rows.tracked.push(tracked(tenant, 7, Some(since)));
    let reevaluation = Reevaluation::begin(tenant.clone(), 1, since);
    batch.rows.reevaluations.set(reevaluation);
    batch.rows.parked.parked.push(late(tenant, since));
    batch.rows.parked_bytes.push(ParkedBytesRow {
        tenant: Some(tenant.clone()),
        bytes: 300,
    });
    let mut batch = filled(batch, "globex", "ada");
    batch.rows.checkpoint = Some(batch.rows.counts.digests.clone());
    store.commit(TOPIC, &batch).await.unwrap();
    batch
}

#[tokio::test]
async fn rows_of_one_tenant_and_partition_are_erased_in_parts_and_no_others() {
    // Given 600 customers of a tenant in a partition, one in another, and one of another tenant
    let database = Database::ready().await;
    let store = database.store().await;
    let acme = tenant("acme");
    let other = store.claim(TOPIC, 1, "a").await.unwrap();
    let other = filled(after(&other, 1), "acme", "xenia");
    store.commit(TOPIC, &other).await.unwrap();
    let batch = populate(&store, &acme).await;
    // When its erasure begins, then the next claim knows it, and what is parked from there on stays
    let batch = begin(&store, &batch).await;
    let mut batch = next(&batch);
    let mut later = late(&acme, at("2024-05-02T00:00:00Z"));
    later.offset = batch.old_next_offset;
    batch.rows.parked.parked.push(later);
    store.commit(TOPIC, &batch).await.unwrap();
    // And each batch erases a part
    let batch = erase(&store, &batch, Unerased::Customers).await;
    assert_eq!(database.count(CUSTOMERS_LEFT).await, 100);
    let batch = erase(&store, &batch, Unerased::Customers).await;
    let batch = erase(&store, &batch, Unerased::Parked).await;
    let batch = erase(&store, &batch, Unerased::Rollups).await;
    assert_eq!(database.count(ALL_LEFT).await, 0);
    let parked = "select count(*) from gen_1.parked where tenant_id = 'acme'";
    assert_eq!(database.count(parked).await, 1, "that which came later");
    let account = "select \"rows\" from gen_1.offboarding where customers = 600";
    // A customer, two memberships, a position and a timer each; a large customer, a leaf, a re-evaluation, and
    // a parked event with its bytes.
    assert_eq!(database.count(account).await, 600 * 5 + 3 + 2);
    // And the others are as they were
    for kept in [
        "select count(*) from gen_1.customer where tenant_id = 'globex'",
        "select count(*) from gen_1.membership where tenant_id = 'globex'",
        "select count(*) from gen_1.counter where tenant_id = 'globex'",
        "select count(*) from gen_1.checkpoint where tenant_id = 'globex'",
        "select count(*) from gen_1.customer where tenant_id = 'acme' and partition = 1",
        "select count(*) from gen_1.membership where tenant_id = 'acme' and customer_id = 'xenia'",
        "select count(*) from gen_1.rollup where tenant_id = 'acme' and partition = 1",
    ] {
        assert_eq!(database.count(kept).await, 1, "{kept}");
    }
    // And once it is finished, no claim knows it
    let claim = store.claim(TOPIC, 0, "b").await.unwrap();
    assert_eq!(claim.offboardings, std::slice::from_ref(&acme));
    let mut last = after(&claim, 0);
    last.rows.offboardings.finish(acme);
    assert_eq!(last.old_next_offset, batch.new_next_offset);
    store.commit(TOPIC, &last).await.unwrap();
    let claim = store.claim(TOPIC, 0, "c").await.unwrap();
    assert_eq!(claim.offboardings, []);
}

#[tokio::test]
async fn customer_with_many_changes_is_erased_over_several_batches() {
    // Given a customer with more change sets than a batch erases, and another after it
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let mut batch = after(&claim, 0);
    for name in ["ada", "bob"] {
        add_customer(&mut batch, &key("acme", name));
    }
    store.commit(TOPIC, &batch).await.unwrap();
    let inserted = sqlx::query(
        "insert into gen_1.change_set
             (partition, seq, tenant_id, customer_id, definition_version, changes)
         select 0, number, 'acme', case when number <= 5100 then 'ada' else 'bob' end, 1, '[]'
         from generate_series(1, 5101) as number",
    );
    inserted.execute(&mut database.admin().await).await.unwrap();
    let left = async || {
        let sets = "select count(*) from gen_1.change_set";
        let members = "select count(*) from gen_1.membership";
        let customers = database.count(CUSTOMERS_LEFT).await;
        (
            customers,
            database.count(sets).await,
            database.count(members).await,
        )
    };
    // When they are erased, then no customer goes before its last change set
    let batch = begin(&store, &batch).await;
    assert_eq!(left().await, (2, 5_101, 4));
    let batch = erase(&store, &batch, Unerased::Customers).await;
    assert_eq!(left().await, (2, 101, 4));
    erase(&store, &batch, Unerased::Customers).await;
    assert_eq!(left().await, (0, 0, 0));
}

#[tokio::test]
async fn deferral_that_ends_and_begins_with_one_batch_is_the_new_one() {
    // Given a halted tenant that an operator resumed
    let database = Database::ready().await;
    let store = database.store().await;
    let (acme, clock) = (tenant("acme"), at("2024-05-01T00:00:00Z"));
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let mut batch = after(&claim, 0);
    batch.rows.deferrals.begin(deferred(&acme, clock));
    store.commit(TOPIC, &batch).await.unwrap();
    let operators = database.operators().await;
    operators
        .resume(&Scope::tenant(acme.clone()), "an operator")
        .await
        .unwrap();
    // When that deferral ends with the batch in which another begins
    let mut batch = next(&batch);
    batch.rows.deferrals.end(Scope::tenant(acme.clone()));
    let undefined = DeferralRow {
        reason: DeferralReason::Undefined,
        from_offset: 15,
        next_offset: 15,
        ..deferred(&acme, clock)
    };
    batch.rows.deferrals.begin(undefined.clone());
    batch.rows.clock_marks.0.push((15, clock));
    store.commit(TOPIC, &batch).await.unwrap();
    // Then nothing of the earlier one is left, and the clocks that the new one needs are kept
    let claim = store.claim(TOPIC, 0, "b").await.unwrap();
    assert_eq!(claim.deferrals, [(undefined, false)]);
    assert!(claim.has_clock_marks);
}

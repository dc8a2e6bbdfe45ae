//! Tracked leaves: a claim finds what commits stored.

use crate::batches::{after, at, customer, key, next, tenant, tracked};
use crate::database::{Database, TOPIC};

#[tokio::test]
async fn a_claim_returns_the_tracked_leaves_of_its_partition() {
    let database = Database::ready().await;
    let store = database.store().await;
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    let since = at("2024-05-01T12:00:00.000001Z");

    // Given leaves that came into force, one of them named by the greatest number there is
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    assert!(claim.tracked.is_empty());
    let mut batch = after(&claim, 0);
    batch.rows.tracked = vec![
        tracked(&globex, 7, Some(since)),
        tracked(&acme, u64::MAX, Some(since)),
        tracked(&acme, 7, Some(since)),
    ];
    store.commit(TOPIC, &batch).await.unwrap();

    // When one is given up and another one comes
    let mut batch = next(&batch);
    batch.rows.tracked = vec![
        tracked(&acme, 7, None),
        tracked(&acme, 8, Some(since.plus_micros(1))),
    ];
    store.commit(TOPIC, &batch).await.unwrap();

    // Then a claim finds the others, and that of another partition nothing
    let mut found = store.claim(TOPIC, 0, "b").await.unwrap().tracked;
    found.sort_by_key(|row| (row.tenant.clone(), row.leaf));
    assert_eq!(
        found,
        [
            tracked(&acme, 8, Some(since.plus_micros(1))),
            tracked(&acme, u64::MAX, Some(since)),
            tracked(&globex, 7, Some(since)),
        ]
    );
    assert!(store.claim(TOPIC, 1, "b").await.unwrap().tracked.is_empty());
}

#[tokio::test]
async fn a_customer_without_counters_has_none() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let mut batch = after(&claim, 0);
    let with = customer(key("acme", "ada"), b"state");
    let mut without = customer(key("acme", "bob"), b"state");
    without.tracked = Vec::new();
    batch.rows.customers = vec![with.clone(), without.clone()];
    store.commit(TOPIC, &batch).await.unwrap();
    let keys = [with.key.clone(), without.key.clone()];
    let mut found = store.load_customers(&keys).await.unwrap();
    found.sort_by_key(|row| row.key.clone());
    assert_eq!(found, [with, without]);
}

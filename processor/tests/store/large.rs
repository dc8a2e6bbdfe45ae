//! Large customers, written and removed with commits.

use tidemark_processor::store::LargeRow;

use crate::batches::{after, key, large};
use crate::database::{Database, TOPIC};

#[tokio::test]
async fn large_customers_are_found_by_the_next_claim_until_they_are_not_large() {
    // Given a partition with two large customers, one of which grows, and another partition with one
    let database = Database::ready().await;
    let store = database.store().await;
    let (ada, bob, cleo) = (key("acme", "ada"), key("acme", "bob"), key("acme", "cleo"));
    for (partition, keys) in [(0, vec![&ada, &bob]), (1, vec![&cleo])] {
        let claim = store.claim(TOPIC, partition, "a").await.unwrap();
        assert_eq!(claim.large, []);
        let mut batch = after(&claim, partition);
        batch.rows.large = keys.into_iter().map(large).collect();
        store.commit(TOPIC, &batch).await.unwrap();
    }
    // When one grows and the other is not large any more
    let claim = store.claim(TOPIC, 0, "b").await.unwrap();
    assert_eq!(claim.large.len(), 2);
    let mut batch = after(&claim, 0);
    let row = |key, bytes| LargeRow { key, bytes };
    batch.rows.large = vec![row(ada.clone(), Some(90_000)), row(bob, None)];
    store.commit(TOPIC, &batch).await.unwrap();
    // Then the next claim finds the one, and the other partition its own
    let claim = store.claim(TOPIC, 0, "c").await.unwrap();
    assert_eq!(claim.large, [row(ada, Some(90_000))]);
    let claim = store.claim(TOPIC, 1, "c").await.unwrap();
    assert_eq!(claim.large, [large(&cleo)]);
}

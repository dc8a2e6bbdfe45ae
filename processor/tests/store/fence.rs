//! Who does not own a partition writes nothing.

use tidemark_processor::store::Committed;

use crate::batches::{after, filled};
use crate::database::{Database, TOPIC};

#[tokio::test]
async fn a_claim_begins_at_nothing_and_a_commit_moves_it() {
    let database = Database::ready().await;
    let store = database.store().await;
    let first = store.claim(TOPIC, 0, "a").await.unwrap();
    assert_eq!((first.epoch, first.commits, first.next_offset), (1, 0, 0));
    let batch = filled(after(&first, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
    let second = store.claim(TOPIC, 0, "b").await.unwrap();
    assert_eq!(
        (second.epoch, second.commits, second.next_offset),
        (2, 1, 10)
    );
    assert_eq!(second.digests, batch.digests);
}

#[tokio::test]
async fn a_zombie_writes_nothing() {
    let database = Database::ready().await;
    let store = database.store().await;
    let zombie = store.claim(TOPIC, 0, "zombie").await.unwrap();
    let owner = store.claim(TOPIC, 0, "owner").await.unwrap();
    assert_eq!(owner.epoch, zombie.epoch + 1);
    let late = filled(after(&zombie, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &late).await.unwrap(), Committed::Fenced);
    assert_eq!(
        database.count("select count(*) from gen_1.customer").await,
        0
    );
    assert_eq!(
        database.count("select count(*) from gen_1.counter").await,
        0
    );
    assert_eq!(
        database
            .count("select next_offset + commits from gen_1.progress")
            .await,
        0
    );
    // The owner is not disturbed.
    let batch = filled(after(&owner, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
}

//! A process that does not own a partition writes nothing.

use sqlx::Connection;
use tidemark_processor::store::{Committed, StoreError};
use tidemark_projections::evaluated::EVALUATION_VERSION;

use crate::batches::{after, filled, next};
use crate::database::{
    COMMIT_IS_HELD, Database, SOMEBODY_WAITS_FOR_A_ROW, TOPIC, background, config, eventually,
    hold_commits, open,
};

#[tokio::test]
async fn a_first_claim_starts_at_zero_and_a_commit_advances_it() {
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
    assert_eq!(second.digests, batch.rows.counts.digests);
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

#[tokio::test]
async fn a_claim_waits_for_the_commit_under_way_and_sees_its_end() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "old").await.unwrap();
    let batch = filled(after(&claim, 0), "acme", "ada");
    let holder = hold_commits(&database).await;
    let committing = background({
        let store = store.clone();
        async move { store.commit(TOPIC, &batch).await }
    });
    eventually(&database, COMMIT_IS_HELD).await;
    let claiming = background({
        let store = store.clone();
        async move { store.claim(TOPIC, 0, "new").await }
    });
    eventually(&database, SOMEBODY_WAITS_FOR_A_ROW).await;
    assert!(!claiming.is_finished());
    holder.close().await.unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), Committed::Yes);
    let claimed = claiming.await.unwrap().unwrap();
    assert_eq!(
        (claimed.epoch, claimed.commits, claimed.next_offset),
        (2, 1, 10)
    );
}

#[tokio::test]
async fn a_session_that_holds_the_row_is_disconnected() {
    let database = Database::ready().await;
    let impatient = format!("{}&options=-c%20lock_timeout=200ms", database.url);
    let store = open(&config(&impatient)).await.unwrap();
    let claim = store.claim(TOPIC, 0, "stalled").await.unwrap();
    // A process that was stopped in the middle of a batch, under the same login.
    let mut stalled = database.admin().await;
    sqlx::raw_sql(
        "set role tidemark_processor; begin; \
         update gen_1.progress set next_offset = 5 where partition = 0",
    )
    .execute(&mut stalled)
    .await
    .unwrap();
    let claimed = store.claim(TOPIC, 0, "new").await.unwrap();
    assert_eq!((claimed.epoch, claimed.next_offset), (claim.epoch + 1, 0));
    assert!(sqlx::raw_sql("commit").execute(&mut stalled).await.is_err());
}

#[tokio::test]
async fn a_commit_retried_after_it_landed_is_not_written_twice() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let batch = filled(after(&claim, 0), "acme", "ada");
    for _ in 0..3 {
        assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
    }
    assert_eq!(database.count("select value from gen_1.counter").await, 1);
    // Nor when it moves no offset.
    let mut still = filled(next(&batch), "acme", "bob");
    still.new_next_offset = still.old_next_offset;
    for _ in 0..3 {
        assert_eq!(store.commit(TOPIC, &still).await.unwrap(), Committed::Yes);
    }
    assert_eq!(database.count("select value from gen_1.counter").await, 2);
    // But what follows another batch is not taken for it.
    assert_eq!(
        store.commit(TOPIC, &batch).await.unwrap(),
        Committed::Fenced
    );
}

#[tokio::test]
async fn an_aborted_commit_leaves_no_rows() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let batch = filled(after(&claim, 0), "acme", "ada");
    let holder = hold_commits(&database).await;
    let committing = background({
        let (store, batch) = (store.clone(), batch.clone());
        async move { store.commit(TOPIC, &batch).await }
    });
    eventually(&database, COMMIT_IS_HELD).await;
    committing.abort();
    committing.await.unwrap_err();
    holder.close().await.unwrap();
    // Whatever its fate, the same batch is written once, and no session inherits its transaction.
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
    assert_eq!(
        store.commit(TOPIC, &next(&batch)).await.unwrap(),
        Committed::Yes
    );
    assert_eq!(database.count("select value from gen_1.counter").await, 1);
    assert_eq!(
        database.count("select commits from gen_1.progress").await,
        2
    );
}

#[tokio::test]
async fn a_partition_of_a_newer_evaluation_version_is_not_claimed() {
    // Given a partition that a newer binary has begun to evaluate otherwise
    let database = Database::ready().await;
    let store = database.store().await;
    store.claim(TOPIC, 0, "newer").await.unwrap();
    let mut owner = database.admin().await;
    sqlx::query("update gen_1.progress set evaluation = $1")
        .bind(EVALUATION_VERSION + 1)
        .execute(&mut owner)
        .await
        .unwrap();
    // When this binary claims it
    let refused = store.claim(TOPIC, 0, "older").await.unwrap_err();
    // Then it is told so by name, and the owner keeps its epoch
    assert!(
        matches!(refused, StoreError::EvaluationVersion { partition: 0, .. }),
        "{refused}"
    );
    let kept = "select epoch from gen_1.progress where owner = 'newer'";
    assert_eq!(database.count(kept).await, 1);
}

#[tokio::test]
async fn an_owner_whose_claim_was_lost_in_a_failover_is_fenced_by_its_nonce() {
    // Given an owner whose claim a failover to an older copy of the database has lost
    let database = Database::ready().await;
    let store = database.store().await;
    let lost = store.claim(TOPIC, 0, "lost").await.unwrap();
    let mut owner = database.admin().await;
    sqlx::query("update gen_1.progress set epoch = epoch - 1")
        .execute(&mut owner)
        .await
        .unwrap();
    // When another process is issued the same epoch
    let claim = store.claim(TOPIC, 0, "owner").await.unwrap();
    assert_eq!(claim.epoch, lost.epoch);
    // Then only its own commits pass
    let zombie = filled(after(&lost, 0), "acme", "ada");
    assert_eq!(
        store.commit(TOPIC, &zombie).await.unwrap(),
        Committed::Fenced
    );
    let own = filled(after(&claim, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &own).await.unwrap(), Committed::Yes);
    assert_eq!(
        store.commit(TOPIC, &zombie).await.unwrap(),
        Committed::Fenced
    );
}

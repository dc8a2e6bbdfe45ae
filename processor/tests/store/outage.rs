//! Postgres goes away and comes back.

use tidemark_processor::migrate::{ensure_generation, migrate};
use tidemark_processor::store::{Committed, StoreError};

use crate::batches::{after, filled, next};
use crate::cluster::Cluster;
use crate::database::{TOPIC, config, open, spec};

#[tokio::test]
async fn synchronous_commits_survive_a_crash() {
    let cluster = Cluster::start("");
    let url = cluster.url("postgres", "postgres");
    migrate(&url).await.unwrap();
    ensure_generation(&url, &spec()).await.unwrap();
    let mut config = config(&url);
    config.synchronous_commit = true;
    let store = open(&config).await.unwrap();
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let first = filled(after(&claim, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &first).await.unwrap(), Committed::Yes);
    cluster.kill();
    let second = filled(next(&first), "acme", "bob");
    for _ in 0..2 {
        let error = store.commit(TOPIC, &second).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    let error = open(&config).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    cluster.start_again();
    assert_eq!(store.commit(TOPIC, &second).await.unwrap(), Committed::Yes);
    let keys = [
        first.rows.customers[0].key.clone(),
        second.rows.customers[0].key.clone(),
    ];
    assert_eq!(store.load_customers(&keys).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_crash_rewinds_offset_and_state_together() {
    // Only committing sessions write the log.
    let cluster = Cluster::start("wal_writer_delay = 10s");
    let url = cluster.url("postgres", "postgres");
    migrate(&url).await.unwrap();
    ensure_generation(&url, &spec()).await.unwrap();
    let store = open(&config(&url)).await.unwrap();
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let first = filled(after(&claim, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &first).await.unwrap(), Committed::Yes);
    cluster.kill();
    cluster.start_again();
    // The claim itself was waited for, so its epoch is never given again.
    let second = filled(next(&first), "acme", "bob");
    let kept = store.commit(TOPIC, &second).await.unwrap();
    let claimed = store.claim(TOPIC, 0, "b").await.unwrap();
    assert_eq!(claimed.epoch, claim.epoch + 1);
    let keys = [
        first.rows.customers[0].key.clone(),
        second.rows.customers[0].key.clone(),
    ];
    let customers = store.load_customers(&keys).await.unwrap();
    match kept {
        Committed::Fenced => assert_eq!((claimed.next_offset, customers.len()), (0, 0)),
        // The server happened to write its log in between.
        Committed::Yes => assert_eq!((claimed.next_offset, customers.len()), (20, 2)),
    }
}

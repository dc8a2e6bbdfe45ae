//! The answer to COMMIT is lost, and with it whether it landed.

use sqlx::Connection;
use tidemark_processor::store::{Batch, Committed, Store, StoreError};

use crate::batches::{after, filled, next};
use crate::database::{
    COMMIT_IS_HELD, Database, SOMEBODY_WAITS_FOR_A_ROW, TOPIC, background, cluster, config,
    eventually, hold_at_commit, hold_commits, open,
};
use crate::proxy::{Cut, Proxy};

struct Scene {
    database: Database,
    proxy: Proxy,
    store: Store,
    batch: Batch,
}

impl Scene {
    async fn new() -> Self {
        let database = Database::ready().await;
        let proxy = Proxy::start(cluster().socket()).await;
        let store = open(&config(&proxy.url(&database.name))).await.unwrap();
        let claim = store.claim(TOPIC, 0, "a").await.unwrap();
        let batch = filled(after(&claim, 0), "acme", "ada");
        Self {
            database,
            proxy,
            store,
            batch,
        }
    }

    /// Everything once, and the partition goes on.
    async fn check_written_once(&self) {
        let count = |query| self.database.count(query);
        assert_eq!(count("select value from gen_1.counter").await, 1);
        assert_eq!(count("select count(*) from gen_1.customer").await, 1);
        assert_eq!(count("select commits from gen_1.progress").await, 1);
        assert_eq!(count("select next_offset from gen_1.progress").await, 10);
        let next = next(&self.batch);
        assert_eq!(
            self.store.commit(TOPIC, &next).await.unwrap(),
            Committed::Yes
        );
    }
}

#[tokio::test]
async fn a_commit_that_landed_is_recognised() {
    let scene = Scene::new().await;
    scene.proxy.arm(Cut::BeforeAnswer);
    assert_eq!(
        scene.store.commit(TOPIC, &scene.batch).await.unwrap(),
        Committed::Yes
    );
    scene.check_written_once().await;
}

#[tokio::test]
async fn a_commit_that_did_not_land_is_written_again() {
    let scene = Scene::new().await;
    scene.proxy.arm(Cut::BeforeCommit);
    assert_eq!(
        scene.store.commit(TOPIC, &scene.batch).await.unwrap(),
        Committed::Yes
    );
    scene.check_written_once().await;
}

#[tokio::test]
async fn a_retried_commit_waits_for_one_under_way() {
    let scene = Scene::new().await;
    let holder = hold_at_commit(&scene.database).await;
    scene.proxy.arm(Cut::WhileCommitting);
    let committing = background({
        let (store, batch) = (scene.store.clone(), scene.batch.clone());
        async move { store.commit(TOPIC, &batch).await }
    });
    // The second try stands behind the first, which is not over yet.
    eventually(&scene.database, COMMIT_IS_HELD).await;
    eventually(&scene.database, SOMEBODY_WAITS_FOR_A_ROW).await;
    holder.close().await.unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), Committed::Yes);
    scene.check_written_once().await;
}

#[tokio::test]
async fn a_commit_of_unknown_fate_is_unavailable_and_can_be_retried() {
    let scene = Scene::new().await;
    scene.proxy.arm(Cut::BeforeAnswerAndForGood);
    let error = scene.store.commit(TOPIC, &scene.batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let error = scene.store.claim(TOPIC, 0, "b").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    scene.proxy.arm(Cut::Never);
    assert_eq!(
        scene.store.commit(TOPIC, &scene.batch).await.unwrap(),
        Committed::Yes
    );
    scene.check_written_once().await;
}

#[tokio::test]
async fn a_backend_terminated_in_the_middle_of_a_commit_is_replaced() {
    let scene = Scene::new().await;
    let mut holder = hold_commits(&scene.database).await;
    let committing = background({
        let (store, batch) = (scene.store.clone(), scene.batch.clone());
        async move { store.commit(TOPIC, &batch).await }
    });
    eventually(&scene.database, COMMIT_IS_HELD).await;
    sqlx::raw_sql(
        "select pg_terminate_backend(pid) from pg_locks \
         join pg_database on pg_database.oid = pg_locks.database \
         where locktype = 'advisory' and not granted and datname = current_database(); \
         select pg_advisory_unlock(1)",
    )
    .execute(&mut holder)
    .await
    .unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), Committed::Yes);
    holder.close().await.unwrap();
    scene.check_written_once().await;
}

#[tokio::test]
async fn a_zombie_cut_off_is_fenced() {
    let scene = Scene::new().await;
    let other = scene.database.store().await;
    other.claim(TOPIC, 0, "b").await.unwrap();
    scene.proxy.arm(Cut::BeforeCommit);
    assert_eq!(
        scene.store.commit(TOPIC, &scene.batch).await.unwrap(),
        Committed::Fenced
    );
    assert_eq!(
        scene
            .database
            .count("select count(*) from gen_1.customer")
            .await,
        0
    );
}

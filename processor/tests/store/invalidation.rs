//! The invalidation of a commit is stored with it, for a while.

use sqlx::Row;
use tidemark_processor::store::Committed;
use tidemark_projections::invalidation::{
    AggregateKind, COMMITS_KEPT, Invalidation, slot, tenant_number,
};
use tidemark_schemas::CustomerKey;

use crate::batches::{after, filled, key, next};
use crate::database::{Database, TOPIC};

/// Commits, epoch and what was touched, oldest first.
async fn rows(database: &Database) -> Vec<(i64, i64, Invalidation)> {
    let query = "select commits, epoch, content from gen_1.invalidation order by commits";
    let rows = sqlx::query(query)
        .fetch_all(&mut database.admin().await)
        .await;
    let invalidation =
        |row: &sqlx::postgres::PgRow| Invalidation::decode(row.get("content")).unwrap();
    let row = |row| {
        (
            Row::get(row, "commits"),
            Row::get(row, "epoch"),
            invalidation(row),
        )
    };
    rows.unwrap().iter().map(row).collect()
}

fn assert_touches(invalidation: &Invalidation, key: &CustomerKey) {
    let number = tenant_number(&key.tenant);
    let (_, moved) = invalidation
        .tenants()
        .find(|(tenant, _)| *tenant == number)
        .unwrap();
    assert_eq!(moved.slots().collect::<Vec<_>>(), [slot(&key.customer)]);
    let kinds: Vec<AggregateKind> = moved.aggregates().collect();
    assert!(
        kinds.contains(&AggregateKind::Customers) && kinds.contains(&AggregateKind::Population),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_commit_stores_its_invalidation_unless_it_is_empty() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let first = filled(after(&claim, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &first).await.unwrap(), Committed::Yes);
    let clock_alone = next(&first);
    assert_eq!(
        store.commit(TOPIC, &clock_alone).await.unwrap(),
        Committed::Yes
    );
    let third = filled(next(&clock_alone), "globex", "bob");
    assert_eq!(store.commit(TOPIC, &third).await.unwrap(), Committed::Yes);

    let rows = rows(&database).await;
    let positions: Vec<_> = rows
        .iter()
        .map(|(commits, epoch, _)| (*commits, *epoch))
        .collect();
    assert_eq!(positions, [(1, 1), (3, 1)]);
    assert_touches(&rows[0].2, &key("acme", "ada"));
    assert_touches(&rows[1].2, &key("globex", "bob"));
}

#[tokio::test]
async fn old_invalidations_are_deleted() {
    let database = Database::ready().await;
    let store = database.store().await;
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let mut batch = filled(after(&claim, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
    let later = format!(
        "update gen_1.progress set commits = commits + {}",
        COMMITS_KEPT - 1
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(later))
        .execute(&mut database.admin().await)
        .await
        .unwrap();
    batch = filled(next(&batch), "acme", "ada");
    batch.old_commits += COMMITS_KEPT - 1;
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
    let kept: Vec<i64> = rows(&database).await.iter().map(|row| row.0).collect();
    assert_eq!(kept, [COMMITS_KEPT + 1]);
}

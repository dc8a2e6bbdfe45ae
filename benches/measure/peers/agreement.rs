//! The comparison of the results of both systems.

use sqlx::{AssertSqlSafe, PgPool};

use crate::measure::site::Place;

/// The tables, and the columns that must be equal. The instant of entering a segment is left out: Kafka
/// Streams evaluates a customer when an event arrives, Tidemark at every due time in between too.
const TABLES: [(&str, &str); 4] = [
    (
        "customer",
        "tenant_id, customer_id, partition, state, first_seen_at, last_seen_at, band",
    ),
    ("membership", "tenant_id, segment, customer_id"),
    ("position", "tenant_id, journey, customer_id, stage, since"),
    ("counter", "tenant_id, kind, name, partition, value"),
];

/// The number of equal rows of each table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreement {
    pub(super) customers: i64,
    pub(super) memberships: i64,
    pub(super) positions: i64,
    pub(super) counters: i64,
}

/// Fails if the results differ: the speed of different results is not comparable.
pub(super) async fn compare(ours: &Place, theirs: &Place) -> Agreement {
    let (our_pool, their_pool) = (ours.pool().await, theirs.pool().await);
    let mut rows = Vec::new();
    for (table, columns) in TABLES {
        let ours = content(&our_pool, &format!("gen_1.{table}"), columns).await;
        let theirs = content(&their_pool, table, columns).await;
        assert_eq!(
            ours, theirs,
            "{table}: Tidemark and Kafka Streams differ in rows, or in their hash. Was it midnight in \
             Berlin meanwhile? Has the fold changed and benches/peers not?"
        );
        rows.push(ours.0);
    }
    our_pool.close().await;
    their_pool.close().await;
    let [customers, memberships, positions, counters] = rows.try_into().unwrap();
    assert_eq!(
        customers,
        i64::from(ours.customers),
        "customers are missing"
    );
    Agreement {
        customers,
        memberships,
        positions,
        counters,
    }
}

/// Returns the number of rows and the sum of their hashes. Sizes of zero count as missing.
async fn content(pool: &PgPool, table: &str, columns: &str) -> (i64, String) {
    let condition = if table.ends_with("counter") {
        "value <> 0"
    } else {
        "true"
    };
    let sql = format!(
        "select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text \
         from (select {columns} from {table} where {condition}) as t"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .fetch_one(pool)
        .await
        .unwrap()
}

//! Statements find their rows by key, also when their plan was made before there were any.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::database::Database;

/// Every statement with something to find, how many parameters it has, and the indexes that find it.
const STATEMENTS: &[(&str, usize, &[&str])] = &[
    (
        include_str!("../../src/store/fence.sql"),
        17,
        &["progress_pkey"],
    ),
    (
        include_str!("../../src/store/fence_state.sql"),
        2,
        &["progress_pkey"],
    ),
    (
        include_str!("../../src/store/memberships.sql"),
        7,
        &["membership_pkey"],
    ),
    (
        include_str!("../../src/store/positions.sql"),
        8,
        &["position_pkey"],
    ),
    (
        include_str!("../../src/store/timers.sql"),
        6,
        &["timer_pkey"],
    ),
    (
        include_str!("../../src/store/parked.sql"),
        14,
        &["parked_pkey"],
    ),
    (
        include_str!("../../src/store/load_customers.sql"),
        2,
        &["customer_pkey"],
    ),
    (
        include_str!("../../src/store/load_tenant_customers.sql"),
        4,
        &["customer_partition"],
    ),
    (
        include_str!("../../src/store/load_timers.sql"),
        5,
        &["timer_due"],
    ),
    (
        include_str!("../../src/store/load_parked.sql"),
        6,
        &["parked_reason"],
    ),
    (
        include_str!("../../src/store/list_parked.sql"),
        14,
        &["parked_pkey"],
    ),
    (
        include_str!("../../src/store/request_parked.sql"),
        8,
        &["parked_pkey"],
    ),
    (
        include_str!("../../src/store/load_requests.sql"),
        5,
        &["parked_request_waiting", "parked_pkey"],
    ),
    (
        include_str!("../../src/store/settle_requests.sql"),
        7,
        &["parked_request_pkey"],
    ),
];

#[tokio::test]
async fn plans_made_on_empty_tables_use_the_key() {
    let database = Database::ready().await;
    let mut connection = database.admin().await;
    // What the store's sessions have set.
    let session = "set role tidemark_processor; set search_path = gen_1;
        set plan_cache_mode = force_generic_plan; set enable_seqscan = off;
        set enable_bitmapscan = off; set enable_sort = off; set jit = off";
    sqlx::raw_sql(session)
        .execute(&mut connection)
        .await
        .unwrap();
    for (statement, parameters, indexes) in STATEMENTS {
        let plan = explain(&mut connection, statement, *parameters).await;
        let used: Vec<&str> = plan
            .iter()
            .filter_map(|line| line.split_once("Scan using ")?.1.split(' ').next())
            .collect();
        assert_eq!(used, *indexes, "{statement}\n{}", plan.join("\n"));
        for fault in ["Seq Scan", "Bitmap", "Sort"] {
            assert!(
                !plan.iter().any(|line| line.contains(fault)),
                "{}",
                plan.join("\n")
            );
        }
    }
}

async fn explain(connection: &mut PgConnection, statement: &str, parameters: usize) -> Vec<String> {
    let nulls = vec!["null"; parameters].join(", ");
    let prepare = format!("prepare statement as {statement}");
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(&mut *connection)
        .await
        .unwrap();
    let explain = format!("explain (costs off) execute statement({nulls})");
    // Without sqlx preparing it in turn.
    let rows = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    sqlx::raw_sql("deallocate statement")
        .execute(connection)
        .await
        .unwrap();
    rows.iter().map(|row| sqlx::Row::get(row, 0)).collect()
}

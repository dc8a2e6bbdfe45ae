//! Reads across a change of generation, a lost connection and another fold version.

use std::fmt::Write;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor};

use super::client::{Api, config};
use super::shop;
use super::world::World;
use crate::support::wait::wait_for;

/// Activates a second generation whose tables have other column types, so that plans for the first
/// one are invalid.
async fn promote_another(world: &World) {
    let tables = [
        "customer",
        "membership",
        "position",
        "progress",
        "counter",
        "rollup",
        "deferral",
        "digest",
        "reevaluation",
        "invalidation",
        "offboarding",
        "heartbeat",
    ];
    let mut script =
        String::from("create schema gen_2; grant usage on schema gen_2 to tidemark_api;");
    for table in tables {
        write!(
            script,
            "create table gen_2.{table} (like gen_1.{table} including all);
             insert into gen_2.{table} select * from gen_1.{table};
             grant select on gen_2.{table} to tidemark_api;"
        )
        .unwrap();
    }
    script.push_str(
        "alter table gen_2.customer alter customer_id type varchar(255) collate \"C\";
         begin;
         update tidemark.generation set state = 'retired' where id = 1;
         insert into tidemark.generation (id, fold_version, layout_version, topic, partitions, partitioner, state)
         select 2, fold_version, layout_version, topic, partitions, partitioner, 'active'
         from tidemark.generation where id = 1;
         commit;",
    );
    world
        .database
        .pool
        .execute(AssertSqlSafe(script))
        .await
        .unwrap();
}

#[tokio::test]
async fn new_generation_is_read_at_once_and_cached_responses_follow() {
    let world = shop::open().await;
    let mut one_connection = config(&world.database.url);
    one_connection.connections = 1;
    let api = Api::with(one_connection).await;
    let paths = [
        "/v1/customers",
        "/v1/customers?segment=buyers",
        "/v1/customers/ann",
        "/v1/status",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(api.get("acme", path).await);
    }
    promote_another(&world).await;
    // Never cached: the first is audited, the second shows positions.
    for path in ["/v1/customers/ann", "/v1/status"] {
        let after = api.get("acme", path).await;
        assert_eq!(after.headers["tidemark-generation"], "2");
    }
    for (path, before) in paths.into_iter().zip(before) {
        assert_eq!(before.headers["tidemark-generation"], "1");
        let after = wait_for(Duration::from_secs(30), path, async || {
            let after = api.get("acme", path).await;
            assert_eq!(after.status, 200, "{path}: {}", after.body);
            match after.headers["tidemark-generation"].to_str().unwrap() {
                "2" => Ok(after),
                other => Err(format!("the response is of generation {other}")),
            }
        })
        .await;
        if path != "/v1/status" {
            assert_eq!(after.body, before.body);
        }
    }
}

#[tokio::test]
async fn lost_connections_are_replaced_without_an_error() {
    let world = shop::open().await;
    let mut one_connection = config(&world.database.url);
    one_connection.connections = 1;
    let api = Api::with(one_connection).await;
    for _ in 0..3 {
        api.ok("acme", "/v1/customers/ann").await;
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where application_name = 'tidemark-api' and datname = current_database()",
        )
        .execute(&world.database.pool)
        .await
        .unwrap();
    }
    api.ok("acme", "/v1/customers/ann").await;
}

#[tokio::test]
async fn other_fold_version_is_rejected() {
    let world = shop::open().await;
    let api = Api::over(&world).await;
    sqlx::query("update tidemark.generation set fold_version = fold_version + 1")
        .execute(&world.database.pool)
        .await
        .unwrap();
    let answer = api.get("acme", "/v1/customers/ann").await;
    assert_eq!(answer.status, 503);
    assert_eq!(api.get("acme", "/v1/customers").await.status, 200);
}

#[tokio::test]
async fn a_generation_of_another_layout_is_refused() {
    let world = shop::open().await;
    let api = Api::over(&world).await;
    sqlx::query("update tidemark.generation set layout_version = layout_version - 1")
        .execute(&world.database.pool)
        .await
        .unwrap();
    for path in ["/v1/customers/ann", "/v1/customers", "/v1/segments"] {
        assert_eq!(api.get("acme", path).await.status, 503, "{path}");
    }
}

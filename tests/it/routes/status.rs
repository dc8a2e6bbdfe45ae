//! `GET /v1/status` and `GET /readyz`.

use std::time::Duration;

use super::client::{Api, config};
use super::shop;
use super::world::World;
use crate::support::postgres::Database;

#[tokio::test]
async fn status_tells_positions_and_totals() {
    let mut world = shop::open().await;
    world.park("acme", 0, 3, "invalid");
    world.park("acme", 1, 4, "late");
    world.park("acme", 1, 5, "late");
    world.commit(shop::NOW).await;
    let api = Api::over(&world).await;
    insta::assert_json_snapshot!(api.ok("acme", "/v1/status").await);
}

#[tokio::test]
async fn without_a_generation_nothing_is_ready() {
    let database = Database::fresh().await;
    let api = Api::with(config(&database.url)).await;
    for path in ["/readyz", "/v1/customers"] {
        let answer = api.get("acme", path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.body["detail"], "no generation is active yet");
    }
}

#[tokio::test]
async fn before_the_first_clock_there_is_no_staleness() {
    let world = World::new().await; // every partition claimed, nothing read
    let answer = Api::over(&world).await.get("acme", "/readyz").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.body["staleness_seconds"].is_null(),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn readiness_may_ask_for_freshness() {
    let world = shop::open().await;
    let answer = Api::over(&world).await.get("acme", "/readyz").await;
    assert_eq!(
        (answer.status, &answer.body["generation"]),
        (200, &1.into())
    );
    let mut strict = config(&world.database.url);
    strict.limits.ready_staleness = Some(Duration::from_mins(1));
    let answer = Api::with(strict).await.get("acme", "/readyz").await;
    assert_eq!(answer.status, 503); // the shop's clock stands in 2024
}

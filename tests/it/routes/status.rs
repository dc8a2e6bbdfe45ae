//! `GET /v1/status` and `GET /readyz`.

use std::time::Duration;

use serde_json::Value;
use tidemark_processor::parking::Reason;
use tidemark_schemas::Instant;

use super::client::{Api, config};
use super::shop;
use super::world::World;
use crate::support::postgres::Database;

#[tokio::test]
async fn status_returns_positions_and_totals() {
    let mut world = shop::open().await;
    world.park("acme", 0, 3, Reason::Invalid);
    world.park("acme", 1, 4, Reason::Late);
    world.park("acme", 1, 5, Reason::Late);
    world.commit(shop::NOW).await;
    let api = Api::over(&world).await;
    let mut status = api.ok("acme", "/v1/status").await;
    // The instants are those of the test.
    let begun = world_clock(&mut status["lag_as_of"]);
    for partition in status["partitions"].as_array_mut().unwrap() {
        assert!(world_clock(&mut partition["log_end_as_of"]) >= begun);
        assert!(world_clock(&mut partition["seen_at"]) >= begun);
    }
    insta::assert_json_snapshot!(status);
}

/// Returns an instant of a response, and leaves a placeholder in its place.
fn world_clock(value: &mut Value) -> Instant {
    let instant = value.as_str().unwrap().parse().unwrap();
    *value = "an instant".into();
    instant
}

#[tokio::test]
async fn readiness_without_a_generation_is_503() {
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
async fn staleness_is_absent_before_the_first_clock() {
    let world = World::new().await; // every partition is claimed, none has read a record
    let answer = Api::over(&world).await.get("acme", "/readyz").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.body["staleness_seconds"].is_null(),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn readiness_can_require_freshness() {
    let world = shop::open().await;
    let answer = Api::over(&world).await.get("acme", "/readyz").await;
    assert_eq!(
        (answer.status, &answer.body["generation"]),
        (200, &1.into())
    );
    let mut strict = config(&world.database.url);
    strict.limits.ready_staleness = Some(Duration::from_mins(1));
    let answer = Api::with(strict).await.get("acme", "/readyz").await;
    assert_eq!(answer.status, 503); // the shop's clock is in 2024
}

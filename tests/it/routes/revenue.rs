//! `GET /v1/revenue`.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Api;
use super::shop;
use super::world::World;
use crate::support::wait::wait_for;

fn order(id: &str, minor: i64, currency: &str) -> Value {
    json!({ "type": "order_placed", "order_id": id, "amount_minor": minor, "currency": currency })
}

fn refund(id: &str, minor: i64, currency: &str) -> Value {
    json!({ "type": "order_refunded", "order_id": id, "amount_minor": minor, "currency": currency })
}

/// Creates the shop of a tenant with a commission of an eighth and a rate for dollars but not for
/// yen, with orders of two customers.
async fn sold() -> World {
    let mut world = World::new().await;
    let definitions = shop::definitions("acme").replace(
        "currency: EUR",
        "currency: EUR\n  rates: { USD: \"0.5\" }\n  commission: 12.5%",
    );
    world.define(1, &definitions).await;
    let mut number = 0;
    let mut fold = |customer: &str, at: &str, payload: &Value| {
        number += 1;
        world.fold(("acme", customer), number, at, payload);
    };
    fold("ann", "2024-06-03T10:00:00Z", &order("a1", 10_000, "EUR"));
    // Late in the evening, which is the next day in Berlin.
    fold("ann", "2024-06-04T22:30:00Z", &order("a2", 401, "USD"));
    fold("bob", "2024-06-05T08:00:00Z", &order("b1", 700, "JPY"));
    // A newer version of the first order, its refund, and the refund of an unknown order.
    fold("ann", "2024-06-10T10:00:00Z", &order("a1", 9_000, "EUR"));
    fold("ann", "2024-06-11T10:00:00Z", &refund("a1", 1_000, "EUR"));
    fold("bob", "2024-06-11T10:00:00Z", &refund("b9", 100, "EUR"));
    world.commit(shop::NOW).await;
    world
}

#[tokio::test]
async fn revenue_is_returned_by_period() {
    let api = Api::over(&sold().await).await;
    let weeks = "/v1/revenue?from=2024-06-03&to=2024-06-16&by=week";
    insta::assert_json_snapshot!("revenue", api.ok("acme", weeks).await);
    let days = api.ok("acme", "/v1/revenue").await;
    assert_eq!(days["items"].as_array().unwrap().len(), 30);
    assert_eq!(days["items"][29]["to"], "2024-06-30");
    assert_eq!(days["total"]["orders"], 3);
    let before = "/v1/revenue?from=2023-01-01&to=2023-12-31&by=month";
    let before = api.ok("acme", before).await;
    assert_eq!(before["items"].as_array().unwrap().len(), 12);
    assert_eq!(before["total"]["currencies"], json!({}));
}

/// The clock of the shop is at 2024-06-30.
#[tokio::test]
async fn days_to_come_and_ranges_that_end_before_today_unasked_are_not_answered() {
    let api = Api::over(&sold().await).await;
    let month = "from=2024-06-29&to=2024-07-31";
    let revenue = api.ok("acme", &format!("/v1/revenue?{month}")).await;
    assert_eq!(revenue["items"].as_array().unwrap().len(), 2);
    let series = api.ok("acme", &format!("/v1/series?{month}")).await;
    assert_eq!(series["items"].as_array().unwrap().len(), 2);
    for route in ["conversations", "campaigns", "journeys/sales/stages"] {
        let told = api.ok("acme", &format!("/v1/{route}?{month}")).await;
        assert_eq!(told["to"], "2024-06-30", "{route}");
    }
    for route in [
        "revenue",
        "series",
        "segments/buyers/series",
        "conversations",
        "campaigns",
        "journeys/sales/stages",
        "journeys/sales/flows",
        "journeys/sales/bottlenecks",
    ] {
        let future = api
            .get("acme", &format!("/v1/{route}?from=2024-07-01"))
            .await;
        assert_eq!(future.status, 422, "{route}: {}", future.body);
        assert_eq!(future.body["parameter"], "from", "{route}");
        if !route.starts_with("journeys") {
            let long = api
                .get("acme", &format!("/v1/{route}?from=2000-01-01"))
                .await;
            assert_eq!(long.status, 422, "{route}: {}", long.body);
            assert_eq!(long.body["parameter"], "from", "{route}");
        }
    }
}

#[tokio::test]
async fn cached_response_is_invalidated_when_a_rollup_changes() {
    let mut world = sold().await;
    let api = Api::over(&world).await;
    let ask = "/v1/revenue?from=2024-06-01&to=2024-06-30";
    assert_eq!(api.ok("acme", ask).await["total"]["orders"], 3);
    world.fold(
        ("acme", "eve"),
        100,
        "2024-06-20T10:00:00Z",
        &order("e1", 1, "EUR"),
    );
    world.commit(shop::NOW).await;
    // Sooner than the maximum age of the cache.
    wait_for(Duration::from_secs(10), "the fourth order", async || {
        match api.ok("acme", ask).await["total"]["orders"].clone() {
            Value::Number(orders) if orders == 4.into() => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn invalid_parameters_are_named() {
    let api = Api::over(&shop::open().await).await;
    for (query, status, parameter) in [
        ("from=2024-02-30", 400, "from"),
        ("to=tomorrow", 400, "to"),
        ("from=2024-02-03&to=2024-02-01", 422, "from"),
        ("from=2000-01-01&to=2024-02-01", 422, "from"),
        ("by=year", 422, "by"),
    ] {
        let answer = api.get("acme", &format!("/v1/revenue?{query}")).await;
        assert_eq!(
            (answer.status, &answer.body["parameter"]),
            (status, &json!(parameter))
        );
    }
    let nobody = api.ok("nobody", "/v1/revenue").await;
    assert_eq!(
        (&nobody["currency"], &nobody["items"]),
        (&Value::Null, &json!([]))
    );
}

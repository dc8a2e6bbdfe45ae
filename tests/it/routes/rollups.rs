//! `GET /v1/conversations`, `/v1/campaigns`, `/v1/series` and `/v1/segments/{name}/series`.

use serde_json::{Value, json};

use super::client::Api;
use super::shop;
use super::world::World;

fn message(direction: &str, more: &Value) -> Value {
    let mut message = json!({
        "type": "message_exchanged", "conversation_id": "k", "channel": "chat",
        "direction": direction,
    });
    for (name, value) in more.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

fn touch(campaign: &str, channel: &str, cost_minor: i64) -> Value {
    json!({ "type": "campaign_touched", "campaign": campaign, "channel": channel,
            "cost_minor": cost_minor, "currency": "EUR" })
}

fn order(id: &str, minor: i64) -> Value {
    json!({ "type": "order_placed", "order_id": id, "amount_minor": minor, "currency": "EUR" })
}

/// Creates the shop with two agents and two campaigns.
async fn busy() -> World {
    let mut world = shop::open().await;
    let mut number = 500;
    let mut fold = |customer: &str, at: &str, payload: &Value| {
        number += 1;
        world.fold(("acme", customer), number, at, payload);
    };
    let kim = |more: Value| {
        let mut more = more;
        more["agent"] = "kim".into();
        more
    };
    let asks = json!({ "agent": "kim", "sentiment": -0.5, "intent": "refund" });
    fold("dee", "2024-06-03T08:00:00Z", &message("inbound", &asks));
    for response_ms in [100, 200, 60_000] {
        let answer = kim(json!({ "response_ms": response_ms, "sentiment": 0.75 }));
        fold("dee", "2024-06-03T09:00:00Z", &message("outbound", &answer));
    }
    let by_mail = json!({ "agent": "lee", "channel": "email" });
    fold("dee", "2024-06-05T08:00:00Z", &message("inbound", &by_mail));
    let closed = json!({ "type": "conversation_closed", "conversation_id": "k",
                         "outcome": "converted", "agent": "kim" });
    fold("dee", "2024-06-05T09:00:00Z", &closed);
    // Three touches before an order of 35 euros.
    for (day, campaign, channel, cost_minor) in [
        (11, "spring", "email", 100),
        (15, "spring", "post", 250),
        (19, "summer", "email", 0),
    ] {
        let at = format!("2024-06-{day}T08:00:00Z");
        fold("fay", &at, &touch(campaign, channel, cost_minor));
    }
    fold("fay", "2024-06-20T08:00:00Z", &order("f1", 3_500));
    // One customer without orders, and one with an earlier order.
    for customer in ["eve", "ann"] {
        fold(
            customer,
            "2024-06-25T08:00:00Z",
            &touch("summer", "email", 0),
        );
    }
    world.commit(shop::NOW).await;
    world
}

#[tokio::test]
async fn conversations_are_returned_by_agent_channel_and_day() {
    let api = Api::over(&busy().await).await;
    let ask = "/v1/conversations?from=2024-06-01&to=2024-06-30";
    insta::assert_json_snapshot!("conversations", api.ok("acme", ask).await);
    for (by, keys) in [
        ("channel", vec![Value::Null, "chat".into(), "email".into()]),
        (
            "day",
            vec![
                "2024-06-03".into(),
                "2024-06-04".into(),
                "2024-06-05".into(),
            ],
        ),
    ] {
        let told = api.ok("acme", &format!("{ask}&by={by}")).await;
        let items = told["items"].as_array().unwrap();
        let found: Vec<_> = items.iter().map(|item| item["key"].clone()).collect();
        assert_eq!(found, keys);
        let inbound = items
            .iter()
            .map(|item| item["said"]["inbound"].as_i64().unwrap());
        assert_eq!(
            inbound.sum::<i64>(),
            told["total"]["inbound"].as_i64().unwrap()
        );
    }
    let wrong = api.get("acme", "/v1/conversations?by=hour").await;
    assert_eq!(
        (wrong.status, &wrong.body["parameter"]),
        (422, &json!("by"))
    );
}

#[tokio::test]
async fn campaigns_are_returned_with_their_credits() {
    let mut world = busy().await;
    let api = Api::over(&world).await;
    let ask = "/v1/campaigns?from=2024-06-01&to=2024-06-30";
    let told = api.ok("acme", ask).await;
    insta::assert_json_snapshot!("campaigns", told);
    let credited = |told: &Value, model: &str| {
        let items = told["items"].as_array().unwrap().iter();
        let credits = items.map(|item| item["credited_minor"][model].as_i64().unwrap());
        credits.sum::<i64>()
    };
    for model in ["first", "last", "linear", "position_based"] {
        assert_eq!(credited(&told, model), 3_500, "the whole order, by {model}");
    }
    // A refund takes its credit back, and a late order is credited like any other.
    let refund = json!({ "type": "order_refunded", "order_id": "f1", "amount_minor": 500,
                         "currency": "EUR" });
    world.fold(("acme", "fay"), 900, "2024-06-21T08:00:00Z", &refund);
    let late = order("f2", 1_000);
    world.fold(("acme", "fay"), 901, "2024-06-12T08:00:00Z", &late);
    world.commit(shop::NOW).await;
    let told = Api::over(&world).await.ok("acme", ask).await;
    for model in ["first", "last", "linear", "position_based"] {
        assert_eq!(credited(&told, model), 4_000, "{model}");
    }
}

#[tokio::test]
async fn sizes_and_main_rollups_are_returned_by_day() {
    let api = Api::over(&busy().await).await;
    let days = "from=2024-06-01&to=2024-06-04";
    let buyers = api
        .ok("acme", &format!("/v1/segments/buyers/series?{days}"))
        .await;
    insta::assert_json_snapshot!("segment_series", buyers);
    let series = api.ok("acme", &format!("/v1/series?{days}")).await;
    insta::assert_json_snapshot!("series", series);
    // The last day shows the current state.
    let now = api.ok("acme", "/v1/segments/buyers/series").await;
    let items = now["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[29]["size"]), (30, &json!(4)));
    let segments = api.ok("acme", "/v1/segments").await;
    assert_eq!(segments["items"][1]["size"], 4, "{segments}");
    let unknown = api.get("acme", "/v1/segments/nobody/series").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn undefined_tenant_has_no_rollups() {
    let api = Api::over(&World::new().await).await;
    for path in [
        "/v1/revenue",
        "/v1/conversations",
        "/v1/campaigns",
        "/v1/series",
    ] {
        assert_eq!(api.ok("acme", path).await["items"], json!([]), "{path}");
    }
}

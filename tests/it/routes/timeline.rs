//! `GET /v1/customers/{id}/timeline`.

use serde_json::{Value, json};
use tidemark_api::auth::Role;

use super::client::{Api, token};
use super::shop;

async fn timeline(api: &Api, query: &str) -> Vec<Value> {
    let body = api.ok("acme", &format!("/v1/customers/{query}")).await;
    assert_eq!(body["next"], Value::Null, "the last page");
    body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn timeline_shows_events_and_changes_newest_first() {
    let api = Api::over(&shop::open().await).await;
    for id in ["ann", "eve"] {
        let body = api
            .ok("acme", &format!("/v1/customers/{id}/timeline"))
            .await;
        insta::assert_json_snapshot!(id, body);
    }
}

#[tokio::test]
async fn timeline_pages_equal_the_whole_timeline() {
    let api = Api::over(&shop::open().await).await;
    for (query, kinds) in [
        ("", ""),
        ("?kind=order,segment,band", "&kind=order,segment,band"),
    ] {
        let whole = timeline(&api, &format!("ann/timeline{query}")).await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/customers/ann/timeline?limit=1{kinds}{cursor}");
            let page = api.ok("acme", &path).await;
            seen.extend(page["items"].as_array().unwrap().iter().cloned());
            assert!(seen.len() <= whole.len());
            let Some(next) = page["next"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, whole);
    }
}

#[tokio::test]
async fn timeline_filters_by_kind() {
    let api = Api::over(&shop::open().await).await;
    let kinds = |items: Vec<Value>| -> Vec<String> {
        let kinds = items
            .iter()
            .map(|item| item["kind"].as_str().unwrap().to_owned());
        kinds.collect()
    };
    let asked = timeline(&api, "ann/timeline?kind=order,segment").await;
    assert_eq!(kinds(asked), ["order", "order", "segment", "order"]);
    let asked = timeline(&api, "bob/timeline?kind=segment").await;
    let entered = json!({ "from": null, "to": "at_risk", "cause": "timer", "definitions": 1 });
    assert_eq!(asked[0]["concluded"], entered);
    assert_eq!(asked[0]["event_id"], Value::Null);
    assert_eq!(asked[1]["concluded"]["cause"], "event");
    assert_eq!(asked[1]["event_id"], "00000000-0000-4000-8000-000000000006");

    for (wrong, status) in [
        ("?kind=orders", 422),
        ("?kind=", 422),
        ("?limit=0", 422),
        ("?cursor=x", 400),
        ("?kinds=order", 400),
    ] {
        let answer = api
            .get("acme", &format!("/v1/customers/ann/timeline{wrong}"))
            .await;
        assert_eq!(answer.status, status, "{wrong}");
    }
    let nobody = api.get("acme", "/v1/customers/zoe/timeline").await;
    assert_eq!(nobody.status, 404);
    // The cursor of one customer is invalid for another.
    let page = api.ok("acme", "/v1/customers/ann/timeline?limit=1").await;
    let cursor = page["next"].as_str().unwrap();
    let path = format!("/v1/customers/bob/timeline?cursor={cursor}");
    assert_eq!(api.get("acme", &path).await.status, 422);
}

#[tokio::test]
async fn timeline_contains_no_personal_attribute() {
    let api = Api::over(&shop::open().await).await;
    let viewer = token("acme", Role::Viewer);
    let seen = api.get_as(&viewer, "/v1/customers/ann/timeline").await;
    assert_eq!(
        seen.body,
        api.ok("acme", "/v1/customers/ann/timeline").await
    );
    assert!(!seen.body.to_string().contains("ann@"));
}

//! `GET /v1/customers/{id}`.

use serde_json::{Value, json};
use sqlx::Row;
use tidemark_api::auth::Role;

use super::client::{Api, token};
use super::shop;
use super::world::World;

#[tokio::test]
async fn everything_about_one_customer() {
    let api = Api::over(&shop::open().await).await;
    for id in ["ann", "bob", "eve"] {
        let body = api.ok("acme", &format!("/v1/customers/{id}")).await;
        insta::assert_json_snapshot!(id, body);
    }
}

#[tokio::test]
async fn answers_say_how_fresh_they_are() {
    let api = Api::over(&shop::open().await).await;
    let answer = api.get("acme", "/v1/customers/ann").await;
    assert_eq!(answer.headers["tidemark-generation"], "1");
    assert_eq!(answer.headers["tidemark-watermark"], "2024-06-30T00:00:00Z");
    assert_eq!(answer.headers["tidemark-lag"], "3");
    assert_eq!(answer.headers["tidemark-definitions"], "1");
    assert_eq!(answer.headers["x-request-id"], "the-request");
    assert_eq!(answer.body["as_of"], "2024-06-30T00:00:00Z");
}

#[tokio::test]
async fn who_is_not_there_is_not_found() {
    let api = Api::over(&shop::open().await).await;
    let answer = api.get("acme", "/v1/customers/zoe%2F1").await;
    assert_eq!(answer.status, 404);
    insta::assert_json_snapshot!(answer.body);
}

async fn audited(world: &World) -> Vec<Value> {
    let rows = sqlx::query(
        "select tenant_id, subject, role, action, target, request_id
                            from tidemark.audit order by id",
    );
    let rows = rows.fetch_all(&world.database.pool).await.unwrap();
    let texts =
        |row: &sqlx::postgres::PgRow| (0..6).map(|column| row.get::<String, _>(column)).collect();
    rows.iter().map(texts).collect()
}

#[tokio::test]
async fn viewers_see_no_personal_attribute_and_others_leave_a_trace() {
    let world = shop::open().await;
    let api = Api::over(&world).await;
    let viewed = api
        .get_as(&token("acme", Role::Viewer), "/v1/customers/ann")
        .await;
    assert_eq!(viewed.body["attributes"], json!({ "plan": "pro" }));
    assert_eq!(viewed.body["masked_attributes"], json!(["email"]));
    assert!(!viewed.body.to_string().contains("ann@"));
    assert_eq!(audited(&world).await, Vec::<Value>::new());

    for role in [Role::Analyst, Role::Admin] {
        let seen = api.get_as(&token("acme", role), "/v1/customers/ann").await;
        assert_eq!(seen.body["attributes"]["email"], "ann@acme.example");
        assert_eq!(seen.body["masked_attributes"], json!([]));
    }
    // Bob has no personal attribute: reading him is nobody's concern.
    api.ok("acme", "/v1/customers/bob").await;
    let trace = |role| {
        json!([
            "acme",
            "ada",
            role,
            "customer.personal_attributes",
            "ann",
            "the-request"
        ])
    };
    assert_eq!(audited(&world).await, [trace("analyst"), trace("admin")]);
}

#[tokio::test]
async fn an_attribute_is_hidden_from_the_moment_it_is_declared_personal() {
    let mut world = shop::open().await;
    let api = Api::over(&world).await;
    let definitions =
        shop::definitions("acme").replace("email: { personal: true }", "plan: { personal: true }");
    // No partition has the new definitions in force yet.
    world.record_definitions(2, &definitions).await;
    let viewed = api
        .get_as(&token("acme", Role::Viewer), "/v1/customers/ann")
        .await;
    assert_eq!(viewed.body["attributes"], json!({}));
    assert_eq!(viewed.body["masked_attributes"], json!(["email", "plan"]));
}

/// Time alone moves customers; where the processor was stopped between two clocks, the API takes
/// the same steps.
#[tokio::test]
async fn what_time_changed_is_seen_at_the_clock() {
    let mut world = shop::open().await;
    let api = Api::over(&world).await;
    let before = api.ok("acme", "/v1/customers/ann").await;
    assert_eq!(before["churn"]["band"], "low");
    world.commit_without_timers("2025-06-30T00:00:00Z").await;
    let after = api.ok("acme", "/v1/customers/ann").await;
    assert_eq!(after["as_of"], "2025-06-30T00:00:00Z");
    assert_eq!(after["churn"]["band"], "high");
    let at_risk = &after["segments"][0];
    assert_eq!(at_risk["name"], "at_risk");
    let since = at_risk["since"].as_str().unwrap();
    assert!(("2024-06-30".."2025-06-30").contains(&since), "{since}");
}

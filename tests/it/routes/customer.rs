//! `GET /v1/customers/{id}`.

use serde_json::{Value, json};
use sqlx::Row;
use tidemark_api::auth::Role;

use super::client::{Api, token};
use super::shop;
use super::world::{World, at};

#[tokio::test]
async fn customer_page_shows_every_field() {
    let api = Api::over(&shop::open().await).await;
    for id in ["ann", "bob", "eve"] {
        let body = api.ok("acme", &format!("/v1/customers/{id}")).await;
        insta::assert_json_snapshot!(id, body);
    }
}

#[tokio::test]
async fn responses_carry_their_freshness() {
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
async fn unknown_customer_is_not_found() {
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
async fn personal_attributes_are_hidden_from_viewers_and_audited_for_others() {
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
    // Bob has no personal attribute, so that reading him is not audited.
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
async fn attribute_is_hidden_once_it_is_declared_personal() {
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

/// Asserts that the API steps a customer to the clock, as the processor does, when time passed
/// between two commits.
#[tokio::test]
async fn customer_page_includes_changes_of_time_up_to_the_clock() {
    let mut world = shop::open().await;
    let api = Api::over(&world).await;
    let before = api.ok("acme", "/v1/customers/ann").await;
    assert_eq!(before["churn"]["band"], "low");
    world.commit_at("2025-06-30T00:00:00Z", shop::NOW).await;
    let answer = api.get("acme", "/v1/customers/ann").await;
    // Lists and sizes are not as of the clock while timers are due.
    assert_eq!(answer.headers["tidemark-watermark"], "2024-06-30T00:00:00Z");
    let after = answer.body;
    assert_eq!(after["as_of"], "2025-06-30T00:00:00Z");
    assert_eq!(after["churn"]["band"], "high");
    let at_risk = &after["segments"][0];
    assert_eq!(at_risk["name"], "at_risk");
    let since = at_risk["since"].as_str().unwrap();
    assert!(("2024-06-30".."2025-06-30").contains(&since), "{since}");
}

async fn why(api: &Api, customer: &str, segment: &str) -> Value {
    let path = format!("/v1/customers/{customer}/segments/{segment}");
    api.ok("acme", &path).await
}

#[tokio::test]
async fn why_explains_a_membership_condition_by_condition() {
    let api = Api::over(&shop::open().await).await;
    let bob = why(&api, "bob", "at_risk").await;
    assert_eq!(bob["as_of"], shop::NOW);
    assert_eq!(bob["definitions"], 1);
    assert_eq!(bob["backfilling"], Value::Null);
    let explanation = &bob["explanation"];
    assert_eq!(explanation["member"], true);
    assert_eq!(
        explanation["changes_at"],
        Value::Null,
        "Bob is a member again later"
    );
    assert_eq!(explanation["why"]["kind"], "churn");
    assert_eq!(explanation["why"]["asked"], json!({ "band": "high" }));
    let found = &explanation["why"]["found"];
    assert_eq!(found["band"], "high");
    assert_eq!(found["model"], "mbg_nbd/shipped-cdnow");

    let bought = why(&api, "ann", "buyers").await;
    let found = &bought["explanation"]["why"]["found"];
    assert_eq!(found["count"], 3);
    assert_eq!(found["revenue_minor"], 7_000);
    assert_eq!(found["events"].as_array().unwrap().len(), 3);
    for missing in [
        "/v1/customers/ann/segments/byers",
        "/v1/customers/zoe/segments/buyers",
    ] {
        assert_eq!(api.get("acme", missing).await.status, 404);
    }
}

/// Asserts that a change with an announced instant occurs at that instant and not before.
#[tokio::test]
async fn why_names_the_instant_of_the_next_change() {
    let mut world = shop::open().await;
    // Another API each time, with an empty cache.
    let ann = why(&Api::over(&world).await, "ann", "at_risk").await;
    assert_eq!(ann["explanation"]["member"], false);
    let changes_at = ann["explanation"]["changes_at"].as_str().unwrap();
    let before = at(changes_at).plus_micros(-1).to_string();
    world.commit(&before).await;
    let then = why(&Api::over(&world).await, "ann", "at_risk").await;
    assert_eq!(then["as_of"], before);
    assert_eq!(then["explanation"]["member"], false);
    world.commit(changes_at).await;
    let then = why(&Api::over(&world).await, "ann", "at_risk").await;
    assert_eq!(then["explanation"]["member"], true);
    assert_eq!(then["explanation"]["since"], changes_at);
}

#[tokio::test]
async fn why_hides_personal_values_from_viewers_and_audits_others() {
    let segment = "segments:
  - name: employees
    when: { attribute: { name: email, ends_with: '@acme.example' } }";
    let definitions = shop::definitions("acme").replace("segments:", segment);
    let mut world = World::new().await;
    world.define(1, &definitions).await;
    shop::fill(&mut world, "acme", 0);
    world.commit(shop::NOW).await;
    let api = Api::over(&world).await;
    let path = "/v1/customers/ann/segments/employees";
    let viewed = api.get_as(&token("acme", Role::Viewer), path).await;
    assert_eq!(viewed.status, 403);
    assert!(!viewed.body.to_string().contains("ann@"));
    // Orders are not personal, so that reading them is not audited.
    why(&api, "ann", "buyers").await;
    assert_eq!(audited(&world).await, Vec::<Value>::new());

    let seen = api.get_as(&token("acme", Role::Analyst), path).await;
    let found = &seen.body["explanation"]["why"]["found"];
    assert_eq!(found["value"], "ann@acme.example");
    let (action, request) = ("customer.personal_attributes", "the-request");
    let trace = json!(["acme", "ada", "analyst", action, "ann", request]);
    assert_eq!(audited(&world).await, [trace]);
}

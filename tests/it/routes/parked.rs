//! `GET /v1/parked/summary`.

use serde_json::json;
use tidemark_api::auth::Role;
use tidemark_processor::parking::Reason;

use super::client::{Api, token};
use super::shop;

#[tokio::test]
async fn parked_events_are_counted_by_source_reason_and_day_for_their_tenant_alone() {
    // Given parked events of two tenants
    let mut world = shop::open().await;
    world.park("acme", 0, 3, Reason::Invalid);
    for offset in 4..9 {
        world.park("acme", 1, offset, Reason::Undecodable);
    }
    world.park("globex", 1, 9, Reason::Invalid);
    world.commit(shop::NOW).await;
    let api = Api::over(&world).await;

    // When an analyst reads the summary, then it counts those of the tenant, with the first three
    let summary = api.ok("acme", "/v1/parked/summary").await;
    let items = summary["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{summary}");
    assert_eq!(items[0]["events"], 5);
    assert_eq!(items[0]["reason"], "undecodable");
    assert_eq!(items[0]["day"], "2024-01-01");
    let examples = items[0]["examples"].as_array().unwrap();
    let offsets: Vec<_> = examples.iter().map(|example| &example["offset"]).collect();
    assert_eq!(json!(offsets), json!([4, 5, 6]));
    assert_eq!(items[1]["examples"][0]["detail"], "a test");

    // And events of a source that has none parked are none
    let of_a_source = api.ok("acme", "/v1/parked/summary?source=hubspot").await;
    assert_eq!(of_a_source["items"], json!([]));

    // And a viewer does not see details, which may quote personal attributes
    let viewer = token("acme", Role::Viewer);
    let masked = api.get_as(&viewer, "/v1/parked/summary").await;
    assert_eq!(
        masked.body["items"][1]["examples"][0]["detail"],
        json!(null)
    );
}

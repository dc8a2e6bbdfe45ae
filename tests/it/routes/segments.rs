//! `GET /v1/segments` and `GET /v1/segments/{name}/members`.

use std::time::Duration;

use serde_json::Value;
use tidemark_processor::store::Reevaluation;

use super::client::Api;
use super::shop;
use super::world::{World, at, tenant};
use crate::support::wait::wait_for;

#[tokio::test]
async fn segments_are_returned_with_sizes_and_members() {
    let api = Api::over(&shop::open().await).await;
    insta::assert_json_snapshot!("segments", api.ok("acme", "/v1/segments").await);
    let members = api.ok("acme", "/v1/segments/buyers/members?limit=2").await;
    assert!(members["next"].is_string());
    insta::assert_json_snapshot!("members", members["items"]);
    let (ids, pages) = api.ids("acme", "/v1/segments/buyers/members?limit=2").await;
    assert_eq!(
        (ids, pages),
        (vec!["ann".into(), "bob".into(), "dee".into()], 2)
    );
}

#[tokio::test]
async fn unknown_segment_is_not_found() {
    let api = Api::over(&shop::open().await).await;
    for name in ["nobody", "buyers%00", "%27"] {
        let answer = api
            .get("acme", &format!("/v1/segments/{name}/members"))
            .await;
        assert_eq!(answer.status, 404);
        assert_eq!(
            answer.body["type"],
            "urn:tidemark:problem:segment-not-found"
        );
    }
}

#[tokio::test]
async fn undefined_tenant_has_no_segments() {
    let api = Api::over(&World::new().await).await;
    for path in ["/v1/customers", "/v1/segments", "/v1/journeys"] {
        let answer = api.get("acme", path).await;
        assert_eq!(
            (answer.status, &answer.body["items"]),
            (200, &Value::Array(Vec::new()))
        );
        assert!(answer.headers.get("tidemark-definitions").is_none());
        // No partition has read a record yet, so that no watermark is known.
        assert!(answer.headers.get("tidemark-watermark").is_none());
    }
}

#[tokio::test]
async fn redefinition_shows_its_progress() {
    let mut world = shop::open().await;
    let api = Api::over(&world).await;
    let definitions = shop::definitions("acme").replace("gte: 1", "gte: 3");
    world.record_definitions(7, &definitions).await;
    let progress = |evaluated, done| Reevaluation {
        tenant: tenant("acme"),
        version: 7,
        activated_at: at(shop::NOW),
        cursor: None,
        evaluated,
        done,
    };
    world.begin_reevaluation(0, progress(1, false)).await;
    let body = api.ok("acme", "/v1/segments").await;
    assert_eq!(body["items"][0]["version"], 7);
    insta::assert_json_snapshot!(body["evaluation"]);
    for partition in 0..3 {
        world.begin_reevaluation(partition, progress(1, true)).await;
    }
    // A cached response may be a second old.
    wait_for(Duration::from_mins(1), "the end of it", async || {
        let evaluation = api.ok("acme", "/v1/segments").await["evaluation"].take();
        evaluation
            .is_null()
            .then_some(())
            .ok_or_else(|| evaluation.to_string())
    })
    .await;
    assert_eq!(
        api.ok("acme", "/v1/status").await["evaluation"],
        Value::Null
    );
}

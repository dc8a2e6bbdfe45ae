//! `GET /v1/journeys` and `GET /v1/journeys/{name}/stages`.

use super::client::Api;
use super::shop;

#[tokio::test]
async fn stages_come_in_order_with_their_counts() {
    let api = Api::over(&shop::open().await).await;
    insta::assert_json_snapshot!("journeys", api.ok("acme", "/v1/journeys").await);
    insta::assert_json_snapshot!("stages", api.ok("acme", "/v1/journeys/sales/stages").await);
}

#[tokio::test]
async fn an_unknown_journey_is_not_found() {
    let api = Api::over(&shop::open().await).await;
    let answer = api.get("acme", "/v1/journeys/sale/stages").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.body["type"],
        "urn:tidemark:problem:journey-not-found"
    );
}

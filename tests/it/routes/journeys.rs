//! `GET /v1/journeys` and the routes below it.

use super::client::Api;
use super::shop;

#[tokio::test]
async fn stages_are_in_order_with_their_counts() {
    let api = Api::over(&shop::open().await).await;
    insta::assert_json_snapshot!("journeys", api.ok("acme", "/v1/journeys").await);
    insta::assert_json_snapshot!("stages", api.ok("acme", "/v1/journeys/sales/stages").await);
}

#[tokio::test]
async fn flows_and_bottlenecks_are_returned() {
    let api = Api::over(&shop::open().await).await;
    insta::assert_json_snapshot!("flows", api.ok("acme", "/v1/journeys/sales/flows").await);
    let bottlenecks = api.ok("acme", "/v1/journeys/sales/bottlenecks").await;
    insta::assert_json_snapshot!("bottlenecks", bottlenecks);
}

/// Cem, Dee and Eve became leads on the first three days of June; Eve started a trial on the
/// fourth.
#[tokio::test]
async fn date_range_selects_moves_and_first_entries() {
    let api = Api::over(&shop::open().await).await;
    let entered = async |days: &str| {
        let path = format!("/v1/journeys/sales/stages?{days}");
        let body = api.ok("acme", &path).await;
        let stage = &body["stages"][0];
        [&stage["entered"], &stage["advanced"], &stage["customers"]]
            .map(|count| count.as_i64().unwrap())
    };
    assert_eq!(entered("to=2024-06-02").await, [2, 0, 2]);
    assert_eq!(entered("from=2024-06-03").await, [1, 1, 2]);
    assert_eq!(entered("from=2024-06-04&to=2024-06-05").await, [0, 0, 2]);
    let moves = async |days: &str| {
        let body = api
            .ok("acme", &format!("/v1/journeys/sales/flows?{days}"))
            .await;
        let links = body["links"].as_array().unwrap().iter();
        links
            .map(|link| link["moves"].as_i64().unwrap())
            .sum::<i64>()
    };
    assert_eq!(moves("from=2024-06-04&to=2024-06-04").await, 1);
    assert_eq!(moves("from=2024-06-05").await, 1, "of ann");
    for wrong in ["from=2024-06-31", "to=tomorrow", "day=2024-06-01"] {
        let path = format!("/v1/journeys/sales/bottlenecks?{wrong}");
        assert_eq!(api.get("acme", &path).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn unknown_journey_is_not_found() {
    let api = Api::over(&shop::open().await).await;
    for what in ["stages", "flows", "bottlenecks"] {
        let answer = api.get("acme", &format!("/v1/journeys/sale/{what}")).await;
        assert_eq!(answer.status, 404);
        assert_eq!(
            answer.body["type"],
            "urn:tidemark:problem:journey-not-found"
        );
    }
}

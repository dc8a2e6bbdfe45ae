//! `GET /v1/churn`, `/v1/churn/at-risk`, `/v1/value`, `/v1/rfm` and `/v1/clusters`.

use serde_json::{Value, json};
use tidemark_projections::models::VALUE_NOT_SCORED;

use super::client::Api;
use super::shop;
use super::world::World;

/// Returns models in the form of `tidemark train`, with simple numbers.
fn models() -> Value {
    let trained = |model: Value| json!({ "from": "2023-01-01", "as_of": "2024-05-31", "customers": 3, "model": model });
    let cuts: Vec<i64> = (1..100).map(|cut| cut * 100).collect();
    let forecast =
        json!([{ "days": 30, "expected_minor": 900, "low_minor": 500, "high_minor": 1_300 }]);
    let tenth = json!({ "customers": 10, "expected": 0.25, "seen": 0.5 });
    json!({
        "spending": trained(json!({ "parameters": { "p": 6.25, "q": 3.74, "v": 15.44 },
            "log_likelihood": -9.5, "correlation": 0.1 })),
        "rfm": trained(json!({ "recency_days": [20, 40, 80, 160], "frequency": [1, 2, 3, 4],
                               "monetary_minor": [600, 1_000, 5_000, 9_000] })),
        "clusters": trained(json!({ "means": [0, 0, 0], "deviations": [1, 1, 1],
            "centroids": [[2, 2, 5], [7, 2, 4]], "sizes": [2, 1],
            "components": [[1, 0, 0], [0, 1, 0]], "silhouette": 0.5, "minor_units": 100 })),
        "value": trained(json!({ "scores": "a b", "percentiles_minor": cuts, "forecast": forecast })),
        "renewal": trained(json!({ "all": { "alpha": 0.6, "beta": 3.8 }, "log_likelihood": -9.5,
            "holdout": { "from": "2024-02-01", "subscriptions": 10, "calibration": [tenth] } })),
    })
}

/// Creates the shop with these models in force and a subscription of Eve.
async fn trained() -> World {
    let mut world = World::new().await;
    let definitions = format!("{}models: {}\n", shop::definitions("acme"), models());
    world.define(1, &definitions).await;
    shop::fill(&mut world, "acme", 0);
    let subscribed = json!({ "type": "subscription_changed", "subscription_id": "s1",
        "status": "active", "plan": "pro", "mrr_minor": 900, "currency": "EUR" });
    world.fold(("acme", "eve"), 900, "2024-06-05T08:00:00Z", &subscribed);
    world.commit(shop::NOW).await;
    world
}

fn customers(items: &Value) -> i64 {
    let items = items.as_array().unwrap().iter();
    items.map(|item| item["customers"].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn shipped_models_score_churn_alone_without_trained_ones() {
    let api = Api::over(&shop::open().await).await;
    let churn = api.ok("acme", "/v1/churn").await;
    let purchases = &churn["purchases"];
    assert_eq!(purchases["model"], "mbg_nbd/shipped-cdnow");
    assert_eq!(
        (&purchases["shipped"], &purchases["not_scored"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(customers(&purchases["bands"]), 3);
    assert_eq!(
        (&churn["renewals"], &purchases["calibration"]),
        (&Value::Null, &Value::Null)
    );
    for path in ["/v1/rfm", "/v1/clusters"] {
        let found = api.ok("acme", path).await;
        assert_eq!(
            (&found["model"], &found["not_scored"]),
            (&Value::Null, &json!(5))
        );
    }
    let value = api.ok("acme", "/v1/value").await;
    assert_eq!(
        value,
        json!({ "currency": "EUR", "trained": null, "top": [], "not_scored_because": VALUE_NOT_SCORED })
    );
    let at_risk = api.ok("acme", "/v1/churn/at-risk").await;
    assert_eq!(
        (&at_risk["items"], &at_risk["not_scored_because"]),
        (&json!([]), &json!(VALUE_NOT_SCORED))
    );
    let ann = api.ok("acme", "/v1/customers/ann/predictions").await;
    let score = &ann["value"]["score"];
    assert_eq!(
        (&score["mean_purchase_minor"], &score["not_scored_because"]),
        (&Value::Null, &json!(VALUE_NOT_SCORED))
    );
    let purchases = &score["horizons"][0]["expected_purchases"];
    assert!(purchases.is_f64() && score["horizons"][0]["value_minor"].is_null());
}

#[tokio::test]
async fn undefined_tenant_has_no_scores() {
    let api = Api::over(&World::new().await).await;
    let churn = api.ok("acme", "/v1/churn").await;
    assert_eq!(churn["purchases"], Value::Null);
    for path in ["/v1/churn/at-risk", "/v1/value", "/v1/rfm", "/v1/clusters"] {
        api.ok("acme", path).await;
    }
}

#[tokio::test]
async fn trained_models_assign_cells_clusters_and_bands() {
    let api = Api::over(&trained().await).await;
    let churn = api.ok("acme", "/v1/churn").await;
    insta::assert_json_snapshot!("churn_with_renewals", churn["renewals"]);
    let grid = api.ok("acme", "/v1/rfm").await;
    let cells = grid["cells"].as_array().unwrap();
    assert_eq!((cells.len(), customers(&grid["cells"])), (125, 3));
    // Ann bought on three days, the last one ten days ago, for seventy euros.
    let full: Vec<&Value> = cells.iter().filter(|of| of["customers"] != 0).collect();
    let ann = json!({ "recency": 5, "frequency": 3, "monetary": 4, "customers": 1 });
    assert!(full.contains(&&ann), "{full:?}");
    assert_eq!(
        (&grid["not_scored"], &grid["model"]["name"]),
        (&json!(2), &json!("rfm/trained-2024-05-31"))
    );
    let clusters = api.ok("acme", "/v1/clusters").await;
    assert_eq!(
        (customers(&clusters["items"]), &clusters["not_scored"]),
        (3, &json!(2))
    );
    insta::assert_json_snapshot!("clusters", clusters["items"]);
    let value = api.ok("acme", "/v1/value").await;
    assert_eq!(value["not_scored_because"], Value::Null);
    assert_eq!(value["trained"]["forecast"][0]["high_minor"], 1_300);
    assert_eq!(value["trained"]["percentiles_minor"][89], 9_000);
    let top: Vec<&Value> = value["top"].as_array().unwrap().iter().collect();
    assert!(top.iter().all(|of| of["band"] == "low"));
    assert!(top.is_sorted_by_key(|of| std::cmp::Reverse(of["value_minor"].as_i64())));
}

#[tokio::test]
async fn at_risk_list_is_ordered_by_value_at_stake_across_pages() {
    let api = Api::over(&trained().await).await;
    let mut seen = Vec::new();
    for band in ["high", "medium", "low"] {
        let path = format!("/v1/churn/at-risk?band={band}&limit=1");
        let (ids, pages) = api.ids("acme", &path).await;
        assert_eq!(pages, ids.len().max(1));
        let whole = api
            .ok("acme", &format!("/v1/churn/at-risk?band={band}"))
            .await;
        let items = whole["items"].as_array().unwrap();
        assert!(items.is_sorted_by_key(|of| std::cmp::Reverse(of["value_minor"].as_i64())));
        assert_eq!(
            items
                .iter()
                .map(|of| of["customer_id"].as_str().unwrap())
                .collect::<Vec<_>>(),
            ids
        );
        seen.extend(ids);
    }
    seen.sort_unstable();
    assert_eq!(seen, ["ann", "bob", "dee"]);
    let high = api.ok("acme", "/v1/churn/at-risk").await;
    assert_eq!(high["items"][0]["customer_id"], "bob");
    let refused = api.get("acme", "/v1/churn/at-risk?band=hihg").await;
    assert_eq!(
        (refused.status, &refused.body["parameter"]),
        (422, &json!("band"))
    );
    // The cursor of another list, and an invalid cursor, are rejected.
    let other = api.ok("acme", "/v1/customers?limit=1").await;
    let foreign = other["next"].as_str().unwrap();
    for (cursor, status) in [(foreign, 422), ("bm90aGluZw", 400)] {
        let answer = api
            .get("acme", &format!("/v1/churn/at-risk?cursor={cursor}"))
            .await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn predictions_of_a_customer_name_their_model_version() {
    let api = Api::over(&trained().await).await;
    let ann = api.ok("acme", "/v1/customers/ann/predictions").await;
    assert_eq!(ann["value"]["shipped"], true);
    assert_eq!(
        ann["value"]["score"]["horizons"].as_array().unwrap().len(),
        3
    );
    assert_eq!(ann["rfm"]["model"], "rfm/trained-2024-05-31");
    assert_eq!(
        ann["rfm"]["score"],
        json!({ "recency": 5, "frequency": 3, "monetary": 4 })
    );
    assert!(ann["cluster"]["score"]["cluster"].as_u64().unwrap() >= 1);
    assert!(ann["percentile"]["score"]["percentile"].is_u64());
    assert_eq!(ann["renewal"], Value::Null);
    // Eve has a subscription and no order.
    let eve = api.ok("acme", "/v1/customers/eve/predictions").await;
    assert_eq!((&eve["value"], &eve["rfm"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&eve["renewal"]["score"]["band"], &eve["renewal"]["shipped"]),
        (&json!("high"), &json!(false))
    );
    assert_eq!(eve["renewal"]["score"]["renews_on"], "2024-07-05");
    let answer = api.get("acme", "/v1/customers/nobody/predictions").await;
    assert_eq!(answer.status, 404);
}

/// Creates a shop with three actions, two of which were offered to four customers with answers.
async fn with_answers() -> World {
    let mut world = World::new().await;
    let definitions = format!(
        "{}actions:\n  - {{ name: discount, value: 10, eligible: {{ segment: buyers }} }}\n  - {{ name: \
         call, value: 30, description: By phone }}\n  - {{ name: gift, value: 0 }}\n  - {{ name: visit, value: 90, eligible: {{ value: {{ amount: {{ gte: 1 }} }} }} }}\n",
        shop::definitions("acme")
    );
    world.define(1, &definitions).await;
    shop::fill(&mut world, "acme", 0);
    let mut number = 700;
    for customer in ["ann", "bob", "dee", "eve"] {
        for (action, accepted) in [("discount", customer != "eve"), ("call", false)] {
            number += 1;
            let id = format!("{customer}-{action}");
            let offered = json!({ "type": "action_offered", "action": action, "offer_id": id });
            world.fold(("acme", customer), number, "2024-06-21T08:00:00Z", &offered);
            number += 1;
            let answered =
                json!({ "type": "action_answered", "offer_id": id, "accepted": accepted });
            world.fold(
                ("acme", customer),
                number,
                "2024-06-21T09:00:00Z",
                &answered,
            );
        }
    }
    world.commit(shop::NOW).await;
    world
}

#[tokio::test]
async fn next_best_action_has_the_highest_expected_value_and_a_reason() {
    let api = Api::over(&with_answers().await).await;
    // Three of three buyers, and three of four customers, accepted the discount.
    let ann = api.ok("acme", "/v1/customers/ann/next-best-action").await;
    let best = &ann["items"][0];
    let prior = 4.0 / 6.0;
    let rate = (3.0 + 10.0 * prior) / 13.0;
    assert_eq!(best["action"], "discount");
    assert!(
        (best["rate"].as_f64().unwrap() - rate).abs() < 1e-12,
        "{best}"
    );
    assert!((best["expected_minor"].as_f64().unwrap() - 1_000.0 * rate).abs() < 1e-9);
    assert_eq!(best["everywhere"], json!({ "offered": 4, "accepted": 3 }));
    let segment =
        json!({ "name": "buyers", "members": 3, "answers": { "offered": 3, "accepted": 3 } });
    assert_eq!(best["segment"], segment);
    assert_eq!(
        best["why"],
        json!([{ "kind": "segment", "holds": true, "asked": "buyers" }])
    );
    // An action without value is left out, and so is one for customers of a value that is not scored.
    assert_eq!(ann["items"].as_array().unwrap().len(), 2);
    assert_eq!(ann["not_scored_because"], VALUE_NOT_SCORED);
    // Eve is not eligible for the discount, and in no segment.
    let eve = api.ok("acme", "/v1/customers/eve/next-best-action").await;
    let items = eve["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["action"], &items[0]["segment"]),
        (1, &json!("call"), &Value::Null)
    );
    assert_eq!(
        (&items[0]["why"], &items[0]["description"]),
        (&json!([]), &json!("By phone"))
    );
    assert_eq!(
        api.get("acme", "/v1/customers/nobody/next-best-action")
            .await
            .status,
        404
    );
}

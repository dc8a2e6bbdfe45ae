//! `GET /v1/customers`.

use super::client::Api;
use super::shop;

#[tokio::test]
async fn pages_contain_every_customer_once() {
    let api = Api::over(&shop::open().await).await;
    let body = api.ok("acme", "/v1/customers").await;
    insta::assert_json_snapshot!(body);
    let everyone = ["ann", "bob", "cem", "dee", "eve"];
    for (limit, pages) in [(1, 5), (2, 3), (5, 1), (500, 1)] {
        let (ids, turned) = api
            .ids("acme", &format!("/v1/customers?limit={limit}"))
            .await;
        assert_eq!(
            (ids.as_slice(), turned),
            (everyone.map(str::to_owned).as_slice(), pages)
        );
    }
}

#[tokio::test]
async fn filters_combine() {
    let api = Api::over(&shop::open().await).await;
    let lists: [(&str, &[&str]); 11] = [
        ("segment=buyers", &["ann", "bob", "dee"]),
        ("segment=at_risk", &["bob"]),
        ("band=high", &["bob"]),
        ("band=low", &["ann"]),
        ("band=medium", &["dee"]),
        ("journey=sales&stage=lead", &["cem", "dee"]),
        ("journey=sales&stage=customer", &["ann"]),
        ("segment=buyers&band=low", &["ann"]),
        ("segment=buyers&journey=sales&stage=lead", &["dee"]),
        ("band=medium&journey=sales&stage=lead", &["dee"]),
        ("segment=buyers&band=high&journey=sales&stage=lead", &[]),
    ];
    for (filters, expected) in lists {
        for limit in [1, 50] {
            let path = format!("/v1/customers?{filters}&limit={limit}");
            assert_eq!(api.ids("acme", &path).await.0, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn filter_by_an_undefined_name_is_rejected() {
    let api = Api::over(&shop::open().await).await;
    let wrong = [
        ("segment=buyer", "segment"),
        ("segment=%27%3B%20drop%20table%20customer%3B--", "segment"),
        ("journey=sale&stage=lead", "journey"),
        ("journey=sales&stage=leads", "stage"),
    ];
    for (filters, parameter) in wrong {
        let answer = api.get("acme", &format!("/v1/customers?{filters}")).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert_eq!(answer.body["parameter"], parameter);
        // Errors carry the freshness of the data, too.
        assert_eq!(answer.headers["tidemark-generation"], "1");
    }
    insta::assert_json_snapshot!(api.get("acme", "/v1/customers?segment=buyer").await.body);
}

#[tokio::test]
async fn cursor_is_valid_only_with_its_filters() {
    let api = Api::over(&shop::open().await).await;
    let body = api.ok("acme", "/v1/customers?segment=buyers&limit=1").await;
    let cursor = body["next"].as_str().unwrap();
    let (ids, _) = api
        .ids(
            "acme",
            &format!("/v1/customers?segment=buyers&limit=9&cursor={cursor}"),
        )
        .await;
    assert_eq!(ids, ["bob", "dee"]);
    for other in [
        "/v1/customers?",
        "/v1/customers?segment=at_risk&",
        "/v1/customers?segment=buyers&band=low&",
        "/v1/segments/buyers/members?",
    ] {
        let answer = api.get("acme", &format!("{other}cursor={cursor}")).await;
        assert_eq!(
            (answer.status, &answer.body["parameter"]),
            (422, &"cursor".into())
        );
    }
}

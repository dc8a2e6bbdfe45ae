//! Requests for two tenants with the same customer ids.

use serde_json::Value;
use tidemark_api::auth::{Role, issue_token};

use crate::routes::client::{Api, SECRET, claims, token};
use crate::routes::shop;
use crate::routes::world::World;

/// Creates `acme` and `globex` with the same ids; globex has one more customer and one more
/// segment.
pub(super) async fn two_tenants() -> World {
    let mut world = World::new().await;
    let globex = shop::definitions("globex").replace("name: buyers", "name: spenders");
    let both = format!("{}---{globex}", shop::definitions("acme"));
    world.define(1, &both).await;
    shop::fill(&mut world, "acme", 0);
    shop::fill(&mut world, "globex", 1_000);
    let lead = serde_json::json!({ "type": "stage_entered", "journey": "sales", "stage": "lead" });
    world.fold(
        ("globex", "only-globex"),
        2_000,
        "2024-06-05T08:00:00Z",
        &lead,
    );
    world.park("globex", 0, 3, tidemark_processor::parking::Reason::Invalid);
    world.commit(shop::NOW).await;
    world
}

#[tokio::test]
async fn same_id_is_another_customer_in_another_tenant() {
    let api = Api::over(&two_tenants().await).await;
    for (tenant, other) in [("acme", "globex"), ("globex", "acme")] {
        let ann = api.ok(tenant, "/v1/customers/ann").await;
        assert_eq!(ann["attributes"]["email"], format!("ann@{tenant}.example"));
        assert!(!ann.to_string().contains(other), "{ann}");
    }
    let count = async |tenant| api.ids(tenant, "/v1/customers?limit=2").await.0.len();
    assert_eq!((count("acme").await, count("globex").await), (5, 6));
}

/// Every route at least once.
const PATHS: &[&str] = &[
    "/v1/customers",
    "/v1/customers?segment=buyers",
    "/v1/customers?band=high",
    "/v1/customers?journey=sales&stage=lead",
    "/v1/customers/ann",
    "/v1/customers/ann/segments/buyers",
    "/v1/customers/ann/timeline",
    "/v1/segments",
    "/v1/segments/buyers/members",
    "/v1/journeys",
    "/v1/journeys/sales/stages",
    "/v1/segments/buyers/series",
    "/v1/series",
    "/v1/journeys/sales/flows",
    "/v1/journeys/sales/bottlenecks",
    "/v1/revenue",
    "/v1/conversations",
    "/v1/campaigns",
    "/v1/customers/ann/predictions",
    "/v1/customers/ann/next-best-action",
    "/v1/churn",
    "/v1/churn/at-risk",
    "/v1/value",
    "/v1/rfm",
    "/v1/clusters",
    "/v1/status",
];

#[tokio::test]
async fn no_route_reveals_another_tenant() {
    let api = Api::over(&two_tenants().await).await;
    for path in PATHS {
        let said = api.ok("acme", path).await.to_string();
        assert!(
            !said.contains("globex") && !said.contains("spenders"),
            "{path}: {said}"
        );
    }
    let status = api.ok("acme", "/v1/status").await;
    assert_eq!(status["totals"]["customers"], 5);
    assert_eq!(
        status["totals"]["parked"],
        Value::Object(serde_json::Map::new())
    );
    let spring = "/v1/revenue?from=2024-01-01&to=2024-06-30&by=month";
    let revenue = api.ok("acme", spring).await;
    assert_eq!(revenue["total"]["gross_minor"], 7_700);
    let stages = api.ok("acme", "/v1/journeys/sales/stages").await;
    assert_eq!(stages["stages"][0]["customers"], 2);
    assert_eq!(stages["stages"][0]["entered"], 3);
    for missing in [
        "/v1/customers/only-globex",
        "/v1/customers/only-globex/segments/buyers",
        "/v1/customers/only-globex/timeline",
        "/v1/segments/spenders/members",
        "/v1/segments/spenders/series",
    ] {
        let answer = api.get("acme", missing).await;
        assert_eq!(answer.status, 404);
        // Equal word for word to the response for an unknown tenant.
        let unknown = api.get("unknown", missing).await;
        assert_eq!(answer.body, unknown.body);
    }
    let theirs = api.get("acme", "/v1/customers/ann/segments/spenders").await;
    let unknown = api.get("acme", "/v1/customers/ann/segments/spinners").await;
    let theirs = theirs.body.to_string().replace("spenders", "spinners");
    assert_eq!(theirs, unknown.body.to_string());
}

#[tokio::test]
async fn cursor_of_one_tenant_is_rejected_for_another() {
    let api = Api::over(&two_tenants().await).await;
    for path in [
        "/v1/customers?limit=1",
        "/v1/customers?journey=sales&stage=lead&limit=1",
    ] {
        let body = api.ok("globex", path).await;
        let cursor = body["next"].as_str().unwrap();
        let answer = api.get("acme", &format!("{path}&cursor={cursor}")).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.body["parameter"], "cursor");
        let said = answer.body.to_string();
        assert!(
            !said.contains("globex") && !said.contains("\"ann\""),
            "{said}"
        );
    }
}

#[tokio::test]
async fn tenant_comes_only_from_the_token() {
    let api = Api::over(&two_tenants().await).await;
    for path in [
        "/v1/customers?tenant=globex",
        "/v1/customers?tenant_id=globex",
    ] {
        assert_eq!(api.get("acme", path).await.status, 400);
    }
    let client = reqwest::Client::new();
    let request = client
        .get(format!("{}/v1/customers/ann", api.url))
        .bearer_auth(token("acme", Role::Admin))
        .header("x-tenant", "globex")
        .header("x-tenant-id", "globex");
    let said = request.send().await.unwrap().text().await.unwrap();
    assert!(said.contains("ann@acme.example"), "{said}");
}

#[tokio::test]
async fn invalid_tokens_are_rejected() {
    let api = Api::over(&two_tenants().await).await;
    let good = token("acme", Role::Admin);
    let globex = token("globex", Role::Admin);
    let part = |token: &str, number: usize| token.split('.').nth(number).unwrap().to_owned();
    let (header, signature) = (part(&good, 0), part(&good, 2));
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"; // {"alg":"none","typ":"JWT"}
    let change = |change: fn(&mut tidemark_api::auth::Claims)| {
        let mut claims = claims("acme", Role::Admin);
        change(&mut claims);
        issue_token(SECRET, &claims).unwrap()
    };
    let tokens = [
        (
            "another tenant's claims",
            format!("{header}.{}.{signature}", part(&globex, 1)),
        ),
        ("no signature", format!("{header}.{}.", part(&good, 1))),
        ("alg none", format!("{none}.{}.", part(&good, 1))),
        (
            "alg none, signed",
            format!("{none}.{}.{signature}", part(&good, 1)),
        ),
        ("expired", change(|claims| claims.exp = claims.iat - 3_600)),
        (
            "not yet valid",
            change(|claims| claims.nbf = Some(claims.exp)),
        ),
        (
            "another audience",
            change(|claims| claims.aud = "billing".to_owned()),
        ),
        (
            "another issuer",
            change(|claims| claims.iss = "somebody".to_owned()),
        ),
        (
            "another secret",
            issue_token(
                "another secret, long enough for HS256",
                &claims("acme", Role::Admin),
            )
            .unwrap(),
        ),
        ("no token at all", "garbage".to_owned()),
    ];
    for (what, token) in tokens {
        let answer = api.get_as(&token, "/v1/customers").await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("invalid_token"), "{what}: {challenge}");
        assert_eq!(answer.body["type"], "urn:tidemark:problem:unauthenticated");
    }
    assert_eq!(api.get_as(&good, "/v1/customers").await.status, 200);
}

/// Asserts that a connection which serves both tenants in turn keeps nothing of the one for the
/// other.
#[tokio::test]
async fn reused_connection_keeps_no_tenant() {
    let world = two_tenants().await;
    let mut config = crate::routes::client::config(&world.database.url);
    config.connections = 1;
    let api = Api::with(config).await;
    for _ in 0..3 {
        assert_eq!(api.ids("acme", "/v1/customers").await.0.len(), 5);
        assert_eq!(api.ids("globex", "/v1/customers").await.0.len(), 6);
        assert_eq!(api.ids("unknown", "/v1/customers").await.0.len(), 0);
        // An error must not leave a transaction open with a tenant in it.
        assert_eq!(api.get("acme", "/v1/customers/unknown").await.status, 404);
    }
}

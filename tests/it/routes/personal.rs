//! What is computed from personal attributes: viewers receive none of it, and reads by other roles are audited.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::Row;
use tidemark_api::auth::Role;

use super::client::{Api, token};
use super::shop;
use super::world::World;

/// Outputs of every kind that are derived from the birthday.
fn definitions() -> String {
    shop::definitions("acme")
        .replace(
            "email: { personal: true }",
            "birthday: { personal: true, type: date }",
        )
        .replace(
            "segments:",
            "segments:
  - name: newborn
    when: { attribute: { name: birthday, within_last: 30d } }
  - name: grown
    when: { not: { segment: newborn } }
  - name: long_grown
    when: { member_for: { segment: grown, for: 2d } }",
        )
        .replace(
            "journeys:",
            "actions:
  - { name: card, value: 5, eligible: { segment: newborn } }
  - { name: letter, value: 4, eligible: { segment: buyers } }
triggers:
  - { name: celebrate, on: { entered: newborn }, action: card }
journeys:
  - name: ages
    stages: [unknown, { name: child, when: { segment: newborn } }]",
        )
}

async fn world(birthday: &str) -> World {
    let mut world = World::new().await;
    world.define(1, &definitions()).await;
    shop::fill(&mut world, "acme", 0);
    let attributes = json!({ "birthday": birthday });
    let profile = json!({ "type": "profile_updated", "attributes": attributes });
    world.fold(("acme", "ann"), 900, "2024-06-01T09:00:00Z", &profile);
    world.commit("2024-06-25T00:00:00Z").await;
    world.commit(shop::NOW).await;
    world
}

/// Every route that shows something evaluated, of customers and of the tenant.
const PATHS: [&str; 34] = [
    "/v1/customers",
    "/v1/customers?limit=1",
    "/v1/customers?band=low",
    "/v1/customers?segment=buyers",
    "/v1/customers?segment=newborn",
    "/v1/customers?segment=grown&limit=1",
    "/v1/customers?journey=sales&stage=customer",
    "/v1/customers?journey=ages&stage=child",
    "/v1/customers/ann",
    "/v1/customers/ann/segments/buyers",
    "/v1/customers/ann/segments/newborn",
    "/v1/customers/ann/segments/grown",
    "/v1/customers/ann/segments/long_grown",
    "/v1/customers/ann/timeline",
    "/v1/customers/ann/timeline?limit=2",
    "/v1/customers/ann/timeline?kind=segment",
    "/v1/customers/ann/timeline?kind=trigger",
    "/v1/customers/ann/timeline?kind=stage",
    "/v1/customers/ann/predictions",
    "/v1/customers/ann/next-best-action",
    "/v1/segments",
    "/v1/segments/buyers/members",
    "/v1/segments/newborn/members",
    "/v1/segments/newborn/series",
    "/v1/segments/long_grown/members",
    "/v1/journeys",
    "/v1/journeys/ages/stages",
    "/v1/journeys/ages/flows",
    "/v1/journeys/ages/bottlenecks",
    "/v1/journeys/sales/stages",
    "/v1/series",
    "/v1/churn",
    "/v1/value",
    "/v1/churn/at-risk",
];

async fn read_all(api: &Api, role: Role) -> BTreeMap<&'static str, (u16, Value)> {
    let token = token("acme", role);
    let mut read = BTreeMap::new();
    for path in PATHS {
        let answer = api.get_as(&token, path).await;
        read.insert(path, (answer.status, answer.body));
    }
    read
}

#[tokio::test]
async fn every_answer_to_a_viewer_is_the_same_for_every_value_of_a_personal_attribute() {
    let old = Api::over(&world("1990-05-01").await).await;
    let young = Api::over(&world("2024-06-10").await).await;
    let (before, after) = (
        read_all(&old, Role::Viewer).await,
        read_all(&young, Role::Viewer).await,
    );
    for path in PATHS {
        assert_eq!(before[path], after[path], "{path}");
        assert!(
            [200, 403].contains(&before[path].0),
            "{path}: {:?}",
            before[path]
        );
    }
    // The routes of what is derived are refused, with the reason.
    let (status, refused) = &before["/v1/customers/ann/segments/long_grown"];
    assert_eq!(*status, 403);
    assert_eq!(
        refused["detail"],
        "the segment \"long_grown\" is derived from personal attributes, which the role viewer may not \
         see: use a token with the role analyst or admin"
    );
    // An analyst sees the difference: what is compared above is not empty of it.
    let (old, young) = (
        read_all(&old, Role::Analyst).await,
        read_all(&young, Role::Analyst).await,
    );
    for path in [
        "/v1/customers/ann",
        "/v1/customers/ann/segments/newborn",
        "/v1/customers/ann/timeline?kind=trigger",
        "/v1/customers/ann/next-best-action",
        "/v1/segments",
        "/v1/segments/newborn/members",
        "/v1/customers?journey=ages&stage=child",
        "/v1/journeys/ages/stages",
    ] {
        assert_ne!(old[path], young[path], "{path}");
    }
}

#[tokio::test]
async fn reads_of_what_is_derived_from_personal_attributes_are_audited() {
    let world = world("2024-06-10").await;
    let api = Api::over(&world).await;
    let analyst = token("acme", Role::Analyst);
    for (path, expected) in [
        (
            "/v1/customers/ann/segments/newborn",
            Some("customer.personal_attributes ann"),
        ),
        (
            "/v1/customers/ann/segments/long_grown",
            Some("customer.personal_attributes ann"),
        ),
        ("/v1/customers/ann/segments/buyers", None),
        // Without a birthday it is known of Bob that he has none.
        (
            "/v1/customers/bob",
            Some("customer.personal_attributes bob"),
        ),
        (
            "/v1/customers/ann/timeline?kind=segment",
            Some("customer.personal_attributes ann"),
        ),
        ("/v1/customers/ann/timeline?kind=order", None),
        (
            "/v1/customers/ann/next-best-action",
            Some("customer.personal_attributes ann"),
        ),
        (
            "/v1/segments/newborn/members",
            Some("segment.personal_attributes newborn"),
        ),
        ("/v1/segments/buyers/members", None),
        (
            "/v1/customers?segment=grown",
            Some("segment.personal_attributes grown"),
        ),
        ("/v1/customers?segment=buyers", None),
        (
            "/v1/customers?journey=ages&stage=child",
            Some("journey.personal_attributes ages"),
        ),
        ("/v1/customers", None),
    ] {
        let answer = api.get_as(&analyst, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let rows = sqlx::query("delete from tidemark.audit returning action || ' ' || target");
        let rows = rows.fetch_all(&world.database.pool).await.unwrap();
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(found, Vec::from_iter(expected), "{path}");
        let caches = &answer.headers["cache-control"];
        assert_eq!(
            caches == "private, no-store",
            expected.is_some(),
            "{path}: {caches:?}"
        );
    }
}

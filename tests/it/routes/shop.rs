//! A world with one tenant: a shop with five customers, every field of which is known.

use serde_json::json;

use super::world::World;

/// The clock of the shop.
pub(crate) const NOW: &str = "2024-06-30T00:00:00Z";

/// Returns definitions of a shop for the tenant.
pub(crate) fn definitions(tenant: &str) -> String {
    format!(
        r"
tenant:
  id: {tenant}
  zone: Europe/Berlin
  currency: EUR
  attributes:
    email: {{ personal: true }}
segments:
  - name: buyers
    description: Bought at least once
    when:
      orders: {{ count: {{ gte: 1 }} }}
  - name: at_risk
    description: Probably gone
    when:
      churn: {{ band: high }}
journeys:
  - name: sales
    description: From lead to customer
    stages: [lead, trial, customer]
"
    )
}

/// Creates the shop with its definitions as version 1 and all events folded. Ann buys repeatedly,
/// Bob is inactive, Cem and Dee are leads, Eve is on trial and never bought.
pub(crate) async fn open() -> World {
    open_in(World::new().await).await
}

/// Creates the shop in an empty world.
pub(crate) async fn open_in(mut world: World) -> World {
    world.define(1, &definitions("acme")).await;
    fill(&mut world, "acme", 0);
    world.commit(NOW).await;
    world
}

/// Folds the shop's events for a tenant with the shop's definitions.
pub(crate) fn fill(world: &mut World, tenant: &str, numbers_from: u32) {
    let mut number = numbers_from;
    let mut fold = |customer: &str, at: &str, payload: serde_json::Value| {
        number += 1;
        world.fold((tenant, customer), number, at, &payload);
    };
    let order = |id: &str, amount: i64| json!({ "type": "order_placed", "order_id": id, "amount_minor": amount, "currency": "EUR" });
    let stage =
        |stage: &str| json!({ "type": "stage_entered", "journey": "sales", "stage": stage });
    let profile = |attributes: serde_json::Value| json!({ "type": "profile_updated", "attributes": attributes });
    let mail = format!("ann@{tenant}.example");
    fold(
        "ann",
        "2024-03-01T09:00:00Z",
        profile(json!({ "email": mail, "plan": "pro" })),
    );
    fold("ann", "2024-03-01T10:00:00Z", order("a1", 1_000));
    fold("ann", "2024-05-01T10:00:00Z", order("a2", 2_500));
    fold("ann", "2024-06-20T10:00:00Z", order("a3", 3_500));
    fold("ann", "2024-06-20T10:05:00Z", stage("customer"));
    for day in 1..=9 {
        let at = format!("2023-01-{day:02}T12:00:00Z");
        fold("bob", &at, order(&format!("b{day}"), 500));
    }
    fold("cem", "2024-06-01T08:00:00Z", stage("lead"));
    fold("dee", "2024-06-02T08:00:00Z", stage("lead"));
    fold("dee", "2024-06-02T09:00:00Z", order("d1", 700));
    fold("eve", "2024-06-03T08:00:00Z", stage("lead"));
    fold("eve", "2024-06-04T08:00:00Z", stage("trial"));
    let login = || json!({ "type": "activity_tracked", "name": "login", "properties": {} });
    let said = |direction: &str, sentiment: f64| json!({ "type": "message_exchanged", "conversation_id": "e1", "channel": "chat", "direction": direction, "sentiment": sentiment });
    fold("eve", "2024-06-03T09:00:00Z", login());
    fold("eve", "2024-06-04T07:00:00Z", login());
    fold("eve", "2024-06-04T07:10:00Z", said("inbound", -0.5));
    fold("eve", "2024-06-04T07:20:00Z", said("outbound", 0.25));
    let closed =
        json!({ "type": "conversation_closed", "conversation_id": "e1", "outcome": "resolved" });
    fold("eve", "2024-06-04T07:30:00Z", closed);
}

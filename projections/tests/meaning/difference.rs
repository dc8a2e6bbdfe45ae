//! The difference between two definitions of a tenant.

use serde_json::{Value, json};
use tidemark_projections::definitions::{Bundle, Changed, Difference, TenantSource};

const BEFORE: &str = "
tenant: { id: acme, zone: UTC, currency: EUR, rates: { USD: '0.9', GBP: '1.2' }, churn: { high: 0.7 } }
segments:
  - { name: a, when: { orders: { count: { gte: 1 } } } }
  - { name: b, description: old, when: { segment: a } }
journeys: [{ name: sales, stages: [lead, customer] }]
";

fn source(text: &str) -> TenantSource {
    let files = [("f.yaml".to_owned(), text.to_owned())];
    let mut bundle = Bundle::from_files(&files, "me").unwrap();
    bundle.tenants.remove(0)
}

fn changed(name: &str, from: Value, to: Value) -> Changed {
    let some = |side: Value| (side != Value::Null).then_some(side);
    Changed {
        name: name.to_owned(),
        from: some(from),
        to: some(to),
    }
}

#[test]
fn differences_are_listed_by_name() {
    let after = BEFORE
        .replace("GBP: '1.2'", "CHF: '1.1'")
        .replace("high: 0.7", "high: 0.8, medium: 0.3")
        .replace(
            "name: a, when: { orders: { count: { gte: 1 } } }",
            "name: c, when: { segment: b }",
        )
        .replace(
            "description: old, when: { segment: a }",
            "when: { manual: [x] }",
        )
        .replace("[lead, customer]", "[lead, trial, customer]");
    let found = Difference::between(Some(&source(BEFORE)), &source(&after));
    assert!(!found.is_empty());
    let settings = [
        changed("churn.high", json!(0.7), json!(0.8)),
        changed("churn.medium", Value::Null, json!(0.3)),
        changed("rates.CHF", Value::Null, json!("1.1")),
        changed("rates.GBP", json!("1.2"), Value::Null),
    ];
    assert_eq!(found.settings, settings);
    let a = json!({ "when": { "orders": { "count": { "gte": 1 } } } });
    let b = json!({ "description": "old", "when": { "segment": "a" } });
    let segments = [
        changed("a", a, Value::Null),
        changed("b", b, json!({ "when": { "manual": ["x"] } })),
        changed("c", Value::Null, json!({ "when": { "segment": "b" } })),
    ];
    assert_eq!(found.segments, segments);
    let (from, to) = (
        json!({ "stages": ["lead", "customer"] }),
        json!({ "stages": ["lead", "trial", "customer"] }),
    );
    assert_eq!(found.journeys, [changed("sales", from, to)]);
    assert_eq!(found.models, []);
}

#[test]
fn order_is_no_difference_and_new_tenants_differ_in_everything() {
    let before = source(BEFORE);
    let mut after = before.clone();
    after.segments.reverse();
    assert!(Difference::between(Some(&before), &after).is_empty());
    let new = Difference::between(None, &before);
    assert!(new.segments.iter().all(|changed| changed.from.is_none()));
    assert_eq!(new.segments.len(), 2);
    let names = new.settings.iter().map(|changed| &*changed.name);
    let expected = [
        "churn.high",
        "currency",
        "id",
        "rates.GBP",
        "rates.USD",
        "zone",
    ];
    assert!(names.eq(expected));
}

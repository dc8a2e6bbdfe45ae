//! Explanations of segments on RFM cell, cluster or value.

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::explain::{Explanation, explain};
use tidemark_projections::outputs::predict;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::Instant;

use crate::leaves::{at, conditions, customer, shop};

/// The evaluated state at an instant.
fn evaluated(state: &CustomerState, shop: &TenantDefinitions, now: Instant) -> EvaluatedState {
    let mut evaluated = EvaluatedState::new(shop.version);
    evaluated.redefine(state, shop, now, &mut Vec::new());
    evaluated
}

fn why(
    state: &CustomerState,
    shop: &TenantDefinitions,
    segment: &str,
    now: Instant,
) -> Explanation {
    explain(state, &evaluated(state, shop, now), shop, segment, now).unwrap()
}

#[test]
fn explained_scores_name_their_model() {
    let shop = shop(&[
        "rfm: { recency: { eq: 5 } }",
        "cluster: 2",
        "value: { within: 90d, purchases: { gte: 1 }, amount: { gte: 20.5 } }",
    ]);
    let buyer = customer(&shop, [0, 20, 45, 60, 80]);
    let now = at(81);
    let predicted = predict(&buyer, &shop, now);

    // Given a recent buyer, then the cell is told, and the day on which it is one no more
    let rfm = why(&buyer, &shop, "s0", now);
    assert_eq!((&*rfm.why.kind, rfm.member), ("rfm", true));
    let cell = json!({ "recency": 5, "frequency": 5, "monetary": 5 });
    let found = json!({ "cell": cell, "model": "rfm/trained-1997-09-30" });
    assert_eq!(json!(rfm.why.found), found);
    let changes_at = rfm.changes_at.unwrap();
    assert!(!why(&buyer, &shop, "s0", changes_at).member);
    assert!(why(&buyer, &shop, "s0", changes_at.plus_micros(-1)).member);

    // And the cluster by the number it is asked for by, which is not the one asked for
    let cluster = why(&buyer, &shop, "s1", now);
    assert_eq!((&*cluster.why.kind, cluster.member), ("cluster", false));
    assert_eq!(cluster.why.asked, Some(json!(2)));
    let found = json!({ "cluster": 1, "model": "clusters/trained-1997-09-30" });
    assert_eq!(json!(cluster.why.found), found);

    // And the value within the days that are asked for
    let value = why(&buyer, &shop, "s2", now);
    assert_eq!((&*value.why.kind, value.member), ("value", true));
    let found = value.why.found.unwrap();
    let scored = predicted.value.unwrap();
    let expected = scored.score.horizons[1];
    assert_eq!(expected.days, 90);
    assert_eq!(
        found["expected_purchases"],
        json!(expected.expected_purchases)
    );
    assert_eq!(found["value_minor"], json!(expected.value_minor));
    assert_eq!(found["currency"], "USD");
    assert_eq!(found["model"], json!(scored.model));
    assert!(
        scored
            .model
            .contains("/trained-1997-09-30 gamma_gamma/trained-1997-09-30")
    );
}

#[test]
fn a_customer_without_purchases_has_no_explained_score() {
    let shop = shop(&[
        "rfm: { recency: { eq: 5 } }",
        "cluster: 1",
        "value: { amount: { gte: 1 } }",
    ]);
    for (segment, names) in [
        ("s0", ["cell", "model"].as_slice()),
        ("s1", &["cluster", "model"]),
        ("s2", &["expected_purchases", "value_minor", "model"]),
    ] {
        let why = why(&CustomerState::default(), &shop, segment, at(81));
        assert!(!why.member && why.changes_at.is_none());
        let found = why.why.found.unwrap();
        for name in names {
            assert_eq!(found[*name], Value::Null, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The membership told is the one known, and the next change told is the one that time brings.
    #[test]
    fn explained_scores_agree_with_evaluation(
        condition in conditions(), days in prop::collection::btree_set(0..200_u32, 1..6)
    ) {
        let shop = shop(&[&condition]);
        let now = at(days.last().unwrap() + 1);
        let state = customer(&shop, days);
        let why = why(&state, &shop, "s0", now);
        let mut later = evaluated(&state, &shop, now);
        prop_assert_eq!(why.member, later.segments.contains_key("s0"));
        let mut changes = Vec::new();
        later.step_to(&state, &shop, Instant::MAX, &mut changes);
        let change = changes.iter().find(|change| &*change.name == "s0");
        prop_assert_eq!(why.changes_at, change.map(|change| change.effective_at));
        prop_assert_eq!(why.looked_until, None);
    }
}

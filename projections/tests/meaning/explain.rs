//! Explanations of memberships.

use proptest::prelude::*;
use serde_json::json;
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::explain::explain;
use tidemark_projections::outputs::next_change;
use tidemark_schemas::Instant;

use crate::random::{DAY, definitions, histories, state_of};
use crate::support::{Customer, SETTINGS, at, tenant_with};

#[test]
fn explanations_state_the_finding_and_the_next_change() {
    let segments = "journeys: [ { name: sales, stages: [lead, trial] } ]\nsegments:\n  \
                    - { name: buyers, when: { orders: { count: { gte: 1 }, within: 30d } } }\n  \
                    - name: s\n    when:\n      any:\n        - all:\n            \
                    - segment: buyers\n            - { attribute: { name: a, eq: 2 } }\n        \
                    - not: { stage: { journey: sales, is: trial, in_for: 36h } }\n";
    let definitions = tenant_with(SETTINGS, segments);
    let customer = Customer::under(&definitions)
        .order("2025-03-01T10:00:00Z", "o-1", 1_000, "EUR")
        .attribute(
            "2025-03-02T10:00:00Z",
            tidemark_schemas::AttributeValue::Long(2),
        )
        .stage("2025-03-03T10:00:00Z", "trial");
    let now = at("2025-03-03T10:00:00Z");
    let mut evaluated = EvaluatedState::new(0);
    evaluated.redefine(&customer.state, &definitions, now, &mut Vec::new());
    let why = explain(&customer.state, &evaluated, &definitions, "s", now).unwrap();
    let id = |number: u128| uuid::Uuid::from_u128(number);
    // Clocks went forward the day before.
    let bought_until = "2025-03-30T22:00:00Z";
    let expected = json!({
        "segment": "s", "member": true, "since": "-009999-01-02T01:59:59Z",
        "changes_at": bought_until, "looked_until": null,
        "why": { "kind": "any", "holds": true, "changes_at": bought_until, "asked": null, "found": null, "of": [
            { "kind": "all", "holds": true, "changes_at": bought_until, "asked": null, "found": null, "of": [
                { "kind": "segment", "holds": true, "changes_at": bought_until,
                  "asked": "buyers", "found": { "member": true }, "of": [] },
                { "kind": "attribute", "holds": true, "changes_at": null,
                  "asked": { "name": "a", "eq": 2 },
                  "found": { "value": 2, "since": "2025-03-02T10:00:00Z", "events": [id(2)] }, "of": [] },
            ] },
            { "kind": "not", "holds": true, "changes_at": "2025-03-04T22:00:00Z",
              "asked": null, "found": null, "of": [
                { "kind": "stage", "holds": false, "changes_at": "2025-03-04T22:00:00Z",
                  "asked": { "journey": "sales", "is": "trial", "in_for": "36h" },
                  "found": { "stage": "trial", "since": "2025-03-03T10:00:00Z",
                             "events": [id(3)] }, "of": [] },
            ] },
        ] },
    });
    assert_eq!(serde_json::to_value(&why).unwrap(), expected);
    assert_eq!(
        explain(&customer.state, &evaluated, &definitions, "t", now),
        None
    );
    let buyers = explain(&customer.state, &evaluated, &definitions, "buyers", now).unwrap();
    let found = json!({ "count": 1, "revenue_minor": 1_000, "currency": "EUR", "events": [id(1)] });
    assert_eq!(json!(buyers.why.found), found);
    let mut masked = why;
    masked.mask(&definitions.derived_from(|name| name == "a"));
    assert_eq!(masked.why.of[0].of[1].found, None);
    assert!(masked.why.of[1].of[0].found.is_some());
    assert_eq!((masked.changes_at, masked.since), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The membership told is the one evaluated, and changes when it is told to.
    #[test]
    fn explanations_agree_with_evaluation(
        definitions in definitions(), events in histories(), delay in 0..3 * DAY
    ) {
        let state = state_of(&events, &definitions);
        let now = state.last_seen_at().unwrap().plus_micros(delay);
        let mut evaluated = EvaluatedState::new(definitions.version);
        evaluated.redefine(&state, &definitions, now, &mut Vec::new());
        for segment in &definitions.segments {
            let name = &segment.name;
            let why = explain(&state, &evaluated, &definitions, name, now).unwrap();
            prop_assert_eq!(why.member, evaluated.segments.contains_key(name));
            prop_assert_eq!(why.looked_until, None);
            let mut changes = Vec::new();
            let mut later = evaluated.clone();
            later.step_to(&state, &definitions, Instant::MAX, &mut changes);
            let change = changes.iter().find(|change| change.name == *name);
            prop_assert_eq!(why.changes_at, change.map(|change| change.effective_at));
            let first = next_change(&state, &definitions, now);
            prop_assert!(why.changes_at.is_none_or(|at| first.is_some_and(|first| first <= at)));
        }
    }
}

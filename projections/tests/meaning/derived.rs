//! Outputs that are derived from personal attributes, and those that tell nothing of them.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Json;
use tidemark_projections::definitions::{DerivedOutputs, TenantDefinitions};
use tidemark_projections::evaluated::{Change, EvaluatedState};
use tidemark_projections::explain::{eligible_actions, explain};
use tidemark_projections::outputs::{derive, predict};
use tidemark_schemas::{AttributeValue, CustomerEvent, Instant, Payload};

use crate::random::{DAY, conditions, fold, histories, tenant};

const PERSONAL: [&str; 2] = ["a", "t"];

/// A tenant with segments, a stage, an action and a trigger over conditions of the whole language.
fn definitions() -> impl Strategy<Value = Arc<TenantDefinitions>> {
    prop::collection::vec(conditions(), 2..6).prop_map(|conditions| {
        let last = conditions.len() - 1;
        let mut text = format!(
            "tenant:\n  id: t\n  zone: Europe/Berlin\n  currency: EUR\n  attributes: {{ a: {{ personal: \
             true }}, t: {{ personal: true }} }}\njourneys:\n  - name: j\n    stages: [one, two]\n  - \
             name: k\n    stages: [first, {{ name: second, when: {{ segment: s0 }} }}]\nactions:\n  - {{ \
             name: call, value: 10, eligible: {{ segment: s{last} }} }}\n  - {{ name: write, value: 5 \
             }}\nsegments:\n"
        );
        for (index, condition) in conditions.iter().enumerate() {
            writeln!(text, "  - name: s{index}\n    when: {condition}").unwrap();
        }
        text.push_str("  - name: other\n    when: { not: { segment: s0 } }\n");
        text.push_str("  - name: staged\n    when: { stage: { journey: k, is: second } }\n");
        text.push_str("  - name: long\n    when: { member_for: { segment: other, for: 3d } }\n");
        text.push_str("triggers:\n  - { name: enters, on: { entered: other } }\n");
        tenant(&text)
    })
}

/// The same events with other values of the personal attributes.
fn with_other_values(events: &[CustomerEvent], values: &[AttributeValue]) -> Vec<CustomerEvent> {
    let mut values = values.iter().cycle();
    let mut other = events.to_vec();
    for event in &mut other {
        if let Payload::ProfileUpdated(update) = &mut event.payload {
            for value in update.attributes.values_mut() {
                *value = values.next().unwrap().clone();
            }
        }
    }
    other
}

/// All that may be shown of a customer to a reader from whom these outputs are hidden.
fn shown(
    events: &[CustomerEvent],
    definitions: &TenantDefinitions,
    hidden: &DerivedOutputs,
    now: Instant,
) -> Vec<String> {
    let (state, _) = fold(events, definitions);
    let mut evaluated = EvaluatedState::new(definitions.version);
    evaluated.redefine(&state, definitions, now, &mut Vec::new());
    let mut shown = Vec::new();
    for segment in &definitions.segments {
        let name = &segment.name;
        if !hidden.segments.contains(name) {
            let told = explain(&state, &evaluated, definitions, name, now).unwrap();
            shown.push(serde_json::to_string(&told).unwrap());
        }
    }
    let outputs = derive(&state, definitions, now);
    for (journey, stage) in &outputs.journeys {
        if !hidden.journeys.contains(journey) {
            shown.push(format!("{journey} {stage:?}"));
        }
    }
    shown.push(format!("{:?} {:?}", outputs.orders, outputs.churn));
    let mut said = predict(&state, definitions, now);
    said.conversion
        .retain(|journey, _| !hidden.journeys.contains(journey));
    shown.push(format!("{said:?}"));
    for (action, why) in eligible_actions(&state, &evaluated, definitions, now) {
        if !hidden.actions.contains(&action.name) {
            shown.push(format!("{} {why:?}", action.name));
        }
    }
    let mut changes = Vec::new();
    evaluated.step_to(&state, definitions, Instant::MAX, &mut changes);
    let is_hidden = |change: &Change| {
        let mut hidden = hidden.changes();
        hidden.any(|(kind, name)| kind == change.kind && *name == change.name)
    };
    changes.retain(|change| !is_hidden(change));
    shown.extend(changes.iter().map(|change| format!("{change:?}")));
    shown
}

/// Whether a masked explanation shows a time or a value anywhere above or in a masked leaf.
fn times_and_values(explanation: &Json) -> Vec<&Json> {
    let why = &explanation["why"];
    let mut told = vec![
        &explanation["since"],
        &explanation["changes_at"],
        &why["changes_at"],
    ];
    let mut reasons = vec![why];
    while let Some(reason) = reasons.pop() {
        if reason["kind"] == "attribute" {
            told.extend([&reason["changes_at"], &reason["found"]]);
        }
        reasons.extend(reason["of"].as_array().unwrap());
    }
    told
}

fn values() -> impl Strategy<Value = Vec<AttributeValue>> {
    let value = prop_oneof![
        Just(AttributeValue::Null),
        Just(AttributeValue::Boolean(true)),
        (-3..3_i64).prop_map(AttributeValue::Long),
        prop::sample::select(vec![
            "x",
            "y",
            "2018-11-04",
            "2024-03-31",
            "2024-03-31T01:00:00Z"
        ])
        .prop_map(|text| AttributeValue::String(text.into())),
    ];
    prop::collection::vec(value, 12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever a viewer may see of a customer is the same for every value of a personal attribute.
    #[test]
    fn outputs_that_are_not_derived_from_an_attribute_are_the_same_for_every_value(
        definitions in definitions(), events in histories(), values in values(), delay in 0..3 * DAY
    ) {
        let hidden = definitions.derived_from(|name| PERSONAL.contains(&name));
        let other = with_other_values(&events, &values);
        let (state, folded) = fold(&events, &definitions);
        prop_assume!(folded.len() == fold(&other, &definitions).1.len());
        let now = state.last_seen_at().unwrap().plus_micros(delay);
        prop_assert_eq!(
            shown(&events, &definitions, &hidden, now),
            shown(&other, &definitions, &hidden, now)
        );
    }

    /// A masked explanation shows neither the attribute's value nor a time computed from it.
    #[test]
    fn masked_explanations_show_no_value_and_no_time_computed_from_it(
        definitions in definitions(), events in histories(), delay in 0..3 * DAY
    ) {
        let hidden = definitions.derived_from(|name| PERSONAL.contains(&name));
        let (state, _) = fold(&events, &definitions);
        let now = state.last_seen_at().unwrap().plus_micros(delay);
        let mut evaluated = EvaluatedState::new(definitions.version);
        evaluated.redefine(&state, &definitions, now, &mut Vec::new());
        for name in &hidden.segments {
            let mut told = explain(&state, &evaluated, &definitions, name, now).unwrap();
            told.mask(&hidden);
            let told = serde_json::to_value(&told).unwrap();
            prop_assert!(times_and_values(&told).iter().all(|told| told.is_null()), "{}", told);
        }
    }
}

#[test]
fn dependence_is_found_through_segments_stages_actions_and_triggers() {
    let definitions = tenant(
        "tenant: { id: t, zone: UTC, currency: EUR, attributes: { a: { personal: true } } }\njourneys:\n  - \
         { name: k, stages: [first, { name: second, when: { segment: near } }] }\n  - { name: free, \
         stages: [one] }\nactions:\n  - { name: call, value: 10, eligible: { stage: { journey: k, is: \
         second } } }\n  - { name: write, value: 5 }\nsegments:\n  - { name: born, when: { attribute: { \
         name: a, within_last: 3d } } }\n  - { name: near, when: { not: { segment: born } } }\n  - { \
         name: long, when: { member_for: { segment: near, for: 3d } } }\n  - { name: plain, when: { \
         attribute: { name: b, exists: true } } }\ntriggers:\n  - { name: enters, on: { entered: near } }\n  - { name: \
         calm, on: { entered: plain } }\n",
    );
    let hidden = definitions.derived_from(|name| definitions.is_personal(name));
    let names = |names: &std::collections::BTreeSet<Arc<str>>| {
        names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names(&hidden.attributes), "a");
    let segments = names(&hidden.segments);
    for name in ["born", "near", "long"] {
        assert!(segments.contains(name), "{segments}");
    }
    assert!(!segments.contains("plain"), "{segments}");
    assert_eq!(names(&hidden.journeys), "k");
    assert_eq!(names(&hidden.actions), "call");
    assert_eq!(names(&hidden.triggers), "enters");
}

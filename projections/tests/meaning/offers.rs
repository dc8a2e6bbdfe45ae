//! Counts of offers and answers over all customers and over members of segments; eligibility.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemark_projections::counter::CounterKind;
use tidemark_projections::evaluated::{Delta, EvaluatedState};
use tidemark_projections::explain::eligible_actions;
use tidemark_projections::models::Responses;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::Payload;
use tidemark_schemas::event::{ActionAnswered, ActionOffered};

use super::evaluated::{REST, at, event, order, tenant};

const ACTIONS: &str = "
actions:
  - { name: discount, value: 25, eligible: { all: [{ segment: recent }, { not: { churn: { band: high } } }] } }
  - { name: call, value: 3 }
";

fn offer(id: u8, action: &str) -> Payload {
    Payload::ActionOffered(ActionOffered {
        action: action.into(),
        offer_id: id.to_string().as_str().into(),
    })
}

fn answer(id: u8, accepted: bool) -> Payload {
    Payload::ActionAnswered(ActionAnswered {
        offer_id: id.to_string().as_str().into(),
        accepted,
    })
}

fn payloads() -> impl Strategy<Value = Payload> {
    let action = prop::sample::select(vec!["discount", "call", "unknown"]);
    prop_oneof![
        (0..4_u8, action).prop_map(|(id, action)| offer(id, action)),
        (0..4_u8, any::<bool>()).prop_map(|(id, accepted)| answer(id, accepted)),
        (0..3_u8).prop_map(|id| order(&format!("o{id}"))),
    ]
}

/// Counts every offer of every customer at the end.
fn recounted(customers: &[(CustomerState, EvaluatedState)]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for (state, evaluated) in customers {
        for offer in state.records().offers.iter() {
            let action = &offer.offered.action;
            if &**action == "unknown" {
                continue;
            }
            let accepted = offer.answer.is_some_and(|answer| answer.accepted);
            let whats = if accepted {
                &["offered", "accepted"][..]
            } else {
                &["offered"]
            };
            for what in whats {
                *counts.entry(format!("{action}/{what}")).or_default() += 1;
                for segment in evaluated.segments.keys() {
                    *counts
                        .entry(format!("{action}/{segment}/{what}"))
                        .or_default() += 1;
                }
            }
        }
    }
    counts
}

proptest! {
    #[test]
    fn offer_counts_by_deltas_equal_a_full_count(
        customers in prop::collection::vec(
            prop::collection::vec((0..40 * 86_400_000_000_i64, payloads()), 1..12), 1..4
        ),
        looks in prop::collection::vec(any::<bool>(), 1..5),
    ) {
        let definitions = tenant(0, &format!("{REST}{ACTIONS}"));
        let mut counted: BTreeMap<String, i64> = BTreeMap::new();
        let mut ends = Vec::new();
        for (number, payloads) in (0..).zip(customers) {
            let (mut state, mut evaluated) = (CustomerState::default(), EvaluatedState::new(0));
            let mut flushed: Option<EvaluatedState> = None;
            let mut flush = |evaluated: &mut EvaluatedState| {
                for (kind, name, by) in Delta::between(flushed.as_ref(), evaluated).counters() {
                    if matches!(kind, CounterKind::Offer | CounterKind::OfferSegment) {
                        *counted.entry(name).or_default() += by;
                    }
                }
                *evaluated = EvaluatedState::decode(&evaluated.encode()).unwrap();
                flushed = Some(evaluated.clone());
            };
            let mut changes = Vec::new();
            let mut clock = at("2024-02-01T00:00:00Z");
            let looks = looks.iter().cycle();
            for ((id, (offset, payload)), look) in (0_u128..).zip(payloads).zip(looks) {
                let occurred_at = at("2024-02-01T00:00:00Z").plus_micros(offset);
                clock = clock.max(occurred_at);
                if state.first_seen_at().is_some() {
                    evaluated.step_to(&state, &definitions, clock, &mut changes);
                }
                let event = event(number * 100 + id, occurred_at, payload);
                state.fold(&event, &definitions.rules).unwrap();
                evaluated.observe(&state, &definitions, &event, &mut changes);
                if *look {
                    flush(&mut evaluated);
                }
            }
            evaluated.step_to(&state, &definitions, at("2024-03-20T00:00:00Z"), &mut changes);
            flush(&mut evaluated);
            ends.push((state, evaluated));
        }
        counted.retain(|_, count| *count != 0);
        prop_assert_eq!(counted, recounted(&ends));
    }
}

#[test]
fn offers_of_undefined_actions_are_not_counted() {
    let definitions = tenant(0, REST);
    let mut state = CustomerState::default();
    let made = event(1, at("2024-02-01T00:00:00Z"), offer(1, "discount"));
    state.fold(&made, &definitions.rules).unwrap();
    let mut evaluated = EvaluatedState::new(0);
    evaluated.observe(&state, &definitions, &made, &mut Vec::new());
    assert!(evaluated.offered.is_empty());
    // Once it is defined, it counts: whenever it was made.
    let defined = tenant(1, &format!("{REST}{ACTIONS}"));
    evaluated.redefine(
        &state,
        &defined,
        at("2024-02-02T00:00:00Z"),
        &mut Vec::new(),
    );
    let once = Responses {
        offered: 1,
        accepted: 0,
    };
    assert_eq!(evaluated.offered.get("discount"), Some(&once));
}

#[test]
fn eligibility_is_explained_by_condition() {
    let definitions = tenant(0, &format!("{REST}{ACTIONS}"));
    let mut state = CustomerState::default();
    let bought = event(1, at("2024-02-01T00:00:00Z"), order("a"));
    state.fold(&bought, &definitions.rules).unwrap();
    let mut evaluated = EvaluatedState::new(0);
    evaluated.observe(&state, &definitions, &bought, &mut Vec::new());
    let eligible = |evaluated: &EvaluatedState, now: &str| -> Vec<(String, usize)> {
        let found = eligible_actions(&state, evaluated, &definitions, at(now));
        let told = found
            .iter()
            .map(|(action, why)| (action.name.to_string(), why.len()));
        told.collect()
    };
    let both = [("discount".to_owned(), 2), ("call".to_owned(), 0)];
    assert_eq!(eligible(&evaluated, "2024-02-01T00:00:00Z"), both);
    let found = eligible_actions(&state, &evaluated, &definitions, at("2024-02-01T00:00:00Z"));
    let said: Vec<_> = found[0]
        .1
        .iter()
        .map(|of| (of.kind.as_str(), of.holds))
        .collect();
    assert_eq!(said, [("segment", true), ("churn", false)]);
    // A month later the customer is no longer recent.
    evaluated.step_to(
        &state,
        &definitions,
        at("2024-03-01T00:00:00Z"),
        &mut Vec::new(),
    );
    assert_eq!(eligible(&evaluated, "2024-03-01T00:00:00Z"), both[1..]);
}

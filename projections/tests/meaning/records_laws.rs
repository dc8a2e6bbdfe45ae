//! Conditions on records, against a second evaluator that reads the sorted list of all the events,
//! and the law of `next_change` for them.

use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::outputs::{evaluate, next_change};
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerEvent, Instant};

use super::support::tenant_with;

#[path = "records_laws/naive.rs"]
mod naive;
#[path = "records_laws/random.rs"]
mod random;

use random::{DAY, histories, leaves};

/// Clocks with no midnight on some days, midnight twice, half-hour shifts and a whole day skipped.
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/Havana",
    "Pacific/Apia",
    "Asia/Beirut",
];

fn tenant(zone: &str, leaf: &str) -> Arc<TenantDefinitions> {
    // So that nothing is late, in whatever order it comes.
    let settings =
        format!("zone: {zone}, currency: EUR, rates: {{ USD: '0.5' }}, dedup_horizon: 400d");
    tenant_with(
        &settings,
        &format!("segments: [{{ name: s, when: {leaf} }}]"),
    )
}

/// A tenant with several of these conditions, and events in any order.
pub(crate) fn tenants() -> impl Strategy<Value = (Arc<TenantDefinitions>, Vec<CustomerEvent>)> {
    let leaves = prop::collection::vec(leaves(), 1..4);
    let events = histories().prop_flat_map(|events| Just(events).prop_shuffle());
    (prop::sample::select(ZONES.to_vec()), leaves, events).prop_map(|(zone, leaves, events)| {
        let named = leaves.iter().enumerate();
        let segments = named.map(|(place, leaf)| format!("{{ name: s{place}, when: {leaf} }}"));
        let segments: Vec<String> = segments.collect();
        let settings = format!("zone: {zone}, currency: EUR, dedup_horizon: 400d");
        let segments = format!("segments: [{}]", segments.join(", "));
        (tenant_with(&settings, &segments), events)
    })
}

fn fold(events: &[CustomerEvent], definitions: &TenantDefinitions) -> CustomerState {
    let mut state = CustomerState::default();
    for event in events {
        state.fold(event, &definitions.rules).unwrap();
    }
    state
}

fn holds(state: &CustomerState, definitions: &TenantDefinitions, at: Instant) -> bool {
    evaluate(state, definitions, at).segments[0]
}

/// More steps than any of these histories can give cause to.
const MAX_STEPS: usize = 100;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn record_conditions_equal_the_naive_evaluator_in_any_order(
        zone in prop::sample::select(ZONES.to_vec()),
        leaf in leaves(),
        (events, arrivals) in histories().prop_flat_map(|events| {
            let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
            (Just(events), Just(twice).prop_shuffle())
        }),
        delays in prop::collection::vec(prop_oneof![0..3 * DAY, 0..500 * DAY], 3),
    ) {
        let definitions = tenant(zone, &leaf);
        let states = [&events, &arrivals].map(|events| fold(events, &definitions));
        prop_assert_eq!(states[0].encode(), states[1].encode());
        let newest = states[0].last_seen_at().unwrap();
        for delay in delays {
            let at = newest.plus_micros(delay);
            let expected = naive::holds(&definitions, &events, at);
            prop_assert_eq!(holds(&states[0], &definitions, at), expected, "{} at {}", leaf, at);
        }
    }

    /// Neither late nor early: a lone condition changes at its next change and not before.
    #[test]
    fn record_conditions_change_only_at_next_change(
        zone in prop::sample::select(ZONES.to_vec()),
        leaf in leaves(),
        events in histories(),
        shares in prop::collection::vec(0.0..1.0_f64, 3),
    ) {
        let definitions = tenant(zone, &leaf);
        let state = fold(&events, &definitions);
        let mut at = state.last_seen_at().unwrap();
        for _ in 0..MAX_STEPS {
            let now = holds(&state, &definitions, at);
            let next = next_change(&state, &definitions, at);
            let last = next.unwrap_or(at.plus_micros(2_000 * DAY)).plus_micros(-1);
            let span = last.micros() - at.micros();
            let mut samples = vec![last];
            for share in &shares {
                for part in [span, span.min(DAY)] {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss,
                        reason = "any instant in between will do")]
                    samples.push(at.plus_micros((part as f64 * share) as i64));
                }
            }
            for sample in samples {
                let later = holds(&state, &definitions, sample);
                prop_assert_eq!(later, now, "{} at {} of [{}, {:?})", leaf, sample, at, next);
            }
            let Some(next) = next else { return Ok(()) };
            prop_assert_ne!(holds(&state, &definitions, next), now, "{} at {}", leaf, next);
            at = next;
        }
        prop_assert!(false, "more than {MAX_STEPS} steps");
    }
}

//! Memberships equal those of the naive evaluator over the sorted list of events, for every order of
//! events and every passage of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::outputs::derive;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerEvent, Instant};

use super::naive;
use super::random::{DAY, definitions, fold, histories};

/// The evaluator's memberships, by segment.
fn evaluated(
    state: &CustomerState,
    definitions: &TenantDefinitions,
    at: Instant,
) -> BTreeMap<Arc<str>, bool> {
    let members = derive(state, definitions, at).segments;
    let segments = definitions.segments.iter();
    segments
        .map(|segment| (Arc::clone(&segment.name), members.contains(&segment.name)))
        .collect()
}

/// Instants at which something could change: around midnights, and whole hours after events.
fn occasions(events: &[CustomerEvent], definitions: &TenantDefinitions) -> Vec<Instant> {
    let zone = &definitions.rules.zone;
    let mut occasions = Vec::new();
    for event in events {
        let at = event.occurred_at;
        occasions.extend((0..73).map(|hours| at.plus_micros(hours * DAY / 24)));
        occasions.extend((1..90).map(|minutes| at.plus_micros(minutes * DAY / 1_440)));
        let zoned = at.to_jiff().to_zoned(zone.clone());
        let same_time = (1..400).map(|days| zoned.checked_add(jiff::Span::new().days(days)));
        occasions.extend(same_time.map(|zoned| Instant::from_jiff(zoned.unwrap().timestamp())));
        let midnights = (1..400).map(|days| zoned.date().checked_add(jiff::Span::new().days(days)));
        occasions.extend(midnights.map(|date| {
            let midnight = date.unwrap().to_zoned(zone.clone()).unwrap();
            Instant::from_jiff(midnight.start_of_day().unwrap().timestamp())
        }));
    }
    occasions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn membership_equals_the_naive_evaluator_in_any_order(
        definitions in definitions(),
        (events, arrivals) in histories().prop_flat_map(|events| {
            let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
            (Just(events), Just(twice).prop_shuffle())
        }),
        delays in prop::collection::vec(prop_oneof![0..3 * DAY, 0..500 * DAY], 3),
    ) {
        for events in [&events, &arrivals] {
            let (state, folded) = fold(events, &definitions);
            let newest = state.last_seen_at().unwrap();
            for delay in &delays {
                let at = newest.plus_micros(*delay);
                prop_assert_eq!(
                    evaluated(&state, &definitions, at),
                    naive::memberships(&definitions.source, &folded, at),
                    "at {}", at
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_year_of_timers_equals_evaluation_at_every_possible_change(
        definitions in definitions(), events in histories()
    ) {
        let mut occasions = occasions(&events, &definitions);
        let begin = events[0].occurred_at;
        occasions.retain(|at| (begin..begin.plus_micros(366 * DAY)).contains(at));
        let around = occasions.iter().flat_map(|at| [at.plus_micros(-1), *at]);
        let mut occasions: Vec<Instant> = around.collect();
        occasions.sort_unstable();
        occasions.dedup();
        let mut evaluated = EvaluatedState::new(definitions.version);
        let mut changes = Vec::new();
        let mut arrived: Vec<CustomerEvent> = Vec::new();
        let mut coming = events.iter().peekable();
        for at in occasions {
            let (mut state, _) = fold(&arrived, &definitions);
            while let Some(event) = coming.next_if(|event| event.occurred_at <= at) {
                evaluated.step_to(&state, &definitions, event.occurred_at, &mut changes);
                arrived.push(event.clone());
                state = fold(&arrived, &definitions).0;
                evaluated.observe(&state, &definitions, event, &mut changes);
            }
            if arrived.is_empty() {
                continue;
            }
            evaluated.step_to(&state, &definitions, at, &mut changes);
            let naive = naive::memberships(&definitions.source, &arrived, at);
            let members = naive.into_iter().filter(|(_, member)| *member);
            let members: Vec<_> = members.map(|(name, _)| name).collect();
            let evaluated: Vec<_> = evaluated.segments.keys().cloned().collect();
            prop_assert_eq!(evaluated, members, "at {}", at);
        }
    }
}

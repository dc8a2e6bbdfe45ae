//! Neither the order of events, nor their repetition, nor where the batches end leaves a trace.

use proptest::prelude::*;
use tidemark_projections::state::{CustomerState, Folded};
use tidemark_schemas::CustomerEvent;

use crate::support::{events, fold, oldest_first, rules};

/// Events, the same events shuffled with some of them repeated, and after which of those the state
/// is stored and loaded again.
fn deliveries() -> impl Strategy<Value = (Vec<CustomerEvent>, Vec<(CustomerEvent, bool)>)> {
    events(1, 24)
        .prop_flat_map(|events| {
            let repeated = proptest::sample::subsequence(events.clone(), 0..=events.len());
            (Just(events), repeated)
        })
        .prop_flat_map(|(events, repeated)| {
            let all: Vec<CustomerEvent> = events.iter().chain(&repeated).cloned().collect();
            let stored = proptest::collection::vec(any::<bool>(), all.len());
            (Just(events), Just(all).prop_shuffle(), stored)
        })
        .prop_map(|(events, all, stored)| (events, all.into_iter().zip(stored).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_repetition_and_split_gives_the_same_bytes((events, deliveries) in deliveries()) {
        let (expected, accepted) = fold(&events);
        prop_assert_eq!(accepted.len(), events.len(), "within the horizon nothing is late");
        let mut state = CustomerState::default();
        for (event, store_and_load) in deliveries {
            state.fold(&event, &rules()).unwrap();
            if store_and_load {
                state = CustomerState::decode(&state.encode()).unwrap();
            }
        }
        prop_assert_eq!(&state, &expected);
        prop_assert_eq!(state.encode(), expected.encode());
    }

    /// If events span many horizons, their order decides which of them are late, but not the state of
    /// the others.
    #[test]
    fn state_is_a_function_of_the_set_of_folded_events(events in events(6, 40)) {
        let (state, accepted) = fold(&events);
        let (reference, all) = fold(&oldest_first(&accepted));
        prop_assert_eq!(all.len(), accepted.len(), "oldest first, nothing is late");
        prop_assert_eq!(&state, &reference);
        prop_assert_eq!(state.encode(), reference.encode());
    }

    #[test]
    fn the_fold_result_reports_whether_the_state_changed(events in events(6, 40)) {
        let mut state = CustomerState::default();
        for event in events {
            let before = state.clone();
            let changed = match state.fold(&event, &rules()) {
                Ok(Folded::New) => true,
                Ok(Folded::Duplicate) | Err(_) => false,
            };
            prop_assert_eq!(state != before, changed);
            prop_assert_eq!(state.encode() != before.encode(), changed);
        }
    }

    #[test]
    fn an_event_just_folded_is_a_duplicate(events in events(6, 40)) {
        let mut state = CustomerState::default();
        for event in events {
            if state.fold(&event, &rules()).is_ok() {
                prop_assert_eq!(state.fold(&event, &rules()), Ok(Folded::Duplicate));
            }
        }
    }

    #[test]
    fn first_and_last_seen_are_the_oldest_and_newest_event(events in events(6, 40)) {
        let (state, accepted) = fold(&events);
        let instants = || accepted.iter().map(|event| event.occurred_at);
        prop_assert_eq!(state.first_seen_at(), instants().min());
        prop_assert_eq!(state.last_seen_at(), instants().max());
    }
}

//! Uniting states: commutative, associative, and the same as folding all the events.

use proptest::prelude::*;
use tidemark_projections::state::{Activity, Campaigns, Conversations, CustomerState};
use tidemark_schemas::CustomerEvent;

use crate::support::{events, fold, under_other_ids};

fn united(states: &[&CustomerState]) -> CustomerState {
    let mut all = CustomerState::default();
    for state in states {
        all.merge(state);
    }
    all
}

fn together(one: &[CustomerEvent], other: &[CustomerEvent]) -> CustomerState {
    fold(&[one, other].concat()).0
}

/// Counts are added; everything else is a union.
fn without_counts(mut state: CustomerState) -> CustomerState {
    state.activity = Activity::default();
    state.conversations = Conversations::default();
    if let Some(records) = &mut state.records {
        records.campaigns = Campaigns::default();
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn merge_is_commutative_and_associative(
        a in events(6, 16), b in events(6, 16), c in events(6, 16),
    ) {
        let (b, c) = (under_other_ids(&b, 1_000), under_other_ids(&c, 2_000));
        let [a, b, c] = [a, b, c].map(|events| fold(&events).0);
        let ab = united(&[&a, &b]);
        let bc = united(&[&b, &c]);
        prop_assert_eq!(ab.encode(), united(&[&b, &a]).encode());
        prop_assert_eq!(united(&[&ab, &c]).encode(), united(&[&a, &bc]).encode());
        let alone = united(&[&CustomerState::default(), &a]);
        prop_assert_eq!(alone.customer(), a.customer());
        prop_assert_eq!(alone, a);
    }

    #[test]
    fn merge_is_idempotent_except_for_counts(a in events(6, 16), b in events(6, 16)) {
        let [a, b] = [a, b].map(|events| fold(&events).0);
        let ab = united(&[&a, &b]);
        prop_assert_eq!(without_counts(united(&[&a, &a])), without_counts(a));
        prop_assert_eq!(without_counts(united(&[&ab, &b])), without_counts(ab));
    }

    #[test]
    fn merge_equals_folding_all_events_within_the_horizon(a in events(1, 20), b in events(1, 20)) {
        let b = under_other_ids(&b, 1_000);
        let merged = united(&[&fold(&a).0, &fold(&b).0]);
        prop_assert_eq!(merged.encode(), together(&a, &b).encode());
    }

    #[test]
    fn merge_of_keyed_records_equals_folding_all_events(a in events(6, 20), b in events(6, 20)) {
        let merged = united(&[&fold(&a).0, &fold(&b).0]);
        let folded = together(&a, &b);
        prop_assert_eq!(&merged.orders, &folded.orders);
        prop_assert_eq!(&merged.journeys, &folded.journeys);
        let (merged, folded) = (merged.records(), folded.records());
        prop_assert_eq!(&merged.subscriptions, &folded.subscriptions);
        prop_assert_eq!(&merged.tickets, &folded.tickets);
        prop_assert_eq!(&merged.offers, &folded.offers);
        prop_assert_eq!(&merged.consents, &folded.consents);
    }

    #[test]
    fn a_merged_state_round_trips(a in events(6, 20), b in events(6, 20)) {
        let merged = united(&[&fold(&a).0, &fold(&b).0]);
        prop_assert_eq!(CustomerState::decode(&merged.encode()), Ok(merged));
    }
}

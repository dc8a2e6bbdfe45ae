//! Tracked counters: order-free like core state, and one encoding of each.

use proptest::prelude::*;
use tidemark_projections::definitions::expression::Duration;
use tidemark_projections::state::tracked::{Pace, Steps};
use tidemark_projections::state::{CustomerState, LeafId, LeafRole, Tracked};
use tidemark_schemas::{CustomerEvent, Instant, Payload};

use crate::support::{DAY, after, events, fold, oldest_first, rules};

/// Counts what was folded: every login, every activity from a later instant on, and how often a
/// login is followed by two others.
fn tracked(events: &[CustomerEvent], kept_on_the_way: bool) -> CustomerState {
    let mut state = CustomerState::default();
    let mut seen = std::collections::BTreeSet::new();
    for event in events {
        let new = state.fold(event, &rules()).is_ok();
        if !new || !seen.insert((event.occurred_at, event.event_id)) {
            continue;
        }
        if let Payload::ActivityTracked(activity) = &event.payload {
            let login =
                (&*activity.name == "login").then_some((LeafId(7), LeafRole::Count, after(0)));
            let any = (LeafId(1), LeafRole::Count, after(9 * DAY));
            let step = match &*activity.name {
                "login" => Steps(0b001),
                _ => Steps(0b110),
            };
            let sequence = |hours: i64| Pace {
                steps: 3,
                length: Duration::Exact(hours * 3_600_000_000),
            };
            let short = (
                LeafId(2),
                LeafRole::Steps(step, sequence(20)),
                after(2 * DAY),
            );
            let long = (LeafId(3), LeafRole::Steps(step, sequence(500)), after(0));
            let leaves = login.into_iter().chain([any, short, long]);
            state.track(event, &rules(), leaves);
            if kept_on_the_way {
                state.tracked = Tracked::decode(&state.tracked.encode()).unwrap();
            }
        }
    }
    state
}

/// One kind of event, so that an id and an instant are one event.
fn activities(horizons: i64) -> impl Strategy<Value = Vec<CustomerEvent>> {
    events(horizons, 60).prop_map(|events| {
        let is_activity =
            |event: &CustomerEvent| matches!(event.payload, Payload::ActivityTracked(_));
        events.into_iter().filter(is_activity).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn counters_are_a_function_of_the_set_of_folded_events(events in activities(6)) {
        let accepted = fold(&events).1;
        let counted = tracked(&accepted, false);
        prop_assert_eq!(&counted.tracked, &tracked(&oldest_first(&accepted), false).tracked);
        prop_assert_eq!(&counted.tracked, &tracked(&accepted, true).tracked, "kept in between");
        prop_assert_eq!(&counted.encode(), &fold(&accepted).0.encode(), "not core state");
        let login = counted.tracked.get(LeafId(7));
        prop_assert_eq!(login, counted.activity.get("login"), "a leaf that all satisfy");
        let early = |at: Instant| at < after(9 * DAY);
        let any = counted.tracked.get(LeafId(1));
        prop_assert!(any.is_none_or(|any| !early(any.first)));
    }

    #[test]
    fn decoding_inverts_encoding(events in activities(6)) {
        let counted = tracked(&fold(&events).1, false).tracked;
        let bytes = counted.encode();
        prop_assert_eq!(bytes.is_empty(), counted.is_empty());
        prop_assert_eq!(Tracked::decode(&bytes), Ok(counted));
        for end in 1..bytes.len() {
            prop_assert!(Tracked::decode(&bytes[..end]).is_err());
        }
    }
}

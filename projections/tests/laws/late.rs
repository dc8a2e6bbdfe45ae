//! Late events, by example; a refused event changes nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidemark_projections::state::{CustomerState, Folded, Late};
use tidemark_schemas::{CustomerEvent, Payload};

use crate::support::{
    DAY, HORIZON, activity, after, event, events, order, profile, refund, rules, stage, string,
};

fn given(days_and_payloads: &[(i64, Payload)]) -> CustomerState {
    let mut state = CustomerState::default();
    for (number, (day, payload)) in (0..).zip(days_and_payloads) {
        state
            .fold(&event(number, after(day * DAY), payload.clone()), &rules())
            .unwrap();
    }
    state
}

/// The result of folding one more event.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Changes,
    IsDuplicate,
    /// The horizon is that of an event on this day.
    IsLateAfterDay(i64),
}
use Then::{Changes, IsDuplicate, IsLateAfterDay};

#[track_caller]
fn check(mut state: CustomerState, when: &CustomerEvent, then: Then) {
    let before = state.clone();
    let expected = match then {
        Changes => Ok(Folded::New),
        IsDuplicate => Ok(Folded::Duplicate),
        IsLateAfterDay(day) => Err(Late {
            horizon: after(day * DAY - HORIZON),
        }),
    };
    assert_eq!(state.fold(when, &rules()), expected);
    assert_eq!(state != before, then == Changes);
    assert_eq!(state.encode() != before.encode(), then == Changes);
}

fn plan(value: &str) -> Payload {
    profile([("plan", string(value))])
}

#[test]
fn a_high_volume_event_behind_the_horizon_is_late() {
    let state = || given(&[(0, activity("login")), (20, activity("login"))]);
    check(
        state(),
        &event(9, after(13 * DAY - 1), activity("login")),
        IsLateAfterDay(20),
    );
    check(
        state(),
        &event(9, after(13 * DAY), activity("login")),
        Changes,
    );
    check(
        state(),
        &event(1, after(20 * DAY), activity("login")),
        IsDuplicate,
    );
    // Folded long ago and forgotten since: it cannot be told from a new one.
    check(
        state(),
        &event(0, after(0), activity("login")),
        IsLateAfterDay(20),
    );
}

#[test]
fn any_kind_of_event_moves_the_horizon() {
    let state = given(&[(0, activity("login")), (20, order("o-1", 100))]);
    check(
        state,
        &event(9, after(DAY), activity("login")),
        IsLateAfterDay(20),
    );
}

#[test]
fn consequential_events_are_never_late_and_deduplicated_for_life() {
    let history = [
        (0, order("o-1", 100)),
        (1, refund("o-1", 50)),
        (2, stage("sales", "lead")),
        (900, plan("pro")),
    ];
    for (number, (day, payload)) in (0..).zip(&history) {
        let again = event(number, after(day * DAY), payload.clone());
        check(given(&history), &again, IsDuplicate);
    }
    for payload in [order("o-2", 100), refund("o-1", 50), stage("sales", "lead")] {
        check(given(&history), &event(9, after(3 * DAY), payload), Changes);
    }
}

/// Writes a plan behind the horizon to a customer that was free on day 0 and pro from day 10, and
/// pro again on days 20 and 30.
#[track_caller]
fn check_old_plan(day: i64, value: &str, then: Then) {
    let state = given(&[
        (0, plan("free")),
        (10, plan("pro")),
        (20, plan("pro")),
        (30, plan("pro")),
        (100, plan("pro")),
    ]);
    check(state, &event(9, after(day * DAY), plan(value)), then);
}

#[test]
fn an_old_profile_write_is_late_only_inside_a_compressed_run() {
    check_old_plan(15, "free", IsLateAfterDay(100));
    check_old_plan(25, "free", IsLateAfterDay(100));
    // The value it had anyway.
    check_old_plan(25, "pro", IsDuplicate);
    // After the last write behind the horizon: restarts the run at day 100.
    check_old_plan(40, "free", Changes);
    // Before the run: it begins earlier, or something else came in front of it.
    check_old_plan(5, "pro", Changes);
    check_old_plan(5, "trial", Changes);
}

#[test]
fn a_superseded_profile_write_changes_nothing() {
    let state = given(&[
        (0, order("o-1", 1)),
        (10, plan("free")),
        (20, plan("pro")),
        (90, plan("pro")),
    ]);
    check(state, &event(9, after(DAY), plan("trial")), IsDuplicate);
}

#[test]
fn one_late_attribute_refuses_the_whole_event() {
    let state = given(&[(0, plan("pro")), (2, plan("pro")), (100, activity("login"))]);
    let update = profile([("city", string("Bonn")), ("plan", string("free"))]);
    check(state, &event(9, after(DAY), update), IsLateAfterDay(100));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_refused_event_leaves_the_state_unchanged(events in events(6, 40)) {
        let mut state = CustomerState::default();
        for event in events {
            let before = state.clone();
            if state.fold(&event, &rules()).is_err() {
                prop_assert_eq!(state.encode(), before.encode());
                prop_assert_eq!(&state, &before);
            }
        }
    }
}

#[test]
fn an_accepted_late_event_counts_once() {
    let old = event(9, after(0), activity("login"));
    let given = || given(&[(0, order("o-1", 1)), (900, activity("login"))]);
    let mut state = given();
    assert!(state.fold(&old, &rules()).is_err());
    assert_eq!(state.fold_accepted(&old, &rules()), Ok(Folded::New));
    assert_eq!(state.activity.get("login").unwrap().count, 2);
    for _ in 0..2 {
        let before = state.encode();
        let mut loaded = CustomerState::decode(&before).unwrap();
        assert_eq!(loaded.fold_accepted(&old, &rules()), Ok(Folded::Duplicate));
        assert_eq!(loaded.encode(), before);
    }
}

#[test]
fn a_late_profile_write_cannot_be_accepted() {
    let mut state = given(&[(0, plan("pro")), (2, plan("pro")), (100, activity("login"))]);
    let between = event(9, after(DAY), plan("free"));
    let before = state.clone();
    assert!(state.fold_accepted(&between, &rules()).is_err());
    assert_eq!(state, before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// If every high-volume event is accepted, none is late in any order.
    #[test]
    fn accepted_late_events_are_order_free(
        (events, shuffled) in events(6, 30).prop_flat_map(|events| {
            // Of profile updates some stay late: which ones depends on the order.
            // The same id is the same event.
            let mut ids = BTreeSet::new();
            let events: Vec<_> = events
                .into_iter()
                .filter(|event| !matches!(event.payload, Payload::ProfileUpdated(_)))
                .filter(|event| ids.insert(event.event_id))
                .collect();
            (Just(events.clone()), Just([events.clone(), events].concat()).prop_shuffle())
        }),
    ) {
        let folded = |events: &[CustomerEvent]| {
            let mut state = CustomerState::default();
            for event in events {
                state.fold_accepted(event, &rules()).unwrap();
            }
            state
        };
        prop_assert_eq!(folded(&events).encode(), folded(&shuffled).encode());
    }
}

//! What is late, by example, and that a refusal changes nothing.

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

#[track_caller]
fn check(mut state: CustomerState, when: &CustomerEvent, then: &Result<Folded, Late>) {
    let before = state.clone();
    assert_eq!(state.fold(when, &rules()), *then);
    assert_eq!(state != before, *then == Ok(Folded::New));
    assert_eq!(state.encode() != before.encode(), *then == Ok(Folded::New));
}

fn plan(value: &str) -> Payload {
    profile([("plan", string(value))])
}

fn horizon_of_day(day: i64) -> Late {
    Late {
        horizon: after(day * DAY - HORIZON),
    }
}

#[test]
fn a_high_volume_event_is_late_once_it_is_behind_the_horizon() {
    let state = || given(&[(0, activity("login")), (20, activity("login"))]);
    let late = Err(horizon_of_day(20));
    check(
        state(),
        &event(9, after(13 * DAY - 1), activity("login")),
        late.clone(),
    );
    check(
        state(),
        &event(9, after(13 * DAY), activity("login")),
        Ok(Folded::New),
    );
    check(
        state(),
        &event(1, after(20 * DAY), activity("login")),
        Ok(Folded::Duplicate),
    );
    // Folded long ago and forgotten since: it cannot be told from a new one.
    check(state(), &event(0, after(0), activity("login")), &late);
}

#[test]
fn any_kind_of_event_moves_the_horizon() {
    let state = given(&[(0, activity("login")), (20, order("o-1", 100))]);
    check(
        state,
        &event(9, after(DAY), activity("login")),
        Err(horizon_of_day(20)),
    );
}

#[test]
fn consequential_events_are_never_late_and_recognised_for_life() {
    let history = [
        (0, order("o-1", 100)),
        (1, refund("o-1", 50)),
        (2, stage("sales", "lead")),
        (900, plan("pro")),
    ];
    for (number, (day, payload)) in (0..).zip(&history) {
        let again = event(number, after(day * DAY), payload.clone());
        check(given(&history), &again, &Ok(Folded::Duplicate));
    }
    for payload in [order("o-2", 100), refund("o-1", 50), stage("sales", "lead")] {
        check(
            given(&history),
            &event(9, after(3 * DAY), payload),
            Ok(Folded::New),
        );
    }
}

#[test]
fn an_old_write_is_late_only_where_it_cannot_be_placed() {
    // Behind the horizon: free on day 0, pro from day 10, pro again on days 20 and 30.
    let history = [
        (0, plan("free")),
        (10, plan("pro")),
        (20, plan("pro")),
        (30, plan("pro")),
        (100, plan("pro")),
    ];
    let late = || Err(horizon_of_day(100));
    let cases = [
        ("another value within the run", 15, "free", late()),
        ("another value within the run", 25, "free", late()),
        (
            "the run's value within the run",
            25,
            "pro",
            Ok(Folded::Duplicate),
        ),
        ("after the run's end", 40, "free", Ok(Folded::New)),
        ("the run begins earlier", 5, "pro", Ok(Folded::New)),
        (
            "a newer value in front of the run",
            5,
            "trial",
            Ok(Folded::New),
        ),
        ("long superseded", -5, "trial", Ok(Folded::New)),
    ];
    for (what, day, value, then) in cases {
        let mut state = given(&history);
        assert_eq!(
            state.fold(&event(9, after(day * DAY), plan(value)), &rules()),
            then,
            "{what}"
        );
    }
}

#[test]
fn one_write_that_cannot_be_placed_refuses_the_whole_event() {
    let state = given(&[(0, plan("pro")), (2, plan("pro")), (100, activity("login"))]);
    let update = profile([("city", string("Bonn")), ("plan", string("free"))]);
    check(
        state,
        &event(9, after(DAY), update),
        Err(horizon_of_day(100)),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_refusal_leaves_the_state_as_it_was(events in events(6, 40)) {
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

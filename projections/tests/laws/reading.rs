//! Results of accumulators, compared with a naive evaluation of all events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tidemark_projections::state::attributes::CurrentValue;
use tidemark_projections::state::journeys::CurrentStage;
use tidemark_projections::state::orders::DayTotal;
use tidemark_projections::state::{CustomerState, Stamp};
use tidemark_schemas::{AttributeValue, CustomerEvent, Instant, Payload};

use crate::support::{
    DAY, activity, after, currency, event, events, fold, order, profile, refund, rules, stage,
    string,
};

fn stamp(event: &CustomerEvent) -> Stamp {
    Stamp {
        at: event.occurred_at,
        id: event.event_id,
    }
}

/// The last of the sorted points, and when the run of equal ones began.
fn last_run<T: Ord + Clone>(points: &BTreeSet<(Stamp, T)>) -> Option<(T, Instant)> {
    let (_, last) = points.last()?;
    let run = points.iter().rev().take_while(|(_, value)| value == last);
    run.last().map(|(stamp, value)| (value.clone(), stamp.at))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Although most points were dropped, nothing that is asked got lost.
    #[test]
    fn attribute_values_and_runs_equal_the_whole_history(events in events(8, 60)) {
        let (state, accepted) = fold(&events);
        let mut histories: BTreeMap<Arc<str>, BTreeSet<(Stamp, AttributeValue)>> = BTreeMap::new();
        for event in &accepted {
            if let Payload::ProfileUpdated(update) = &event.payload {
                for (name, value) in &update.attributes {
                    histories.entry(Arc::clone(name)).or_default()
                        .insert((stamp(event), value.clone()));
                }
            }
        }
        prop_assert_eq!(state.attributes.iter().count(), histories.len());
        for (name, history) in histories {
            let (value, since) = last_run(&history).unwrap();
            let expected = Some(CurrentValue { value: &value, since });
            prop_assert_eq!(state.attributes.get(&name), expected);
        }
    }

    #[test]
    fn stages_equal_the_whole_history(events in events(8, 40)) {
        let (state, accepted) = fold(&events);
        let mut histories: BTreeMap<Arc<str>, BTreeSet<(Stamp, Arc<str>)>> = BTreeMap::new();
        for event in &accepted {
            if let Payload::StageEntered(entered) = &event.payload {
                histories.entry(Arc::clone(&entered.journey)).or_default()
                    .insert((stamp(event), Arc::clone(&entered.stage)));
            }
        }
        for (journey, history) in histories {
            let (stage, since) = last_run(&history).unwrap();
            let current = Some(CurrentStage { stage: &stage, since });
            prop_assert_eq!(state.journeys.current(&journey), current);
            let first = history.iter().find(|(_, entered)| *entered == stage);
            let reached = state.journeys.reached(&journey, &stage);
            prop_assert_eq!(reached, first.map(|(stamp, _)| stamp.at));
            prop_assert_eq!(state.journeys.entries(&journey).len(), history.len());
        }
    }
}

fn given(events: &[(i64, Payload)]) -> CustomerState {
    let mut state = CustomerState::default();
    for (number, (micros, payload)) in (0..).zip(events) {
        state
            .fold(&event(number, after(*micros), payload.clone()), &rules())
            .unwrap();
    }
    state
}

#[track_caller]
fn check_plan(events: &[(i64, Payload)], value: &str, since_micros: i64) {
    let state = given(events);
    let expected = CurrentValue {
        value: &string(value),
        since: after(since_micros),
    };
    assert_eq!(state.attributes.get("plan"), Some(expected));
}

fn plan(value: &str) -> Payload {
    profile([("plan", string(value))])
}

#[test]
fn a_repeated_equal_value_does_not_restart_the_run() {
    check_plan(
        &[(0, plan("free")), (1, plan("pro")), (2, plan("pro"))],
        "pro",
        1,
    );
    let much_later = [
        (0, plan("free")),
        (DAY, plan("pro")),
        (90 * DAY, plan("pro")),
    ];
    check_plan(&much_later, "pro", DAY);
}

#[test]
fn a_late_differing_write_restarts_the_run_at_its_time() {
    check_plan(
        &[(0, plan("pro")), (5, plan("pro")), (3, plan("free"))],
        "pro",
        5,
    );
    // Behind the horizon, between the end of the old run and the first recent write.
    let behind = [
        (0, plan("pro")),
        (2 * DAY, plan("pro")),
        (90 * DAY, plan("pro")),
        (3 * DAY, plan("free")),
    ];
    check_plan(&behind, "pro", 90 * DAY);
}

#[test]
fn a_late_equal_write_moves_the_start_of_the_run() {
    check_plan(
        &[(0, plan("free")), (5, plan("pro")), (3, plan("pro"))],
        "pro",
        3,
    );
    let behind = [
        (0, plan("free")),
        (5 * DAY, plan("pro")),
        (90 * DAY, activity("login")),
        (3 * DAY, plan("pro")),
    ];
    check_plan(&behind, "pro", 3 * DAY);
}

#[test]
fn an_attribute_set_to_null_differs_from_one_never_set() {
    let state = given(&[(0, profile([("plan", AttributeValue::Null)]))]);
    assert_eq!(
        state.attributes.get("plan").map(|plan| plan.value),
        Some(&AttributeValue::Null)
    );
    assert_eq!(state.attributes.get("city"), None);
}

#[test]
fn a_refund_before_its_order_is_kept() {
    let waiting = given(&[(5, refund("o-1", 40))]);
    assert!(waiting.orders.is_empty());
    let state = given(&[(5, refund("o-1", 40)), (1, order("o-1", 100))]);
    let orders: Vec<_> = state.orders.iter().collect();
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].placed.amount_minor, 100);
    assert_eq!(
        orders[0].refunded(),
        BTreeMap::from([(currency("EUR"), 40)])
    );
}

#[test]
fn the_newest_version_of_an_order_wins() {
    for versions in [[(1, 100), (2, 200)], [(2, 200), (1, 100)]] {
        let state = given(&versions.map(|(micros, amount)| (micros, order("o-1", amount))));
        let amounts: Vec<i64> = state
            .orders
            .iter()
            .map(|order| order.placed.amount_minor)
            .collect();
        assert_eq!(amounts, [200]);
    }
}

#[test]
fn days_follow_the_tenants_zone() {
    // The world begins at midnight UTC, an hour after midnight in winter.
    let hour = DAY / 24;
    let before_and_after_midnight = [(-hour - 1, order("o-1", 1)), (-hour, order("o-2", 2))];
    let state = given(&before_and_after_midnight);
    let today = 20_539;
    assert_eq!(
        state.orders.purchase_days(),
        BTreeSet::from([today - 1, today])
    );
    // Summer time begins on the third day at 01:00 UTC: midnight comes two hours before UTC's.
    let summer = given(&[
        (4 * DAY - 2 * hour - 1, order("o-1", 1)),
        (4 * DAY - 2 * hour, order("o-2", 2)),
    ]);
    assert_eq!(
        summer.orders.purchase_days(),
        BTreeSet::from([today + 3, today + 4])
    );
}

#[test]
fn daily_totals_are_per_currency_without_overflow() {
    let state = given(&[
        (0, order("o-1", i64::MAX)),
        (1, order("o-2", i64::MAX)),
        (30 * DAY, refund("o-2", 7)),
    ]);
    let totals = state.orders.day_totals();
    let expected = DayTotal {
        orders: 2,
        placed: BTreeMap::from([(currency("EUR"), 2 * i128::from(i64::MAX))]),
        refunded: BTreeMap::from([(currency("EUR"), 7)]),
    };
    assert_eq!(totals.into_values().collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_late_stage_is_inserted_at_its_time() {
    let state = given(&[
        (0, stage("sales", "lead")),
        (9, stage("sales", "customer")),
        (4, stage("sales", "trial")),
    ]);
    let stages: Vec<&str> = state
        .journeys
        .entries("sales")
        .iter()
        .map(|entry| &*entry.stage)
        .collect();
    assert_eq!(stages, ["lead", "trial", "customer"]);
    assert_eq!(state.journeys.reached("sales", "trial"), Some(after(4)));
    assert_eq!(state.journeys.reached("sales", "lost"), None);
    assert_eq!(state.journeys.current("support"), None);
}

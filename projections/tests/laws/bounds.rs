//! State does not grow with what it may forget.

use tidemark_projections::state::CustomerState;
use tidemark_schemas::{AttributeValue, Payload};

use tidemark_schemas::event::SubscriptionStatus;

use crate::support::{
    DAY, activity, after, answer, consent, currency, event, message, offer, paid_touch, profile,
    rules, string, subscription, ticket,
};

/// The state after an event a day, for so many days.
fn daily(days: i64, payload: impl Fn(i64) -> Payload) -> CustomerState {
    let mut state = CustomerState::default();
    for (number, day) in (0..).zip(0..days) {
        state
            .fold(&event(number, after(day * DAY), payload(day)), &rules())
            .unwrap();
    }
    state
}

/// Two years say no more than three weeks do, but for longer spans.
#[track_caller]
fn check_bounded(payload: impl Fn(i64) -> Payload) {
    let [weeks, years] = [20, 720].map(|days| daily(days, &payload));
    assert!(years.encode().len() <= weeks.encode().len() + 8);
    assert!(years.memory_bytes() <= weeks.memory_bytes() + 8);
}

#[test]
fn day_buckets_cover_the_longest_window() {
    for payload in [
        activity("login"),
        message("kim"),
        paid_touch("spring", "post", 70),
    ] {
        let [two_years, six] = [720, 2_160].map(|days| daily(days, |_| payload.clone()));
        assert!(six.encode().len() <= two_years.encode().len() + 8);
        assert!(six.memory_bytes() <= two_years.memory_bytes() + 8);
    }
    let login = daily(720, |_| activity("login"));
    let login = login.activity.get("login").unwrap();
    assert_eq!(login.count, 720, "counted for life");
    assert_eq!(login.days().count(), 402);
    assert_eq!(login.recent().count(), 4, "today and the three days before");
}

#[test]
fn repeated_equal_values_are_stored_as_one_run() {
    check_bounded(|_| profile([("plan", string("pro"))]));
}

#[test]
fn attribute_writes_older_than_the_horizon_are_dropped_but_the_last() {
    check_bounded(|day| profile([("plan", string(["free", "pro"][usize::from(day % 2 == 0)]))]));
    check_bounded(|day| profile([("visits", AttributeValue::Long(100 + day))]));
}

/// Records of one subscription, ticket, offer or purpose, in any number.
#[test]
fn a_keyed_record_stores_only_its_newest_version() {
    check_bounded(|day| {
        let place = usize::try_from(day).unwrap() % SubscriptionStatus::ALL.len();
        let status = SubscriptionStatus::ALL[place];
        subscription("s-1", status, "pro", 900, currency("EUR"))
    });
    check_bounded(|day| ticket("t-1", ["open", "done"][usize::from(day % 2 == 0)], "high"));
    check_bounded(|day| consent("email", day % 2 == 0));
    check_bounded(|day| {
        if day % 2 == 0 {
            offer("x-1", "call")
        } else {
            answer("x-1", day % 4 == 1)
        }
    });
}

/// An id of 16 bytes and a distance of about 4 for each event within the horizon, and 4 more for
/// those of the last 72 hours: ids are random, so there is nothing left to squeeze.
#[test]
fn a_customer_with_50_000_events_in_the_horizon_takes_23_bytes_for_each() {
    const EVENTS: i64 = 50_000;
    let mut state = CustomerState::default();
    for number in 0..EVENTS {
        let at = after(number * (7 * DAY / EVENTS));
        let id = u128::try_from(number).unwrap();
        state
            .fold(&event(id, at, activity("login")), &rules())
            .unwrap();
    }
    let bytes = state.encode().len();
    assert!(bytes <= 50_000 * 23, "{bytes} bytes");
}

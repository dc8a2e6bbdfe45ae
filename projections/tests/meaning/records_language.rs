//! Messages about invalid conditions on records.

use super::definitions::{TENANT, errors};

/// A mistake in a condition, which begins at 4:11.
#[rustfmt::skip]
const WRONG: &[(&str, &str)] = &[
    ("{ subscription: { status: actve } }", "did you mean \"active\"?"),
    ("{ subscription: { state: active } }", "unknown key of a subscription condition"),
    ("{ subscription: { mrr: { gte: 1.234 } } }", "not an amount of EUR"),
    ("{ subscription: { status: active, count: { gte: 1 }, match: all } }", "exclude each other"),
    ("{ subscription: { status: active, match: every } }", "unknown way to match"),
    ("{ subscription: { plan: [] } }", "empty list"),
    ("{ subscription: active }", "expected a subscription condition"),
    ("{ ticket: { priority: 1 } }", "expected the name of a priority"),
    ("{ ticket: { status: \"\" } }", "the empty text is no status"),
    ("{ ticket: { opened: { since: 3d } } }", "unknown key of opened"),
    ("{ ticket: { opened: 3d } }", "expected opened (a map)"),
    ("{ campaign: { name: spring, cost: { gte: 1 } } }", "kept by day"),
    ("{ campaign: { name: spring, cost: { gte: 1 }, within: 12h } }", "kept by day"),
    ("{ campaign: { name: spring, within: 96h } }", "here 4d"),
    ("{ campaign: { name: spring, within: 401d } }", "longer than 400d"),
    ("{ campaign: { name: spring, never: true, count: { eq: 0 } } }", "exclude"),
    ("{ offer: { answer: accept } }", "did you mean \"accepted\"?"),
    ("{ offer: { accepted: true } }", "unknown key of an offer condition \"accepted\""),
    ("{ consent: { granted: true } }", "lacks \"purpose\""),
    ("{ consent: { purpose: email, granted: maybe } }", "expected true or false"),
    ("{ conversation: { channel: mail } }", "did you mean \"email\"?"),
    ("{ conversation: { intent: a, outcome: resolved } }", "not counted together"),
    ("{ conversation: { outcome: resolved, channel: chat } }", "names no channel"),
    ("{ conversation: { outcome: solved } }", "unknown outcome"),
    ("{ conversation: { sentiment: { lt: -2 } } }", "from -1 to 1"),
    ("{ conversation: { sentiment: { eq: 0 } } }", "unknown operator of sentiment"),
    ("{ conversation: { response_time: { gt: 5 } } }", "expected a duration"),
    ("{ conversation: { within: 12h } }", "not in days"),
    ("{ conversation: { within: 401d } }", "longer than 400d"),
    ("{ conversaton: { within: 1d } }", "did you mean \"conversation\"?"),
];

#[test]
fn invalid_record_conditions_are_refused_with_their_position() {
    for (condition, expected) in WRONG {
        let errors = errors(&format!(
            "{TENANT}segments:\n  - name: s\n    when: {condition}\n"
        ));
        assert_eq!(errors.len(), 1, "{condition}: {errors:#?}");
        assert!(
            errors[0].contains(expected),
            "{} lacks {expected}",
            errors[0]
        );
        assert!(errors[0].starts_with("4:"), "{}", errors[0]);
    }
}

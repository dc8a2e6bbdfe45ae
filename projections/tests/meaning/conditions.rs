//! Conditions, by example.

use tidemark_projections::outputs::derive;
use tidemark_schemas::{AttributeValue, Double};

use crate::support::{Customer, SETTINGS, at, tenant_with};

/// Whether the condition holds of the customer.
fn holds(customer: &Customer, condition: &str, instant: &str) -> bool {
    let journeys = "journeys: [{ name: sales, stages: [lead, trial, customer] }]";
    let rest = format!("segments: [{{ name: s, when: {condition} }}]\n{journeys}");
    let definitions = tenant_with(SETTINGS, &rest);
    derive(&customer.state, &definitions, at(instant))
        .segments
        .contains("s")
}

/// A value of an attribute.
#[derive(Debug, Clone, Copy)]
enum Value {
    Null,
    Truth,
    Whole(i64),
    Decimal(f64),
    Text(&'static str),
}

use Value::{Decimal, Null, Text, Truth, Whole};

impl Value {
    fn as_attribute(self) -> AttributeValue {
        match self {
            Null => AttributeValue::Null,
            Truth => AttributeValue::Boolean(true),
            Whole(value) => AttributeValue::Long(value),
            Decimal(value) => AttributeValue::Double(Double::new(value).unwrap()),
            Text(value) => AttributeValue::String(value.into()),
        }
    }
}

/// The value set (none: never) a month ago, the test, whether it holds.
const ATTRIBUTES: &[(Option<Value>, &str, bool)] = &[
    (Some(Text("pro")), "eq: pro", true),
    (Some(Text("Pro")), "eq: pro", false),
    (Some(Text("1")), "eq: 1", false),
    (Some(Whole(1)), "eq: 1.0", true),
    (Some(Decimal(1.0)), "eq: 1", true),
    (Some(Truth), "eq: true", true),
    (Some(Truth), "eq: 1", false),
    (Some(Text("pro")), "ne: free", true),
    (Some(Text("1")), "ne: 1", true),
    (None, "ne: free", true),
    (Some(Null), "ne: free", true),
    (None, "eq: free", false),
    (None, "not_in: [free]", true),
    (Some(Text("free")), "not_in: [free]", false),
    (Some(Decimal(2.5)), "in: [1, 2.5]", true),
    (Some(Whole(3)), "gt: 2.9", true),
    (Some(Whole(3)), "gte: 3", true),
    (Some(Decimal(2.999)), "lt: 3", true),
    (Some(Text("9")), "gt: 1", false),
    (None, "lt: 3", false),
    (Some(Whole(i64::MAX)), "lt: 9223372036854775808.0", true),
    (Some(Whole(i64::MIN)), "gte: -9223372036854775808.0", true),
    (
        Some(Decimal(f64::INFINITY)),
        "gt: 9223372036854775807",
        true,
    ),
    (Some(Whole(-3)), "lt: -2.5", true),
    (Some(Whole(-2)), "lt: -2.5", false),
    (Some(Whole(2)), "between: [1, 2]", true),
    (Some(Whole(3)), "between: [1, 2]", false),
    (Some(Text("hello world")), "contains: lo w", true),
    (Some(Text("hello")), "starts_with: he", true),
    (Some(Text("hello")), "ends_with: lo", true),
    (Some(Text("hello")), "ends_with: he", false),
    (Some(Whole(12)), "contains: '1'", false),
    (Some(Text("ab-12")), "matches: '-\\d+$'", true),
    (Some(Text("ab")), "matches: '^b'", false),
    (Some(Whole(0)), "exists: true", true),
    (Some(Null), "exists: true", false),
    (None, "exists: true", false),
    (None, "exists: false", true),
    (None, "missing: true", true),
    (Some(Null), "missing: true", true),
    (Some(Whole(0)), "missing: true", false),
    (Some(Text("2024-03-30")), "before: 2024-03-31", true),
    (Some(Text("2024-03-31")), "before: 2024-03-31", false),
    (Some(Text("2024-03-31")), "after: 2024-03-31", false),
    (Some(Text("2024-04-01T00:00:00")), "after: 2024-03-31", true),
    (Some(Text("soon")), "after: 2024-03-31", false),
    (Some(Whole(1_711_843_200)), "after: 1970-01-01", false),
    (Some(Text("2024-06-01T11:00:01Z")), "within_last: 60m", true),
    (Some(Text("2024-05-31")), "within_last: 2d", true),
    (Some(Text("2024-05-30")), "within_last: 2d", false),
    (Some(Text("2024-05-30T22:00:00Z")), "within_last: 2d", true),
    (Some(Text("x")), "has_been_for: 31d", true),
    (Some(Text("x")), "has_been_for: 32d", false),
    (Some(Text("x")), "eq: x, has_been_for: 31d", true),
    (Some(Text("x")), "eq: y, has_been_for: 31d", false),
    (None, "has_been_for: 1d", false),
];

#[test]
fn attribute_conditions() {
    for (value, condition, expected) in ATTRIBUTES {
        let customer = match value {
            Some(value) => Customer::new().attribute("2024-05-01T12:00:00Z", value.as_attribute()),
            None => Customer::new().stage("2024-05-01T12:00:00Z", "x"),
        };
        let condition = format!("{{ attribute: {{ name: a, {condition} }} }}");
        let held = holds(&customer, &condition, "2024-06-01T12:00:00Z");
        assert_eq!(held, *expected, "{value:?} {condition}");
    }
}

#[test]
fn order_conditions() {
    let customer = Customer::new()
        .order("2024-01-01T10:00:00Z", "a", 10_000, "EUR")
        .order("2024-03-01T10:00:00Z", "b", 5_000, "EUR")
        .order("2024-03-31T10:00:00Z", "c", 1_001, "EUR")
        .refund("2024-04-02T10:00:00Z", "c", 1, "EUR");
    for (condition, expected) in [
        ("count: { gte: 3 }", true),
        ("count: { eq: 2 }", false),
        ("count: { ne: 2 }", true),
        ("revenue: { eq: 160 }", true),
        ("revenue: { gt: 159.99, lt: \"160.01\" }", true),
        ("average: { between: [53.33, 53.34] }", true),
        ("average: { gt: 53.33 }", true),
        ("average: { lt: 53.34 }", true),
        ("count: { eq: 1 }, within: 1d", false),
        ("count: { eq: 1 }, within: 2d", true),
        ("count: { eq: 0 }, within: 1d", true),
        ("average: { ne: 5 }, within: 1d", false),
        ("revenue: { eq: 60 }, within: 32d", true),
        ("revenue: { eq: 10 }, within: 31d", true),
        ("count: { eq: 2 }, between: [2024-01-01, 2024-03-01]", true),
        ("count: { eq: 1 }, between: [2024-01-01, 2024-02-29]", true),
        ("count: { gte: 3 }, revenue: { gte: 1000 }", false),
    ] {
        let condition = format!("{{ orders: {{ {condition} }} }}");
        assert_eq!(
            holds(&customer, &condition, "2024-04-01T10:00:00Z"),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn event_conditions() {
    // Berlin is two hours ahead from 31 March on; a login just before and after midnight.
    let customer = Customer::new()
        .activity("2024-03-01T10:00:00Z", "login")
        .activity("2024-03-31T21:59:00Z", "login")
        .activity("2024-03-31T22:01:00Z", "login")
        .activity("2024-04-01T09:30:00Z", "search");
    for (condition, expected) in [
        ("name: login", true),
        ("name: logout", false),
        ("name: logout, never: true", true),
        ("name: login, never: true", false),
        ("name: login, never: true, within: 11h", true),
        ("name: login, never: false, within: 12h", true),
        ("name: login, count: { eq: 3 }", true),
        ("name: login, count: { eq: 1 }, within: 1d", true),
        ("name: login, count: { eq: 2 }, within: 2d", true),
        ("name: login, count: { eq: 2 }, within: 31d", true),
        ("name: login, count: { eq: 3 }, within: 32d", true),
        ("name: login, count: { eq: 1 }, within: 720m", true),
        ("name: login, count: { eq: 0 }, within: 719m", true),
        ("name: login, count: { eq: 2 }, within: 722m", true),
        ("name: search, within: 30m", false),
        ("name: search, within: 31m", true),
        ("name: logout, count: { lt: 1 }, within: 30m", true),
        (
            "name: login, count: { eq: 2 }, between: [2024-03-01, 2024-03-31]",
            true,
        ),
        ("name: login, between: [2024-04-02, 2024-04-30]", false),
        ("name: login, first_time: { within: 32d }", true),
        ("name: login, first_time: { within: 31d }", false),
        ("name: login, first_time: { not_within: 31d }", true),
        ("name: logout, first_time: { not_within: 31d }", false),
        ("name: login, last: { within: 1d }", true),
        ("name: search, last: { not_within: 29m }", true),
        ("name: search, last: { not_within: 31m }", false),
        (
            "name: login, count: { gte: 9 }, last: { within: 1d }",
            false,
        ),
    ] {
        let condition = format!("{{ event: {{ {condition} }} }}");
        assert_eq!(
            holds(&customer, &condition, "2024-04-01T10:00:00Z"),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn stage_and_churn_conditions() {
    let customer = Customer::new()
        .stage("2024-01-01T10:00:00Z", "lead")
        .stage("2024-01-05T10:00:00Z", "customer")
        .stage("2024-01-10T10:00:00Z", "lead")
        .order("2024-01-10T10:00:00Z", "a", 1, "EUR");
    for (condition, expected) in [
        ("stage: { journey: sales, is: lead }", true),
        ("stage: { journey: sales, is: [trial, customer] }", false),
        ("stage: { journey: sales, reached: trial }", true),
        (
            "stage: { journey: sales, is: lead, reached: customer, in_for: 5d }",
            true,
        ),
        ("stage: { journey: sales, in_for: 6d }", false),
        ("stage: { journey: sales, in_for: 120h }", true),
        ("churn: { band: low }", true),
        ("churn: { band: [medium, high] }", false),
        ("churn: { risk: { lt: 0.4 }, p_alive: { gt: 0.6 } }", true),
        ("churn: { p_alive: { between: [0, 0.5] } }", false),
        (
            "all: [{ churn: { band: low } }, { not: { churn: { band: high } } }]",
            true,
        ),
        (
            "any: [{ churn: { band: high } }, { stage: { journey: sales, is: trial } }]",
            false,
        ),
    ] {
        let condition = format!("{{ {condition} }}");
        assert_eq!(
            holds(&customer, &condition, "2024-01-15T10:00:00Z"),
            expected,
            "{condition}"
        );
    }
    let nobody = Customer::new().attribute("2024-01-01T00:00:00Z", AttributeValue::Null);
    for condition in [
        "{ churn: { risk: { gte: 0 } } }",
        "{ churn: { band: [low, medium, high] } }",
        "{ stage: { journey: sales, in_for: 1d } }",
        "{ stage: { journey: sales, reached: lead } }",
    ] {
        assert!(
            !holds(&nobody, condition, "2024-01-15T10:00:00Z"),
            "{condition}"
        );
    }
}

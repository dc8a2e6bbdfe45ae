//! The segment language: which conditions are accepted, and what is said about the others.

use std::fmt::Write;

use tidemark_projections::definitions::{Definitions, NotApplied, Rejected};
use tidemark_schemas::Instant;

use super::definitions::{JOURNEY, TENANT, applied, bundle, errors};

/// A condition's error; the condition begins at 4:11.
#[track_caller]
fn refused(condition: &str, expected: &str) {
    let text = format!("{TENANT}segments:\n  - name: s\n    when: {condition}\n{JOURNEY}");
    let errors = errors(&text);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(
        errors[0].contains(expected),
        "{} lacks {expected}",
        errors[0]
    );
    assert!(errors[0].starts_with("4:"), "{}", errors[0]);
}

#[track_caller]
fn accepted(condition: &str) {
    let text = format!("{TENANT}segments:\n  - name: s\n    when: {condition}\n{JOURNEY}");
    let bundle = bundle(&text);
    applied(&Definitions::default(), 0, &bundle).unwrap();
}

/// Conditions, and what is said about them.
#[rustfmt::skip]
const WRONG: &[(&str, &str)] = &[
    ("{ attribute: { name: plan, equals: x } }", "unknown operator of an attribute"),
    ("{ attribute: { name: age, gt: \"40\" } }", "expected a number"),
    ("{ attribute: { name: age, within_last: 30 } }", "expected a duration"),
    ("{ attribute: { name: age, within_last: 96h } }", "here 4d"),
    ("{ attribute: { name: age, has_been_for: 3 months } }", "not a duration"),
    ("{ attribute: { name: age, has_been_for: 0d } }", "no time at all"),
    ("{ attribute: { name: age, before: yesterday } }", "not a date"),
    ("{ attribute: { name: age, before: 2025-02-30 } }", "not a date"),
    ("{ attribute: { name: age, between: [3, 2] } }", "greater than the second"),
    ("{ attribute: { name: age, between: [3] } }", "two numbers"),
    ("{ attribute: { name: age, in: [] } }", "empty list"),
    ("{ attribute: { name: age, eq: [1] } }", "found a list"),
    ("{ attribute: { name: age, matches: \"(\" } }", "unclosed group"),
    ("{ attribute: { name: age, matches: \"(a{500}){500}\" } }", "size limit"),
    ("{ attribute: { name: age, contains: \"\" } }", "part of every text"),
    ("{ attribute: { name: age } }", "lacks an operator"),
    ("{ attribute: { eq: 1 } }", "lacks \"name\""),
    ("{ event: { count: { gte: 1 } } }", "lacks \"name\""),
    ("{ event: { name: \"\" } }", "has a name"),
    ("{ event: { name: login, time: 1h } }", "unknown key of an event condition"),
    ("{ event: { name: login, within: 96h } }", "here 4d"),
    ("{ event: { name: login, within: 401d } }", "longer than 400d"),
    ("{ event: { name: login, within: 1h, between: [2025-01-01, 2025-01-02] } }", "exclude"),
    ("{ event: { name: login, never: true, count: { eq: 0 } } }", "exclude"),
    ("{ event: { name: login, count: { gte: -1 } } }", "expected a whole number"),
    ("{ event: { name: login, where: { name: path } } }", "lacks an operator"),
    ("{ event: { name: login, where: [] } }", "empty list"),
    ("{ event: { name: login, where: { name: path, within_last: 3d } } }", "stays what it is"),
    ("{ event: { name: login, where: { name: path, eq: x, has_been_for: 3d } } }", "stays what it is"),
    ("{ event: { name: login, last: { since: 1h } } }", "unknown key of last"),
    ("{ event: { name: login, last: {} } }", "needs either"),
    ("{ event: { name: login, first_time: { within: 1h, not_within: 1h } } }", "needs either"),
    ("{ sequence: { steps: [a, b] } }", "lacks \"in\""),
    ("{ sequence: { in: 1h } }", "lacks \"steps\""),
    ("{ sequence: { steps: [a], in: 1h } }", "one activity is no sequence"),
    ("{ sequence: { steps: [a, b, c, d, e, f, g, h, i], in: 1h } }", "9 items are more than 8"),
    ("{ sequence: { steps: [a, \"\"], in: 1h } }", "has a name"),
    ("{ sequence: { steps: [a, { where: { name: p, eq: 1 } }], in: 1h } }", "lacks \"name\""),
    ("{ sequence: { steps: [a, { name: b, were: { name: p, eq: 1 } }], in: 1h } }",
        "did you mean \"where\"?"),
    ("{ sequence: { steps: [a, b], in: soon } }", "not a duration"),
    ("{ sequence: { steps: [a, b], in: 1h, with: 30d } }", "did you mean \"within\"?"),
    ("{ regularly: { name: a, at_least: 3, of: 4, period: year } }", "(known: day, week, month)"),
    ("{ regularly: { name: a, at_least: 3, of: 4 } }", "lacks \"period\""),
    ("{ regularly: { name: a, at_least: 5, of: 4, period: week } }", "expected 1 to 4"),
    ("{ regularly: { name: a, at_least: 0, of: 4, period: week } }", "expected 1 to 4"),
    ("{ regularly: { name: a, at_least: 1, of: 58, period: week } }", "expected 1 to 57"),
    ("{ stopped: { name: a } }", "lacks \"within\""),
    ("{ stopped: { within: 3d } }", "lacks \"name\""),
    ("{ restarted: { name: a, after: 60d } }", "lacks \"within\""),
    ("{ restarted: { name: a, after: 12h, within: 7d } }", "not in days"),
    ("{ restarted: { name: a, after: 395d, within: 7d } }", "longer together than 400d"),
    ("{ member_for: { segment: s } }", "lacks \"for\""),
    ("{ member_for: { segment: t, for: 30d } }", "unknown segment"),
    ("{ bucket: { salt: x } }", "lacks \"share\""),
    ("{ bucket: { salt: x, share: 101 } }", "a share in percent"),
    ("{ bucket: { salt: x, share: 1.23456 } }", "a share in percent"),
    ("{ bucket: { salt: x, share: [30, 10] } }", "greater than the second"),
    ("{ manual: c-1 }", "a list of customers"),
    ("{ manual: [17] }", "in quotes if it looks like a number"),
    ("{ manual: [\"\"] }", "is empty"),
    ("{ sequense: { steps: [a, b], in: 1h } }", "did you mean \"sequence\"?"),
    ("{ orders: { count: { gte: many } } }", "expected a whole number"),
    ("{ orders: { count: { gte: -1 } } }", "expected a whole number"),
    ("{ orders: { count: { gte: 1 }, within: 12h } }", "not in days"),
    ("{ orders: { revenue: { gte: 1.234 } } }", "not an amount of EUR"),
    ("{ orders: { within: 90d } }", "lacks count, revenue or average"),
    ("{ orders: { count: { gte: 1 }, within: 9d, between: [2025-01-01, 2025-01-02] } }",
        "exclude"),
    ("{ orders: { count: { gte: 1 }, between: [2025-01-02, 2025-01-01] } }", "greater"),
    ("{ stage: { journey: sale, is: lead } }", "did you mean \"sales\"?"),
    ("{ stage: { journey: sales, is: leat } }", "did you mean \"lead\"?"),
    ("{ stage: { journey: sales } }", "lacks `is`"),
    ("{ churn: { risk: { eq: 0.5 } } }", "unknown operator of risk \"eq\""),
    ("{ churn: { risk: { gte: 50 } } }", "a probability from 0 to 1"),
    ("{ churn: {} }", "lacks `band`"),
    ("{ all: [] }", "empty list"),
    ("{ some: [] }", "unknown condition \"some\""),
    ("{ all: [{ segment: s2 }], any: [] }", "combine conditions with"),
    ("at_risk", "expected a condition"),
];

#[test]
fn invalid_conditions_are_refused() {
    for (condition, expected) in WRONG {
        refused(condition, expected);
    }
}

#[test]
fn every_operator_is_accepted() {
    for operator in [
        "eq: pro",
        "ne: 3",
        "gt: 1",
        "gte: 1.5",
        "lt: -2",
        "lte: 0",
        "between: [1, 2.5]",
        "in: [a, 1, true]",
        "not_in: [no]",
        "contains: x",
        "starts_with: x",
        "ends_with: x",
        "matches: '^\\d+$'",
        "exists: true",
        "missing: true",
        "before: 2025-03-30",
        "after: 2025-03-30T10:00:00+02:00",
        "within_last: 30d",
        "within_last: 72h",
        "has_been_for: 2w",
        "eq: free, has_been_for: 14d",
    ] {
        accepted(&format!("{{ attribute: {{ name: x, {operator} }} }}"));
    }
    for condition in [
        "{ orders: { count: { gte: 3 }, revenue: { gt: 99.90 }, average: { between: [1, \"2.5\"] }, within: 90d } }",
        "{ orders: { count: { eq: 0 }, between: [2025-01-01, 2025-03-31] } }",
        "{ stage: { journey: sales, is: trial, in_for: 14d } }",
        "{ stage: { journey: sales, is: [lead, trial], reached: trial } }",
        "{ churn: { band: [medium, high], risk: { gte: 0.5 }, p_alive: { lt: 0.4 } } }",
        "{ not: { any: [{ all: [{ churn: { band: low } }] }] } }",
        "{ sequence: { steps: [a, { name: b }, { name: c, where: { name: p, eq: 1 } }], in: 45s } }",
        "{ regularly: { name: a, at_least: 400, of: 400, period: day } }",
        "{ stopped: { name: a, where: { name: p, eq: 1 }, count: { gt: 2 }, within: 90m } }",
        "{ restarted: { name: a, after: 1d, within: 399d } }",
        "{ bucket: { salt: x, share: 0.0001 } }",
        "{ bucket: { salt: x, share: [0, 100] } }",
    ] {
        accepted(condition);
    }
}

#[test]
fn nesting_depth_is_bounded() {
    let nested = |depth: usize| {
        format!(
            "{}{{ churn: {{ band: low }} }}{}",
            "{ not: ".repeat(depth),
            " }".repeat(depth)
        )
    };
    accepted(&nested(20));
    refused(&nested(21), "nested deeper than 20");
    let all = format!(
        "{}{{ churn: {{ band: low }} }}{}",
        "{ all: [".repeat(20),
        "] }".repeat(20)
    );
    accepted(&all);
    let deepest = bundle(&format!("{TENANT}segments: [{{ name: s, when: {all} }}]"));
    assert_eq!(
        bundle(&deepest.tenants[0].to_yaml()).tenants,
        deepest.tenants
    );
    // As deep as JSON goes, which is further than conditions may.
    let record = String::from_utf8(deepest.to_record()).unwrap();
    let deeper = record.replace("{\"churn\"", &format!("{}{{\"churn\"", "[".repeat(75)));
    let deeper = deeper.replace("\"low\"}}", &format!("\"low\"}}}}{}", "]".repeat(75)));
    let apply = Definitions::default().apply(0, Instant::MIN, deeper.as_bytes());
    let reason = apply.unwrap_err().to_string();
    assert!(reason.contains("expected a condition"), "{reason}");
    // Far deeper than any stack: the parser stops first.
    for text in ["[".repeat(200_000), "- ".repeat(100_000), nested(50_000)] {
        assert!(!errors(&format!("tenant: {text}")).is_empty());
    }
    let json = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000));
    let apply = Definitions::default().apply(0, Instant::MIN, json.as_bytes());
    assert!(matches!(
        apply,
        Err(NotApplied::Rejected(Rejected::Invalid(_)))
    ));
}

#[test]
fn yaml_aliases_are_bounded() {
    let mut text = format!("{TENANT}x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n");
    for level in 1..12 {
        let items = format!("*x{}, ", level - 1).repeat(10);
        writeln!(text, "x{level}: &x{level} [{items}]").unwrap();
    }
    assert!(!errors(&text).is_empty());
}

//! Declared types of attributes, dates at the ends of the calendar, and differences of kind.

use serde_json::{Value as Json, json};
use tidemark_projections::definitions::{Bundle, Definitions};
use tidemark_projections::evaluated::EvaluatedState;
use tidemark_projections::explain::{explain, mismatches};
use tidemark_projections::outputs::derive;
use tidemark_schemas::{AttributeValue, Instant};

use crate::support::{Customer, SETTINGS, at, tenant_with};

const NOW: &str = "2025-04-10T12:00:00Z";

fn text(text: &str) -> AttributeValue {
    AttributeValue::String(text.into())
}

/// Whether a test of the attribute `a`, declared like this, holds of a value.
fn holds(settings: &str, declared: &str, value: &AttributeValue, test: &str) -> bool {
    let settings = format!("{settings}, attributes: {{ a: {{ {declared} }} }}");
    let rest = format!("segments: [{{ name: s, when: {{ attribute: {{ name: a, {test} }} }} }}]");
    let definitions = tenant_with(&settings, &rest);
    let customer = Customer::new().attribute("2025-03-01T10:00:00Z", value.clone());
    let outputs = derive(&customer.state, &definitions, at(NOW));
    outputs.segments.contains("s")
}

/// The declaration, the value as JSON, the test, and whether it holds declared and undeclared.
const TYPES: &[(&str, &str, &str, bool, bool)] = &[
    ("type: number", r#""13.75""#, "gt: 13", true, false),
    ("type: number", r#""13.75""#, "eq: 13.75", true, false),
    ("type: number", r#""13.75""#, "ne: 13.75", false, true),
    (
        "type: number, decimal: ','",
        r#""13,75""#,
        "between: [13, 14]",
        true,
        false,
    ),
    (
        "type: number, decimal: ','",
        r#""1.375,00""#,
        "gt: 0",
        false,
        false,
    ),
    ("type: number", r#""13,75""#, "gt: 0", false, false),
    ("type: number", "13.75", "lt: 14", true, true),
    ("type: number", r#""""#, "missing: true", true, false),
    ("type: number", r#""none""#, "exists: true", true, true),
    ("type: boolean", r#""true""#, "eq: true", true, false),
    ("type: boolean", r#""No""#, "eq: false", true, false),
    ("type: boolean", "1", "in: [true]", true, false),
    // 2025-03-31
    (
        "type: date, unit: milliseconds",
        r#""1743379200000""#,
        "after: 2025-03-30",
        true,
        false,
    ),
    (
        "type: date, unit: milliseconds",
        r#""1743379200000""#,
        "eq: 2025-03-31",
        true,
        false,
    ),
    (
        "type: date, unit: milliseconds",
        "1743379200000",
        "within_last: 11d",
        true,
        false,
    ),
    (
        "type: date, unit: milliseconds",
        "1743379200000",
        "within_last: 10d",
        false,
        false,
    ),
    (
        "type: date, unit: days",
        "20178",
        "eq: 2025-03-31",
        true,
        false,
    ),
    (
        "type: date",
        r#""2025-03-31T00:00:00Z""#,
        "eq: 2025-03-31",
        true,
        false,
    ),
    (
        "type: instant, unit: seconds",
        "1744286400",
        "within_last: 1h",
        true,
        false,
    ),
    (
        "type: instant",
        r#""2025-04-10T14:00:00+02:00""#,
        "eq: '2025-04-10T12:00:00Z'",
        true,
        false,
    ),
];

#[test]
fn declared_values_are_compared_as_their_type_and_undeclared_ones_as_they_were_sent() {
    for (declared, value, test, typed, plain) in TYPES {
        let value: AttributeValue = serde_json::from_str(value).unwrap();
        let as_declared = holds(SETTINGS, declared, &value, test);
        assert_eq!(as_declared, *typed, "{declared}: {value:?} {test}");
        let as_sent = holds(SETTINGS, "personal: false", &value, test);
        assert_eq!(as_sent, *plain, "{value:?} {test}");
    }
}

#[test]
fn the_end_of_the_calendar_is_later_than_every_other_date_in_every_zone() {
    let never = text("9999-12-31");
    let late = text("9999-12-31T23:59:59Z");
    for zone in [
        "UTC",
        "Pacific/Kiritimati",
        "Pacific/Pago_Pago",
        "America/St_Johns",
    ] {
        let settings = format!("zone: {zone}, currency: EUR");
        for declared in ["personal: false", "type: date", "type: instant"] {
            for (value, test, expected) in [
                (&never, "after: 2025-01-01", true),
                (&never, "after: 9999-12-30", true),
                (&never, "before: 9999-12-31", false),
                (&never, "after: 9999-12-31", false),
                (&never, "before: 2025-01-01", false),
                (&never, "within_last: 30d", false),
                (&late, "after: 2025-01-01", true),
                (&late, "before: 2025-01-01", false),
                (&text("2025-01-01"), "before: 9999-12-31", true),
                (&text("0001-01-01"), "before: 1900-01-01", true),
                (&text("0001-01-01"), "within_last: 36500d", false),
                (&text("1899-12-30"), "after: 0001-01-01", true),
            ] {
                assert_eq!(
                    holds(&settings, declared, value, test),
                    expected,
                    "{zone}, {declared}: {value:?} {test}"
                );
            }
        }
    }
}

fn errors(settings: &str, when: &str) -> Vec<String> {
    let text = format!(
        "tenant: {{ id: t, {SETTINGS}, attributes: {{ a: {{ {settings} }} }} }}\nsegments: [{{ name: \
         s, when: {{ attribute: {{ name: a, {when} }} }} }}]\n"
    );
    let found = Bundle::from_files(&[("t.yaml".to_owned(), text)], "test");
    let found = found.err().unwrap_or_default();
    found.into_iter().map(|error| error.message).collect()
}

#[test]
fn declarations_and_tests_that_cannot_be_meant_are_refused() {
    for (settings, when, expected) in [
        ("type: numer", "exists: true", "unknown type \"numer\""),
        (
            "type: date, decimal: ','",
            "exists: true",
            "`decimal` is for `type: number`",
        ),
        (
            "unit: days",
            "exists: true",
            "`unit` is for `type: date` and `type: instant`",
        ),
        (
            "type: instant, unit: days",
            "exists: true",
            "`unit: days` is for `type: date`",
        ),
        (
            "type: number",
            "contains: '1'",
            "the attribute is declared a number: `contains` tests text",
        ),
        (
            "type: date",
            "gt: 3",
            "the attribute is declared a date: `gt` tests numbers",
        ),
        (
            "type: boolean",
            "eq: maybe",
            "expected a boolean, as the attribute is declared",
        ),
        (
            "type: number",
            "before: 2025-01-01",
            "the attribute is declared a number: `before` tests dates and instants",
        ),
    ] {
        let found = errors(settings, when);
        assert!(
            found.iter().any(|error| error.contains(expected)),
            "{settings}: {found:?}"
        );
    }
    assert_eq!(
        errors("type: number, decimal: ','", "in: [1, '2,5']"),
        Vec::<String>::new()
    );
}

#[test]
fn types_need_format_4_and_other_declarations_keep_the_format() {
    let bundle = |declared: &str| {
        let text =
            format!("tenant: {{ id: t, {SETTINGS}, attributes: {{ a: {{ {declared} }} }} }}");
        Bundle::from_files(&[("t.yaml".to_owned(), text)], "test").unwrap()
    };
    assert_eq!(bundle("personal: true").format, 1);
    let mut typed = bundle("personal: true, type: number, decimal: ','");
    assert_eq!(typed.format, 4);
    let read = Definitions::default()
        .apply(0, Instant::MIN, &typed.to_record())
        .unwrap();
    assert_eq!(read.sources().next().unwrap().1, &typed.tenants[0]);
    typed.format = 3;
    let refused = Definitions::default().apply(0, Instant::MIN, &typed.to_record());
    assert!(refused.unwrap_err().to_string().contains("needs format 4"));
}

/// What an explanation tells of the value.
fn found(declared: &str, value: AttributeValue, test: &str) -> Json {
    let settings = format!("{SETTINGS}, attributes: {{ a: {{ {declared} }} }}");
    let rest = format!("segments: [{{ name: s, when: {{ attribute: {{ name: a, {test} }} }} }}]");
    let definitions = tenant_with(&settings, &rest);
    let customer = Customer::new().attribute("2025-03-01T10:00:00Z", value);
    let mut evaluated = EvaluatedState::new(0);
    evaluated.redefine(&customer.state, &definitions, at(NOW), &mut Vec::new());
    let why = explain(&customer.state, &evaluated, &definitions, "s", at(NOW)).unwrap();
    let found = json!(why.why.found);
    let all = mismatches(&customer.state, &definitions);
    let all: Vec<Json> = all.iter().map(|found| json!(found.difference)).collect();
    let mismatch = found.get("mismatch").cloned();
    assert_eq!(all, Vec::from_iter(mismatch));
    found
}

#[test]
fn explanations_say_that_a_value_is_of_another_kind() {
    let plain = "personal: false";
    assert_eq!(
        found(plain, text("13.75"), "gt: 13")["mismatch"],
        "text, not a number"
    );
    assert_eq!(
        found(plain, text("true"), "eq: true")["mismatch"],
        "text, not true or false"
    );
    let millis = AttributeValue::Long(1_743_379_200_000);
    let told = found(plain, millis.clone(), "after: 2025-01-01");
    assert_eq!(told["mismatch"], "a number, not a date or time");
    assert_eq!(
        found(plain, millis, "eq: x")["mismatch"],
        "a number, not text"
    );
    assert_eq!(
        found(plain, text("13.75"), "exists: true")["mismatch"],
        Json::Null
    );
    assert_eq!(
        found(plain, text("x"), "in: [1, y]")["mismatch"],
        Json::Null
    );

    let told = found("type: number", text("13.75"), "gt: 13");
    assert_eq!(
        (&told["mismatch"], &told["read_as"]),
        (&Json::Null, &json!(13.75))
    );
    assert_eq!(told["value"], "13.75");
    let told = found("type: number", text("13,75"), "gt: 13");
    assert_eq!(told["mismatch"], "text, not a number");
}

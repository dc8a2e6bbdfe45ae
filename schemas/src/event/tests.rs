//! The JSON form and validation: every fault names its field.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;

mod payloads;

fn event(payload: &Value) -> Value {
    json!({
        "event_id": "0192f0c1-7e00-7000-8000-000000000001",
        "tenant_id": "acme", "customer_id": "42", "source": "hubspot",
        "occurred_at": "2026-03-01T12:00:00Z", "payload": payload,
    })
}

fn stage() -> Value {
    event(&json!({"type": "stage_entered", "journey": "purchase", "stage": "lead"}))
}

/// The event with that payload is refused with that error.
#[track_caller]
fn refused(payload: &Value, expected: &str) {
    refused_event(&event(payload), expected);
}

#[track_caller]
fn refused_event(event: &Value, expected: &str) {
    let error = CustomerEvent::from_json(&event.to_string())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(expected),
        "{error:?} where {expected:?} is expected"
    );
}

fn changed(field: &str, value: Value) -> Value {
    let mut event = stage();
    event[field] = value;
    event
}

fn without(field: &str) -> Value {
    let mut event = stage();
    event.as_object_mut().unwrap().remove(field);
    event
}

#[test]
fn text_that_is_not_json_names_the_column() {
    let error = CustomerEvent::from_json("{\"event_id\": }")
        .unwrap_err()
        .to_string();
    assert!(error.contains("column 14"), "{error}");
    assert!(matches!(
        CustomerEvent::from_json("[]"),
        Err(JsonError::Invalid(_))
    ));
    assert!(matches!(
        CustomerEvent::from_json(""),
        Err(JsonError::Syntax(_))
    ));
}

#[test]
fn every_field_of_the_envelope_is_validated() {
    for field in EVENT_FIELDS {
        refused_event(&without(field), &format!("{field}: is missing"));
    }
    refused_event(
        &changed("colour", json!("red")),
        "event: has an unknown field \"colour\"",
    );
    refused_event(
        &changed("event_id", json!(7)),
        "event_id: is a whole number where text",
    );
    refused_event(
        &changed("event_id", json!("7")),
        "event_id: \"7\" is not a UUID",
    );
    refused_event(&changed("tenant_id", json!("")), "tenant_id: is empty");
    refused_event(
        &changed("tenant_id", json!("a/b")),
        "tenant_id: contains a '/'",
    );
    refused_event(
        &changed("customer_id", json!("a\nb")),
        "customer_id: contains a control",
    );
    refused_event(
        &changed("customer_id", json!("x".repeat(256))),
        "customer_id: is longer",
    );
    refused_event(&changed("source", json!("")), "source: is empty");
    refused_event(
        &changed("source", json!("a\0b")),
        "source: contains a control character",
    );
    refused_event(
        &changed("payload", json!(1)),
        "payload: is not a JSON object",
    );
    refused_event(
        &changed("payload", Value::Null),
        "payload: is not a JSON object",
    );
}

const EVENT_FIELDS: [&str; 6] = [
    "event_id",
    "tenant_id",
    "customer_id",
    "source",
    "occurred_at",
    "payload",
];

#[test]
fn times_are_rfc_3339_within_bounds() {
    let at = |text: &str| changed("occurred_at", json!(text));
    refused_event(
        &at("yesterday"),
        "occurred_at: \"yesterday\" is not an RFC 3339 time",
    );
    refused_event(&at("2026-03-01"), "occurred_at: \"2026-03-01\" is not");
    refused_event(&at("2026-02-30T00:00:00Z"), "occurred_at: \"2026-02-30");
    refused_event(
        &at("1899-12-31T23:59:59.999999Z"),
        "occurred_at: 1899-12-31T23:59:59.999999Z",
    );
    refused_event(
        &changed("occurred_at", json!(1_700_000_000)),
        "occurred_at: is not text",
    );
    let read = |text: &str| {
        CustomerEvent::from_json(&at(text).to_string())
            .unwrap()
            .occurred_at
    };
    assert_eq!(read("1900-01-01T00:00:00Z"), EARLIEST);
    assert_eq!(
        read("2026-03-01T13:00:00+01:00"),
        read("2026-03-01T12:00:00Z")
    );
    // A time in the future is refused later, by comparison with the append time.
    assert_eq!(read("9999-12-30T22:00:00Z"), Instant::MAX);
}

#[test]
fn an_invalid_event_carries_its_tenant_and_customer_if_readable() {
    let refusal = |event: &Value| match CustomerEvent::from_json(&event.to_string()) {
        Err(JsonError::Invalid(invalid)) => *invalid,
        other => panic!("{other:?}"),
    };
    let invalid = refusal(&changed("source", json!("")));
    assert_eq!(invalid.tenant.unwrap().as_str(), "acme");
    assert_eq!(invalid.customer.unwrap().as_str(), "42");
    let invalid = refusal(&changed("customer_id", json!("")));
    assert_eq!(invalid.tenant.unwrap().as_str(), "acme");
    assert_eq!(invalid.customer, None);
    let invalid = refusal(&changed("tenant_id", json!("")));
    assert_eq!(invalid.tenant, None);
    assert_eq!(invalid.customer.unwrap().as_str(), "42");
}

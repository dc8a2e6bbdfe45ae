//! The JSON form and validation: every fault names its field.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::value::Double;

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

#[track_caller]
fn accepted(payload: &Value) {
    CustomerEvent::from_json(&event(payload).to_string()).unwrap();
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
fn what_is_not_json_says_where() {
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
fn the_envelope_is_checked_field_by_field() {
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
fn times_are_rfc_3339_and_not_absurd() {
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
    // The future is judged by who knows when the record was appended.
    assert_eq!(read("9999-12-30T22:00:00Z"), Instant::MAX);
}

#[test]
fn a_refusal_tells_whose_event_it_was_where_that_is_readable() {
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

#[test]
fn a_payload_has_a_known_type_and_its_own_fields() {
    refused(
        &json!({}),
        "payload: has no type; the types are profile_updated, activity_tracked",
    );
    refused(&json!({"type": 1}), "payload: has a type that is not text");
    refused(
        &json!({"type": "sold"}),
        "payload: has an unknown type \"sold\"; the types are",
    );
    refused(
        &json!({"type": "stage_entered", "journey": "a"}),
        "payload.stage: is missing",
    );
    refused(
        &json!({"type": "stage_entered", "journey": "a", "stage": "b", "colour": 1}),
        "payload: has an unknown field \"colour\"; its fields are journey, stage",
    );
    refused(
        &json!({"type": "stage_entered", "journey": null, "stage": "b"}),
        "payload.journey: is null where text is expected",
    );
    refused(
        &json!({"type": "action_answered", "offer_id": "O", "accepted": "yes"}),
        "payload.accepted: is text where true or false is expected",
    );
}

#[test]
fn money_is_neither_negative_nor_of_no_currency() {
    let order = |field: &str, value: Value| {
        let mut order = json!({
            "type": "order_placed", "order_id": "A", "amount_minor": 1, "currency": "EUR",
        });
        order[field] = value;
        order
    };
    accepted(&order("amount_minor", json!(0)));
    refused(&order("order_id", json!("")), "payload.order_id: is empty");
    refused(
        &order("amount_minor", json!(-1)),
        "payload.amount_minor: -1 is negative",
    );
    refused(
        &order("amount_minor", json!(i64::MAX)),
        "payload.amount_minor: 9223372036854775807",
    );
    refused(
        &order("amount_minor", json!(u64::MAX)),
        "payload.amount_minor: is a whole number be",
    );
    refused(
        &order("amount_minor", json!(1.5)),
        "payload.amount_minor: is a number with a frac",
    );
    for code in ["", "EU", "eur", "XXX", "EURO", "ÄÖ"] {
        let expected = format!("payload.currency: {code:?} is not an ISO 4217 currency");
        refused(&order("currency", json!(code)), &expected);
    }
    accepted(&order("channel", Value::Null));
    refused(&order("channel", json!("")), "payload.channel: is empty");
    let item = |sku: &str, quantity: i64, amount: i64| {
        order(
            "items",
            json!([{"sku": "tea", "quantity": 1, "unit_amount_minor": 2},
                   {"sku": sku, "quantity": quantity, "unit_amount_minor": amount}]),
        )
    };
    accepted(&item("mug", 1, 0));
    refused(&item("", 1, 1), "payload.items.sku: is empty");
    refused(
        &item("mug", 0, 1),
        "payload.items.quantity: 0 is not a positive number",
    );
    refused(
        &item("mug", 1, -1),
        "payload.items.unit_amount_minor: -1 is negative",
    );
    refused(
        &item("mug", 1 << 40, 1),
        "payload.items: [1].quantity 1099511627776 is out of range",
    );
    refused(
        &order("items", json!([{"sku": "tea"}])),
        "payload.items: [0].quantity is missing",
    );
    refused(
        &order("items", json!(["tea"])),
        "payload.items: is text where a record is expected",
    );
    let many = vec![json!({"sku": "tea", "quantity": 1, "unit_amount_minor": 2}); MAX_ITEMS + 1];
    refused(
        &order("items", json!(many)),
        "payload.items: has 1001 entries; at most 1000",
    );
    refused(
        &json!({"type": "order_refunded", "order_id": "A", "amount_minor": -1, "currency": "EUR"}),
        "payload.amount_minor: -1 is negative",
    );
    refused(
        &json!({"type": "subscription_changed", "subscription_id": "S", "status": "active",
                "plan": "pro", "mrr_minor": -1, "currency": "EUR"}),
        "payload.mrr_minor: -1 is negative",
    );
    refused(
        &json!({"type": "campaign_touched", "campaign": "c", "channel": "d", "cost_minor": 1}),
        "payload.currency: is missing though a cost is given",
    );
    refused(
        &json!({"type": "campaign_touched", "campaign": "c", "channel": "d", "cost_minor": -1,
                "currency": "EUR"}),
        "payload.cost_minor: -1 is negative",
    );
}

#[test]
fn messages_have_known_words_and_measures_in_range() {
    let message = |field: &str, value: Value| {
        let mut message = json!({
            "type": "message_exchanged", "conversation_id": "C", "channel": "chat",
            "direction": "inbound",
        });
        message[field] = value;
        message
    };
    for sentiment in [json!(-1), json!(1.0), json!(0), Value::Null] {
        accepted(&message("sentiment", sentiment));
    }
    refused(
        &message("sentiment", json!(1.001)),
        "payload.sentiment: 1.001 is not between -1 and",
    );
    refused(
        &message("sentiment", json!(-2)),
        "payload.sentiment: -2 is not between -1 and 1",
    );
    refused(
        &message("response_ms", json!(-1)),
        "payload.response_ms: -1 is negative",
    );
    refused(&message("agent", json!("")), "payload.agent: is empty");
    refused(
        &message("channel", json!("pigeon")),
        "payload.channel: \"pigeon\" is none of email, sms, chat, call, social, other",
    );
    refused(
        &message("direction", json!("in")),
        "payload.direction: \"in\" is none of inbound, outbound",
    );
}

#[test]
fn attributes_fit_postgres_and_json() {
    let profile = |attributes: Value| json!({"type": "profile_updated", "attributes": attributes});
    accepted(&profile(
        json!({"text": "two\nlines", "empty": "", "none": null}),
    ));
    refused(
        &json!({"type": "profile_updated"}),
        "payload.attributes: is missing",
    );
    refused(
        &profile(json!([])),
        "payload.attributes: is a list where a map is expected",
    );
    refused(
        &profile(json!({"": 1})),
        "payload.attributes: the name \"\" is empty",
    );
    refused(
        &profile(json!({"a\0": 1})),
        "payload.attributes: the name \"a\\0\" contains a contr",
    );
    refused(
        &profile(json!({"a": "\0"})),
        "payload.attributes: \"a\" contains a NUL character",
    );
    refused(
        &profile(json!({"a": [1]})),
        "payload.attributes: \"a\" is a list where null, true",
    );
    refused(
        &profile(json!({"a": "x".repeat(MAX_TEXT_BYTES + 1)})),
        "payload.attributes: \"a\" is",
    );
    let many: serde_json::Map<String, Value> = (0..=MAX_ATTRIBUTES)
        .map(|number| (number.to_string(), json!(1)))
        .collect();
    refused(
        &profile(many.into()),
        "payload.attributes: has 1001 entries; at most 1000",
    );
}

#[test]
fn numbers_without_a_value_are_invalid() {
    let attributes = |value: f64| {
        let value = AttributeValue::Double(Double::new(value).unwrap());
        Payload::ProfileUpdated(ProfileUpdated {
            attributes: [("a".into(), value)].into(),
        })
    };
    let mut event = CustomerEvent::from_json(&stage().to_string()).unwrap();
    for value in [f64::INFINITY, f64::NEG_INFINITY] {
        event.payload = attributes(value);
        let invalid = event.validate().unwrap_err();
        assert_eq!(
            invalid.to_string(),
            "payload.attributes: \"a\" is not a finite number"
        );
    }
    assert_eq!(Double::new(f64::NAN), None);
}

#[test]
fn nobody_is_merged_into_themselves() {
    refused(
        &json!({"type": "identity_merged", "into_customer_id": "42"}),
        "payload.into_customer_id: is the event's own customer",
    );
    refused(
        &json!({"type": "identity_unmerged", "from_customer_id": "42"}),
        "payload.from_customer_id: is the event's own customer",
    );
    refused(
        &json!({"type": "identity_merged", "into_customer_id": ""}),
        "payload.into_customer_id: is empty",
    );
}

#[test]
fn an_erasure_needs_no_reason() {
    accepted(&json!({"type": "customer_erased", "reason": ""}));
    refused(
        &json!({"type": "customer_erased", "reason": "\0"}),
        "payload.reason: contains a NUL",
    );
}

#[test]
fn names_are_never_empty() {
    let payloads = [
        json!({"type": "activity_tracked", "name": "a"}),
        json!({"type": "subscription_changed", "subscription_id": "a", "status": "active",
               "plan": "a", "mrr_minor": 1, "currency": "EUR"}),
        json!({"type": "stage_entered", "journey": "a", "stage": "a"}),
        json!({"type": "conversation_closed", "conversation_id": "a", "outcome": "resolved",
               "agent": "a"}),
        json!({"type": "ticket_changed", "ticket_id": "a", "status": "a", "priority": "a"}),
        json!({"type": "campaign_touched", "campaign": "a", "channel": "a"}),
        json!({"type": "action_offered", "action": "a", "offer_id": "a"}),
        json!({"type": "action_answered", "offer_id": "a", "accepted": true}),
        json!({"type": "consent_changed", "purpose": "a", "granted": true}),
    ];
    for payload in payloads {
        accepted(&payload);
        for (field, _) in payload
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| *value == "a")
        {
            let mut bad = payload.clone();
            bad[field] = json!("");
            refused(&bad, &format!("payload.{field}: is empty"));
            bad[field] = json!("x".repeat(MAX_NAME_BYTES + 1));
            refused(&bad, &format!("payload.{field}: is longer than 255 bytes"));
            bad[field] = json!("\u{85}");
            refused(
                &bad,
                &format!("payload.{field}: contains a control character"),
            );
        }
    }
}

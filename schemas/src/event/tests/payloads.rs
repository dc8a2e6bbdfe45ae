//! The reasons for which each payload is refused.

use serde_json::{Value, json};

use super::{event, refused, stage};
use crate::event::*;
use crate::value::{AttributeValue, Double};

/// The event with that payload is accepted.
#[track_caller]
fn accepted(payload: &Value) {
    CustomerEvent::from_json(&event(payload).to_string()).unwrap();
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

/// An order with one field changed.
fn order(field: &str, value: Value) -> Value {
    let mut order = json!({
        "type": "order_placed", "order_id": "A", "amount_minor": 1, "currency": "EUR",
    });
    order[field] = value;
    order
}

#[test]
fn an_order_has_an_id_an_amount_and_a_currency() {
    #[track_caller]
    fn amount(value: Value, expected: &str) {
        let expected = format!("payload.amount_minor: {expected}");
        refused(&order("amount_minor", value), &expected);
    }
    accepted(&order("amount_minor", json!(0)));
    amount(json!(-1), "-1 is negative");
    amount(json!(i64::MAX), "9223372036854775807 is larger");
    amount(json!(u64::MAX), "is a whole number beyond 64 bits");
    amount(json!(1.5), "is a number with a fraction");
    for code in ["", "EU", "eur", "XXX", "EURO", "ÄÖ"] {
        let expected = format!("payload.currency: {code:?} is not an ISO 4217 currency");
        refused(&order("currency", json!(code)), &expected);
    }
    for code in ["usd", "Usd", " USD"] {
        let expected = format!("payload.currency: {code:?} is not an ISO 4217 currency; write USD");
        refused(&order("currency", json!(code)), &expected);
    }
    // Orders of the past were paid in currencies that are retired since.
    for (code, digits) in [("HRK", 2), ("DEM", 2), ("ITL", 0), ("BYR", 0), ("ROL", 2)] {
        accepted(&order("currency", json!(code)));
        assert_eq!(
            crate::Currency::new(code).map(crate::Currency::minor_digits),
            Some(digits)
        );
    }
    refused(&order("order_id", json!("")), "payload.order_id: is empty");
    accepted(&order("channel", Value::Null));
    refused(&order("channel", json!("")), "payload.channel: is empty");
}

#[test]
fn an_invalid_order_line_is_named_by_its_index() {
    let tea = json!({"sku": "tea", "quantity": 1, "unit_amount_minor": 2});
    let second = |sku: &str, quantity: i64, amount: i64| {
        let line = json!({"sku": sku, "quantity": quantity, "unit_amount_minor": amount});
        order("items", json!([tea, line]))
    };
    accepted(&second("mug", 1, 0));
    refused(&second("", 1, 1), "payload.items.sku: is empty");
    let expected = "payload.items.quantity: 0 is not a positive number";
    refused(&second("mug", 0, 1), expected);
    let expected = "payload.items.unit_amount_minor: -1 is negative";
    refused(&second("mug", 1, -1), expected);
    let expected = "payload.items: [1].quantity 1099511627776 is out of range";
    refused(&second("mug", 1 << 40, 1), expected);
    let expected = "payload.items: [0].quantity is missing";
    refused(&order("items", json!([{"sku": "tea"}])), expected);
    let expected = "payload.items: is text where a record is expected";
    refused(&order("items", json!(["tea"])), expected);
    let many = vec![tea.clone(); MAX_ITEMS + 1];
    let expected = "payload.items: has 1001 entries; at most 1000 are allowed";
    refused(&order("items", json!(many)), expected);
}

#[test]
fn negative_amounts_and_costs_without_currency_are_invalid() {
    let expected = "payload.amount_minor: -1 is negative";
    refused(
        &json!({"type": "order_refunded", "order_id": "A", "amount_minor": -1, "currency": "EUR"}),
        expected,
    );
    let expected = "payload.mrr_minor: -1 is negative";
    refused(
        &json!({"type": "subscription_changed", "subscription_id": "S", "status": "active",
                "plan": "pro", "mrr_minor": -1, "currency": "EUR"}),
        expected,
    );
    let mut touch = json!({
        "type": "campaign_touched", "campaign": "c", "channel": "d", "cost_minor": 1,
    });
    let expected = "payload.currency: is missing though a cost is given";
    refused(&touch, expected);
    touch["currency"] = json!("EUR");
    accepted(&touch);
    touch["cost_minor"] = json!(-1);
    refused(&touch, "payload.cost_minor: -1 is negative");
}

#[test]
fn messages_with_unknown_words_or_measures_out_of_range_are_invalid() {
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
fn attributes_that_do_not_fit_postgres_or_json_are_invalid() {
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
fn infinite_numbers_are_invalid() {
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
fn a_merge_of_a_customer_into_itself_is_invalid() {
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

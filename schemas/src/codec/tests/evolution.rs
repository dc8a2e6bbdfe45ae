//! Events of producers whose schema is another version than ours.

use apache_avro::types::Value;
use serde_json::json;

use super::{ID, changed, decoder, event, record, refund, tree, written};
use crate::codec::writer::Writer;
use crate::codec::{DecodeError, Encoder, SCHEMA};
use crate::event::{Channel, CustomerEvent, Payload, PayloadKind};
use crate::ids::EventId;
use crate::value::AttributeValue;

#[test]
fn the_schema_layout_alone_selects_the_path() {
    let prepared = |text: &str| Writer::prepare(text).unwrap().is_equivalent();
    assert!(prepared(SCHEMA));
    // Neither whitespace, docs, defaults nor a Java client's marks matter.
    assert!(prepared(&changed(|schema| {
        schema["doc"] = json!("another");
        schema["fields"][3]["type"] = json!({"type": "string", "avro.java.string": "String"});
    })));
    // Each of these changes bytes or their meaning.
    assert!(!prepared(&changed(
        |schema| schema["fields"][0]["type"] = json!("string")
    )));
    assert!(!prepared(&changed(|schema| {
        schema["fields"][4]["type"]["logicalType"] = json!("timestamp-millis");
    })));
    assert!(!prepared(&changed(|schema| schema["fields"]
        .as_array_mut()
        .unwrap()
        .swap(1, 2))));
    assert!(!prepared(&changed(
        |schema| schema["namespace"] = json!("elsewhere")
    )));
    assert!(!prepared(&changed(|schema| {
        schema["fields"][5]["type"]
            .as_array_mut()
            .unwrap()
            .swap(2, 3);
    })));
    assert!(!prepared(&changed(|schema| {
        let channel = &mut record(schema, "MessageExchanged")["fields"][1]["type"];
        channel["symbols"].as_array_mut().unwrap().swap(0, 1);
    })));
}

/// apache-avro's own resolution makes an order of this refund.
#[test]
fn a_refund_of_an_older_writer_stays_a_refund() {
    let older = changed(|schema| {
        let fields = record(schema, "OrderPlaced")["fields"]
            .as_array_mut()
            .unwrap();
        fields.retain(|field| field["name"] != "items");
    });
    let value = written(&older, Value::Record(tree(&refund())));
    assert_eq!(decoder(&older).decode(&value), Ok(refund()));
}

#[test]
fn fields_and_order_of_another_version_do_not_matter() {
    let newer = changed(|schema| {
        let fields = schema["fields"].as_array_mut().unwrap();
        fields.swap(0, 4);
        fields.push(json!({"name": "trace", "type": "string"}));
    });
    let mut fields = tree(&refund());
    fields.swap(0, 4);
    fields.push(("trace".to_owned(), "abc".into()));
    let value = written(&newer, Value::Record(fields));
    assert_eq!(decoder(&newer).decode(&value), Ok(refund()));
}

#[test]
fn a_producer_of_one_kind_may_write_that_record_alone() {
    let alone = changed(|schema| {
        schema["fields"][5]["type"] = record(schema, "OrderRefunded").clone();
    });
    let mut fields = tree(&refund());
    let Value::Union(_, payload) = fields[5].1.clone() else {
        panic!("a union")
    };
    fields[5].1 = *payload;
    let value = written(&alone, Value::Record(fields));
    assert_eq!(decoder(&alone).decode(&value), Ok(refund()));
}

#[test]
fn milliseconds_are_not_taken_for_microseconds() {
    let millis = changed(|schema| {
        schema["fields"][4]["type"]["logicalType"] = json!("timestamp-millis");
    });
    let mut fields = tree(&refund());
    fields[4].1 = Value::TimestampMillis(refund().occurred_at.micros() / 1_000);
    let value = written(&millis, Value::Record(fields));
    assert_eq!(decoder(&millis).decode(&value), Ok(refund()));
}

/// A later version of ours, with one more payload and one more word in two enums.
fn newer() -> String {
    changed(|schema| {
        let payloads = schema["fields"][5]["type"].as_array_mut().unwrap();
        payloads.push(json!({"type": "record", "name": "ParcelSent", "fields": []}));
        let fields = &mut record(schema, "MessageExchanged")["fields"];
        for (field, word) in [(1, "pigeon"), (2, "sideways")] {
            let symbols = fields[field]["type"]["symbols"].as_array_mut();
            symbols.unwrap().insert(0, json!(word));
        }
    })
}

fn decode_newer(fields: Vec<(String, Value)>) -> Result<CustomerEvent, DecodeError> {
    decoder(&newer()).decode(&written(&newer(), Value::Record(fields)))
}

/// A message of the later version, by the positions of its words there.
fn decode_message(channel: (u32, &str), direction: (u32, &str)) -> Result<Payload, DecodeError> {
    let mut fields = tree(&event(&json!({
        "type": "message_exchanged", "conversation_id": "C", "channel": "email",
        "direction": "inbound",
    })));
    let Value::Union(_, payload) = &mut fields[5].1 else {
        panic!("a union")
    };
    let Value::Record(payload) = &mut **payload else {
        panic!("a record")
    };
    payload[1].1 = Value::Enum(channel.0, channel.1.to_owned());
    payload[2].1 = Value::Enum(direction.0, direction.1.to_owned());
    decode_newer(fields).map(|event| event.payload)
}

#[track_caller]
fn incompatible<T: std::fmt::Debug>(result: Result<T, DecodeError>, expected: &str) {
    let Err(DecodeError::Incompatible { id: ID, reason }) = result else {
        panic!("{result:?}")
    };
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn a_payload_of_a_later_version_is_incompatible() {
    let mut fields = tree(&refund());
    let unknown = PayloadKind::ALL.len().try_into().unwrap();
    fields[5].1 = Value::Union(unknown, Box::new(Value::Record(Vec::new())));
    incompatible(decode_newer(fields), "ParcelSent");
    assert_eq!(decode_newer(tree(&refund())), Ok(refund()));
}

#[test]
fn an_unknown_channel_is_other_and_any_other_unknown_word_is_incompatible() {
    let read = decode_message((0, "pigeon"), (1, "inbound"));
    let Ok(Payload::MessageExchanged(message)) = read else {
        panic!("{read:?}")
    };
    assert_eq!(message.channel, Channel::Other);
    incompatible(decode_message((1, "email"), (0, "sideways")), "sideways");
}

#[test]
fn a_schema_that_cannot_be_read_is_incompatible() {
    #[track_caller]
    fn check(schema: &str, expected: &str) {
        let value = Encoder::new(ID).encode(&refund());
        incompatible(decoder(schema).decode(&value), expected);
    }
    check("{", "not Avro");
    check(r#""string""#, "cannot be read as ours");
    check(
        r#"{"type": "record", "name": "Person", "fields": []}"#,
        "Person",
    );
    check(
        &changed(|schema| schema["fields"][4]["type"] = json!("string")),
        "occurred_at",
    );
    check(
        &changed(|schema| {
            let fields = schema["fields"].as_array_mut().unwrap();
            fields.retain(|field| field["name"] != "tenant_id");
        }),
        "tenant_id",
    );
    // Schemas with which a few bytes could ask for any amount of memory or stack.
    let extended = |kind: serde_json::Value| {
        changed(|schema| {
            let fields = schema["fields"].as_array_mut().unwrap();
            fields.push(json!({"name": "more", "type": kind}));
        })
    };
    check(
        &extended(json!({"type": "array", "items": "null"})),
        "array of nulls",
    );
    check(
        &extended(json!({"type": "fixed", "name": "Huge", "size": 1_000_000_000_000_i64})),
        "Huge",
    );
    check(
        &extended(json!({"type": "record", "name": "Chain", "fields": [
            {"name": "next", "type": ["null", "Chain"]},
        ]})),
        "contains itself",
    );
}

#[test]
fn an_event_id_in_another_notation_is_equal() {
    let plain = changed(|schema| schema["fields"][0]["type"] = json!("string"));
    let mut fields = tree(&refund());
    let upper = refund().event_id.to_string().to_uppercase();
    fields[0].1 = Value::String(upper);
    let value = written(&plain, Value::Record(fields));
    let EventId(expected) = refund().event_id;
    for schema in [plain.as_str(), SCHEMA] {
        assert_eq!(decoder(schema).decode(&value).unwrap().event_id.0, expected);
    }
}

/// A profile of which an attribute has this schema and value.
fn decode_attribute(schema: &serde_json::Value, value: Value) -> AttributeValue {
    let typed = changed(|root| {
        record(root, "ProfileUpdated")["fields"][0]["type"]["values"] = json!(["null", schema]);
    });
    let mut fields = tree(&event(
        &json!({"type": "profile_updated", "attributes": {"a": null}}),
    ));
    let Value::Union(_, payload) = &mut fields[5].1 else {
        panic!("a union")
    };
    let Value::Record(payload) = &mut **payload else {
        panic!("a record")
    };
    let attribute = Value::Union(1, Box::new(value));
    payload[0].1 = Value::Map([("a".to_owned(), attribute)].into());
    let decoded = decoder(&typed).decode(&written(&typed, Value::Record(fields)));
    let Payload::ProfileUpdated(update) = decoded.unwrap().payload else {
        panic!("a profile")
    };
    update.attributes["a"].clone()
}

#[test]
fn logical_dates_and_timestamps_of_attributes_are_texts_and_no_bare_numbers() {
    let millis = 1_711_756_800_123;
    let cases = [
        ("int", "date", Value::Date(19_812), "2024-03-30"),
        ("int", "date", Value::Date(2_932_896), "9999-12-31"),
        (
            "long",
            "timestamp-millis",
            Value::TimestampMillis(millis),
            "2024-03-30T00:00:00.123Z",
        ),
        (
            "long",
            "timestamp-micros",
            Value::TimestampMicros(millis * 1_000),
            "2024-03-30T00:00:00.123Z",
        ),
        (
            "long",
            "timestamp-nanos",
            Value::TimestampNanos(millis * 1_000_000),
            "2024-03-30T00:00:00.123Z",
        ),
        (
            "long",
            "local-timestamp-millis",
            Value::LocalTimestampMillis(millis),
            "2024-03-30T00:00:00.123",
        ),
        (
            "long",
            "local-timestamp-micros",
            Value::LocalTimestampMicros(-1),
            "1969-12-31T23:59:59.999999",
        ),
    ];
    for (of, logical, value, expected) in cases {
        let schema = json!({"type": of, "logicalType": logical});
        assert_eq!(
            decode_attribute(&schema, value),
            AttributeValue::String(expected.into()),
            "{logical}"
        );
    }
    // Without a logical type a number stays a number, and one beyond the calendar has no date.
    assert_eq!(
        decode_attribute(&json!("long"), Value::Long(19_812)),
        AttributeValue::Long(19_812)
    );
    let date = json!({"type": "int", "logicalType": "date"});
    assert_eq!(
        decode_attribute(&date, Value::Date(i32::MAX)),
        AttributeValue::Long(i64::from(i32::MAX))
    );
}

//! The two decoding paths agree, and nothing that arrives can hurt.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::decoder::{read_directly, read_resolved};
use super::writer::Writer;
use super::*;
use crate::event::samples;
use crate::event::{AttributeMap, CustomerEvent, InvalidEvent, Payload, ProfileUpdated};

mod evolution;

const ID: u32 = 0x0102_0304;

fn decoder(schema: &str) -> Decoder {
    let decoder = Decoder::without_registry();
    decoder.add_schema(ID, schema);
    decoder
}

/// Our schema with changes, as another version of a producer would have it.
fn changed(change: impl FnOnce(&mut Json)) -> String {
    let mut schema: Json = serde_json::from_str(SCHEMA).unwrap();
    change(&mut schema);
    schema.to_string()
}

fn record<'a>(schema: &'a mut Json, name: &str) -> &'a mut Json {
    let payloads = schema["fields"][5]["type"].as_array_mut().unwrap();
    payloads
        .iter_mut()
        .find(|record| record["name"] == name)
        .unwrap()
}

fn event(payload: &Json) -> CustomerEvent {
    let event = json!({
        "event_id": "0192f0c1-7e00-7000-8000-000000000001",
        "tenant_id": "acme", "customer_id": "42", "source": "hubspot",
        "occurred_at": "2026-03-01T12:00:00Z", "payload": payload,
    });
    CustomerEvent::from_json(&event.to_string()).unwrap()
}

fn refund() -> CustomerEvent {
    event(&json!({
        "type": "order_refunded", "order_id": "A-1", "amount_minor": 5, "currency": "EUR",
    }))
}

/// The value as a producer with that schema writes it.
fn written(schema: &str, datum: Value) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let mut value = vec![MAGIC];
    value.extend_from_slice(&ID.to_be_bytes());
    writer.write_value(&mut value, datum).unwrap();
    value
}

/// The event as a tree, to be changed before it is written.
fn tree(event: &CustomerEvent) -> Vec<(String, Value)> {
    let value = Encoder::new(ID).encode(event);
    let writer = Writer::prepare(SCHEMA).unwrap();
    let Ok(Value::Record(mut fields)) = writer.read(&value[HEADER_BYTES..]) else {
        panic!("an event is a record")
    };
    // Ids are read as text, and written as what the schema has.
    fields[0].1 = Value::Uuid(event.event_id.0);
    fields
}

fn invalid(result: Result<CustomerEvent, DecodeError>) -> InvalidEvent {
    match result {
        Err(DecodeError::Invalid(invalid)) => *invalid,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn an_event_survives_avro_by_either_path_and_json(event in samples::event()) {
        let value = Encoder::new(ID).encode(&event);
        let datum = &value[HEADER_BYTES..];
        let writer = Writer::prepare(SCHEMA).unwrap();
        prop_assert_eq!(read_directly(datum), Some(event.clone()));
        prop_assert_eq!(read_resolved(&writer, ID, datum), Ok(event.clone()));
        prop_assert_eq!(decoder(SCHEMA).decode(&value), Ok(event.clone()));
        prop_assert_eq!(&CustomerEvent::from_json(&event.to_json()).unwrap(), &event);
        let by_serde: CustomerEvent = serde_json::from_str(&event.to_json()).unwrap();
        prop_assert_eq!(by_serde, event);
    }

    #[test]
    fn a_truncated_event_is_undecodable(event in samples::event(), cut in any::<prop::sample::Index>()) {
        let value = Encoder::new(ID).encode(&event);
        let cut = cut.index(value.len());
        let error = decoder(SCHEMA).decode(&value[..cut]);
        prop_assert!(matches!(error, Err(DecodeError::Undecodable(_))), "{:?}", error);
    }

    #[test]
    fn changed_bytes_never_panic_and_both_paths_agree(
        event in samples::event(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut value = Encoder::new(ID).encode(&event);
        for (at, byte) in changes {
            let at = at.index(value.len() - HEADER_BYTES) + HEADER_BYTES;
            value[at] = byte;
        }
        let writer = Writer::prepare(SCHEMA).unwrap();
        let resolved = read_resolved(&writer, ID, &value[HEADER_BYTES..]);
        prop_assert_eq!(decoder(SCHEMA).decode(&value), resolved);
    }

    #[test]
    fn foreign_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framed = vec![MAGIC];
        framed.extend_from_slice(&ID.to_be_bytes());
        framed.extend_from_slice(&value);
        prop_assert!(decoder(SCHEMA).decode(&framed).is_err());
        prop_assert!(decoder(SCHEMA).decode(&value).is_err());
    }
}

#[test]
fn values_outside_the_wire_format_are_undecodable() {
    #[track_caller]
    fn check(value: &[u8], expected: &str) {
        match decoder(SCHEMA).decode(value) {
            Err(DecodeError::Undecodable(reason)) => {
                assert!(reason.contains(expected), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
    let good = Encoder::new(ID).encode(&refund());
    check(b"", "0 bytes");
    check(&good[..4], "4 bytes");
    check(br#"{"event_id": 1}"#, "the first byte is 123");
    check(&good[..good.len() - 1], "ends too early");
    check(&[&good[..], b"x"].concat(), "1 bytes follow");
    check(&vec![0; MAX_VALUE_BYTES + 1], "at most");
    // The tenant's name begins after the id's 36 letters and two lengths.
    let mut not_utf8 = good.clone();
    not_utf8[HEADER_BYTES + 38] = 0xff;
    check(&not_utf8, "utf-8");
    // A name that says it is of four exabytes.
    let huge = [
        &good[..HEADER_BYTES + 37],
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ];
    check(&huge.concat(), "allocate");
}

#[test]
fn collections_with_a_length_beyond_the_value_are_undecodable() {
    let empty = event(&json!({"type": "profile_updated", "attributes": {}}));
    assert_eq!(
        empty.payload,
        Payload::ProfileUpdated(ProfileUpdated {
            attributes: AttributeMap::new()
        })
    );
    let mut value = Encoder::new(ID).encode(&empty);
    assert_eq!(value.pop(), Some(0));
    for count in [
        &[0xfe, 0xff, 0x7f][..],
        &[0xff; 9],
        &[0x01, 0x02],
        &[0x80; 12],
    ] {
        let value = [&value[..], count].concat();
        let error = decoder(SCHEMA).decode(&value).unwrap_err();
        assert!(matches!(error, DecodeError::Undecodable(_)), "{error}");
    }
}

#[test]
fn an_unknown_schema_is_requested() {
    let value = Encoder::new(7).encode(&refund());
    assert_eq!(
        decoder(SCHEMA).decode(&value),
        Err(DecodeError::SchemaNeeded { id: 7 })
    );
}

#[test]
fn an_invalid_event_names_its_field_and_its_customer() {
    #[track_caller]
    fn check(field: &str, at: usize, value: Value, reads_customer: bool) {
        let mut fields = tree(&refund());
        // Written with plain text for the id, since apache-avro writes no other than valid ones.
        let plain = changed(|schema| schema["fields"][0]["type"] = json!("string"));
        fields[0].1 = Value::String(refund().event_id.to_string());
        fields[at].1 = value;
        let value = written(&plain, Value::Record(fields));
        // The same bytes, by the path of either schema.
        for schema in [plain.as_str(), SCHEMA] {
            let invalid = invalid(decoder(schema).decode(&value));
            assert_eq!(invalid.field, field, "{invalid}");
            assert_eq!(invalid.customer.is_some(), reads_customer);
        }
    }
    check("event_id", 0, "not-a-uuid".into(), true);
    check("tenant_id", 1, "".into(), true);
    check("customer_id", 2, "".into(), false);
    check("source", 3, "".into(), true);
    check("occurred_at", 4, Value::TimestampMicros(i64::MAX), true);
    check(
        "occurred_at",
        4,
        Value::TimestampMicros(-2_208_988_800_000_001),
        true,
    );
}

#[test]
fn a_decoder_is_shared_between_threads() {
    let decoder = decoder(SCHEMA);
    let value = Encoder::new(ID).encode(&refund());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                decoder.add_schema(ID, SCHEMA);
                assert_eq!(decoder.decode(&value), Ok(refund()));
            });
        }
    });
}

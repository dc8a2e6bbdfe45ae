//! Invalid input: each invalid record is parked once with its reason and all its bytes, and the
//! others are folded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::{ActivityTracked, OrderPlaced, ProfileUpdated};
use tidemark_schemas::{
    AttributeValue, Currency, CustomerEvent, CustomerId, EventId, Instant, Partitioner, Payload,
    TenantId,
};
use uuid::Uuid;

use crate::support::publish::Publisher;
use crate::support::reference::Reference;
use crate::support::registry::Registry;
use crate::support::site::Site;
use crate::support::wait::wait_for;

const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: buyers
    when: { orders: { count: { gte: 1 } } }
";
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const SOON: Duration = Duration::from_mins(1);

fn now() -> Instant {
    WallClock::System.now()
}

fn event(customer: &str, occurred_at: Instant, payload: Payload) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(customer).unwrap(),
        source: "test".into(),
        occurred_at,
        payload,
    }
}

fn order(amount_minor: i64) -> Payload {
    Payload::OrderPlaced(OrderPlaced {
        order_id: Uuid::new_v4().to_string().into(),
        amount_minor,
        currency: Currency::new("EUR").unwrap(),
        items: None,
        channel: None,
    })
}

fn activity() -> Payload {
    let properties = BTreeMap::new();
    Payload::ActivityTracked(ActivityTracked {
        name: "page_viewed".into(),
        properties,
    })
}

fn profile(value: &str) -> Payload {
    let value = AttributeValue::String(Arc::from(value));
    Payload::ProfileUpdated(ProfileUpdated {
        attributes: BTreeMap::from([("note".into(), value)]),
    })
}

/// Returns the bytes of an event in which one text is replaced, with its length.
fn corrupted(publisher: &Publisher, event: &CustomerEvent, text: &str, by: &[u8]) -> Vec<u8> {
    let with_length = |text: &[u8]| {
        let length = u8::try_from(text.len() * 2).unwrap(); // zigzag, one byte
        [&[length], text].concat()
    };
    let (bytes, wanted) = (publisher.encode(event), with_length(text.as_bytes()));
    let at = bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
        .unwrap();
    [&bytes[..at], &with_length(by), &bytes[at + wanted.len()..]].concat()
}

/// A record that must be parked, with the expected reason.
struct Bad {
    name: &'static str,
    key: Vec<u8>,
    value: Vec<u8>,
    reason: &'static str,
    field: Option<&'static str>,
}

fn bad(
    name: &'static str,
    (reason, field): (&'static str, Option<&'static str>),
    event: &CustomerEvent,
    value: Vec<u8>,
) -> Bad {
    Bad {
        name,
        key: event.key().record_key().into_bytes(),
        value,
        reason,
        field,
    }
}

/// Returns records that no decoder turns into an event.
fn undecodable(publisher: &Publisher, valid: &CustomerEvent) -> Vec<Bad> {
    let bytes = publisher.encode(valid);
    let trailing = [&bytes[..], b"more"].concat();
    let of = |name, value| bad(name, ("undecodable", None), valid, value);
    vec![
        of("truncated", bytes[..bytes.len() / 2].to_vec()),
        of("foreign bytes", b"{\"hello\": \"json\"}".to_vec()),
        of("nothing", Vec::new()),
        of("only a header", bytes[..5].to_vec()),
        of("trailing bytes", trailing),
        of(
            "invalid UTF-8",
            corrupted(publisher, valid, "test", b"\xff\xfe\xfd\xfc"),
        ),
        of(
            "a length bomb",
            [&bytes[..5], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat(),
        ),
        bad("unknown schema", ("unknown_schema", None), valid, {
            let mut bytes = bytes.clone();
            bytes[1..5].copy_from_slice(&987_654_321_u32.to_be_bytes());
            bytes
        }),
    ]
}

/// Returns records that decode to an invalid event.
fn invalid(publisher: &Publisher, valid: &CustomerEvent) -> Vec<Bad> {
    let of = |name, field, event: &CustomerEvent| {
        bad(
            name,
            ("invalid", Some(field)),
            event,
            publisher.encode(event),
        )
    };
    let corrupt = |name, field, text: &str, by: &[u8]| {
        bad(
            name,
            ("invalid", Some(field)),
            valid,
            corrupted(publisher, valid, text, by),
        )
    };
    let future = event("future", now().plus_micros(3_600 * SECOND), order(1));
    let absurd = event("absurd", "1815-12-10T00:00:00Z".parse().unwrap(), order(1));
    let negative = event("negative", now(), order(-1));
    let oversized = event("oversized", now(), profile(&"x".repeat(40_000)));
    vec![
        of("the future", "occurred_at", &future),
        of("a time in 1815", "occurred_at", &absurd),
        of("a negative amount", "payload.amount_minor", &negative),
        of("an oversized text", "payload.attributes", &oversized),
        corrupt("not a currency", "payload.currency", "EUR", b"EUX"),
        corrupt("an empty tenant", "tenant_id", "acme", b""),
        corrupt("an empty customer", "customer_id", "valid", b""),
        corrupt("a NUL in an id", "customer_id", "valid", b"va\0id"),
    ]
}

/// Returns a record with a valid Avro schema that is not that of an event.
async fn incompatible(site: &Site, valid: &CustomerEvent) -> Bad {
    let schema = r#"{"type": "record", "name": "Other", "fields": [{"name": "a", "type": "int"}]}"#;
    let subject = format!("{}-other", site.topic);
    let id = Registry::shared()
        .client()
        .register(&subject, schema)
        .await
        .unwrap();
    let value = [&[0], &id.to_be_bytes()[..], &[2]].concat();
    bad("another record", ("incompatible", None), valid, value)
}

/// Returns an event older than the dedup horizon of its customer.
fn late(publisher: &Publisher) -> Bad {
    publisher.event(&event("late", now(), activity()));
    let late = event("late", now().plus_micros(-8 * DAY), activity());
    bad("late", ("late", None), &late, publisher.encode(&late))
}

type Parked = (
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    String,
    Option<String>,
    Option<String>,
    String,
    Vec<u8>,
);

async fn parked(site: &Site) -> Vec<Parked> {
    let columns = "key, value, reason, field, tenant_id, detail, headers";
    site.projections()
        .await
        .rows(&format!("select {columns} from $gen.parked"))
        .await
}

fn assert_parked(fault: &Bad, rows: &[Parked]) {
    let found: Vec<_> = rows
        .iter()
        .filter(|row| row.1.as_ref() == Some(&fault.value))
        .collect();
    let [(key, _, reason, field, tenant, detail, headers)] = &found[..] else {
        panic!("{}: {found:?}", fault.name)
    };
    assert_eq!(
        (reason.as_str(), field.as_deref()),
        (fault.reason, fault.field),
        "{detail}"
    );
    assert_eq!(key.as_ref(), Some(&fault.key), "{}", fault.name);
    // Where the value does not name it, the key does.
    assert_eq!(tenant.as_deref(), Some("acme"), "{}", fault.name);
    let headers = String::from_utf8(headers.clone()).unwrap();
    assert!(headers.contains("trace"), "{}: {headers}", fault.name);
}

/// Asserts that `parked summary` counts the events by source and reason, with examples.
fn assert_summarized(site: &Site, parked: usize) {
    let summary = |arguments: &[&str]| -> Value {
        let command = [&["parked", "summary", "--json"], arguments].concat();
        serde_json::from_slice(&site.run(&command).stdout).unwrap()
    };
    let of_source = summary(&["--source", "test"]);
    let groups = of_source.as_array().unwrap();
    for group in groups {
        assert_eq!(
            (&group["source"], &group["tenant"]),
            (&"test".into(), &"acme".into())
        );
    }
    let invalid = groups.iter().find(|group| group["reason"] == "invalid");
    let invalid = invalid.unwrap();
    assert_eq!(invalid["events"], 8, "{of_source}");
    assert_eq!(invalid["examples"].as_array().unwrap().len(), 3);
    let all = summary(&[]);
    let events = all.as_array().unwrap().iter();
    let events: i64 = events.map(|group| group["events"].as_i64().unwrap()).sum();
    assert_eq!(usize::try_from(events).unwrap(), parked);
}

#[tokio::test]
async fn invalid_records_are_parked_with_bytes_and_reason_while_valid_ones_are_folded() {
    // Given records with every kind of fault between valid ones
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let valid = event("valid", now(), order(1_000));
    let mut faults = undecodable(&publisher, &valid);
    faults.extend(invalid(&publisher, &valid));
    faults.push(incompatible(&site, &valid).await);
    faults.push(late(&publisher));
    for (number, fault) in faults.iter().enumerate() {
        publisher.event(&event(&format!("good-{number}"), now(), order(100)));
        publisher.raw(
            &fault.key,
            &fault.value,
            &[("trace", fault.name.as_bytes())],
        );
    }
    publisher.event(&valid);
    publisher.event(&valid);
    publisher.flush();

    // When they are processed
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // Then each invalid record is parked once, with its reason and all its bytes
    let rows = parked(&site).await;
    assert_eq!(rows.len(), faults.len(), "{rows:#?}");
    for fault in &faults {
        assert_parked(fault, &rows);
    }

    // And the summary counts them
    assert_summarized(&site, faults.len());

    // And every valid event is folded once
    let expected = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    assert_eq!(
        expected.states().len(),
        faults.len() + 2,
        "the events to be folded, with the valid and the late one"
    );
}

#[tokio::test]
async fn events_of_an_undefined_tenant_are_folded_once_it_is_defined() {
    // Given events of a tenant that is not defined
    let site = Site::new().await;
    let publisher = site.publisher().await;
    for number in 0..1_200 {
        publisher.event(&event(
            &format!("early-{}", number % 300),
            now(),
            order(number),
        ));
    }
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    let projections = site.projections().await;
    assert_eq!(parked(&site).await.len(), 0, "nothing is copied");
    let waiting = "select sum(events)::bigint from $gen.deferral \
                   where tenant_id = 'acme' and customer_id = '' and reason = 'undefined'";
    assert_eq!(projections.number(waiting).await, 1_200);

    // When the tenant is defined, and the processor is killed and restarted
    site.define(DEFINITIONS);
    processor.kill();
    let processor = site.process(&[]);

    // Then its events are folded without an operator, and nothing is deferred any more
    wait_for(
        SOON,
        "no deferral, and the second processor to own every partition",
        async || {
            let claims = projections
                .number("select sum(epoch)::bigint from $gen.progress")
                .await;
            let left = "select count(*) from $gen.deferral";
            match (projections.number(left).await, claims) {
                (0, 8..) => Ok(()),
                (left, claims) => Err(format!("{left} deferred, {claims} claims")),
            }
        },
    )
    .await;
    processor.terminate();
    let expected = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
    let left = "select coalesce(sum(value), 0)::bigint from $gen.counter where kind = 'parked'";
    assert_eq!(projections.number(left).await, 0);
}

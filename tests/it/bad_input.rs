//! Bad input: each fault is parked once with its reason and all its bytes, and the rest folds on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
use crate::support::site::{PARTITIONS, Site};
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

/// The bytes of an event in which one text is another, length and all.
fn spoilt(publisher: &Publisher, event: &CustomerEvent, text: &str, by: &[u8]) -> Vec<u8> {
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

/// A record that must be parked, and how.
struct Bad {
    name: &'static str,
    key: Vec<u8>,
    value: Vec<u8>,
    reason: &'static str,
    field: Option<&'static str>,
    /// Whether the tenant can be read.
    tenant: bool,
}

fn bad(
    name: &'static str,
    (reason, field): (&'static str, Option<&'static str>),
    event: &CustomerEvent,
    value: Vec<u8>,
) -> Bad {
    let tenant = matches!(reason, "invalid" | "late" | "misrouted" | "unknown_tenant")
        && field != Some("tenant_id");
    Bad {
        name,
        key: event.key().record_key().into_bytes(),
        value,
        reason,
        field,
        tenant,
    }
}

/// What no decoder should make an event of.
fn undecodable(publisher: &Publisher, whole: &CustomerEvent) -> Vec<Bad> {
    let bytes = publisher.encode(whole);
    let trailing = [&bytes[..], b"more"].concat();
    let of = |name, value| bad(name, ("undecodable", None), whole, value);
    vec![
        of("truncated", bytes[..bytes.len() / 2].to_vec()),
        of("foreign bytes", b"{\"hello\": \"json\"}".to_vec()),
        of("nothing", Vec::new()),
        of("only a header", bytes[..5].to_vec()),
        of("trailing bytes", trailing),
        of(
            "invalid UTF-8",
            spoilt(publisher, whole, "test", b"\xff\xfe\xfd\xfc"),
        ),
        of(
            "a length bomb",
            [&bytes[..5], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat(),
        ),
        bad("unknown schema", ("unknown_schema", None), whole, {
            let mut bytes = bytes.clone();
            bytes[1..5].copy_from_slice(&987_654_321_u32.to_be_bytes());
            bytes
        }),
    ]
}

/// What decodes and makes no sense.
fn invalid(publisher: &Publisher, whole: &CustomerEvent) -> Vec<Bad> {
    let of = |name, field, event: &CustomerEvent| {
        bad(
            name,
            ("invalid", Some(field)),
            event,
            publisher.encode(event),
        )
    };
    let spoil = |name, field, text: &str, by: &[u8]| {
        bad(
            name,
            ("invalid", Some(field)),
            whole,
            spoilt(publisher, whole, text, by),
        )
    };
    let future = event("future", now().plus_micros(3_600 * SECOND), order(1));
    let absurd = event("absurd", "1815-12-10T00:00:00Z".parse().unwrap(), order(1));
    let negative = event("negative", now(), order(-1));
    let oversized = event("oversized", now(), profile(&"x".repeat(40_000)));
    vec![
        of("the future", "occurred_at", &future),
        of("an absurd time", "occurred_at", &absurd),
        of("a negative amount", "payload.amount_minor", &negative),
        of("an oversized text", "payload.attributes", &oversized),
        spoil("not a currency", "payload.currency", "EUR", b"EUX"),
        spoil("an empty tenant", "tenant_id", "acme", b""),
        spoil("an empty customer", "customer_id", "whole", b""),
        spoil("a NUL in an id", "customer_id", "whole", b"wh\0le"),
    ]
}

/// A schema that is Avro and no event, under an id of its own.
async fn incompatible(site: &Site, whole: &CustomerEvent) -> Bad {
    let schema = r#"{"type": "record", "name": "Other", "fields": [{"name": "a", "type": "int"}]}"#;
    let subject = format!("{}-other", site.topic);
    let id = Registry::shared()
        .client()
        .register(&subject, schema)
        .await
        .unwrap();
    let value = [&[0], &id.to_be_bytes()[..], &[2]].concat();
    bad("another record", ("incompatible", None), whole, value)
}

/// An event too old for its customer to be told from a duplicate, after one that makes it so.
fn late(publisher: &Publisher) -> Bad {
    publisher.event(&event("late", now(), activity()));
    let late = event("late", now().plus_micros(-8 * DAY), activity());
    bad("late", ("late", None), &late, publisher.encode(&late))
}

/// A customer at home elsewhere by the partitioner of librdkafka's default.
fn misrouted() -> CustomerEvent {
    (0..100)
        .map(|n| event(&format!("stray-{n}"), now(), order(1)))
        .find(|event| {
            let key = event.key().record_key();
            let home = |partitioner: Partitioner| partitioner.partition(key.as_bytes(), PARTITIONS);
            home(Partitioner::Crc32) != home(Partitioner::Murmur2)
                && home(Partitioner::Crc32) != home(Partitioner::Fnv1a)
        })
        .unwrap()
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
    assert_eq!(
        tenant.as_deref(),
        fault.tenant.then_some("acme"),
        "{}",
        fault.name
    );
    let headers = String::from_utf8(headers.clone()).unwrap();
    assert!(headers.contains("trace"), "{}: {headers}", fault.name);
}

fn assert_misrouted(stray: &[u8], rows: &[Parked]) {
    let strays: Vec<_> = rows.iter().filter(|row| row.2 == "misrouted").collect();
    let [(_, value, _, _, tenant, detail, _)] = &strays[..] else {
        panic!("{strays:?}")
    };
    assert_eq!(value.as_deref(), Some(stray));
    assert_eq!(tenant.as_deref(), Some("acme"));
    assert!(
        detail.contains("consistent_random"),
        "names the producer's partitioner: {detail}"
    );
}

#[tokio::test]
async fn every_fault_is_parked_whole_with_its_reason_and_the_rest_folds_on() {
    // Given records with every fault between events without one
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let whole = event("whole", now(), order(1_000));
    let mut faults = undecodable(&publisher, &whole);
    faults.extend(invalid(&publisher, &whole));
    faults.push(incompatible(&site, &whole).await);
    faults.push(late(&publisher));
    for (number, fault) in faults.iter().enumerate() {
        publisher.event(&event(&format!("good-{number}"), now(), order(100)));
        publisher.raw(
            &fault.key,
            &fault.value,
            &[("trace", fault.name.as_bytes())],
        );
    }
    publisher.event(&whole);
    publisher.event(&whole);
    publisher.flush();
    let stray = misrouted();
    let foreign = site.publisher_with(Partitioner::Crc32).await;
    foreign.event(&stray);
    foreign.flush();

    // When they are processed
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // Then each is parked once, with its reason and every byte of it
    let rows = parked(&site).await;
    assert_eq!(rows.len(), faults.len() + 1, "{rows:#?}");
    for fault in &faults {
        assert_parked(fault, &rows);
    }
    assert_misrouted(&publisher.encode(&stray), &rows);

    // And everything without a fault is folded, once
    let expected = Reference::of_topic(
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
        "good ones, the whole and the late one"
    );
}

#[tokio::test]
async fn events_of_a_tenant_not_yet_defined_wait_for_it() {
    // Given events of a tenant that nobody has defined
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
    let waiting = parked(&site).await;
    assert_eq!(waiting.len(), 1_200);
    assert!(
        waiting
            .iter()
            .all(|row| row.2 == "unknown_tenant" && row.4.as_deref() == Some("acme"))
    );

    // When it is defined while the processor is killed and started again
    site.define(DEFINITIONS);
    processor.kill();
    let processor = site.process(&[]);

    // Then they are folded by themselves, and none waits any more
    let projections = site.projections().await;
    wait_for(
        SOON,
        "nothing to be parked, and the second one to own it all",
        async || {
            let claims = projections
                .number("select sum(epoch)::bigint from $gen.progress")
                .await;
            match (parked(&site).await.len(), claims) {
                (0, 8..) => Ok(()),
                (left, claims) => Err(format!("{left} left, {claims} claims")),
            }
        },
    )
    .await;
    processor.terminate();
    let expected = Reference::of_topic(
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

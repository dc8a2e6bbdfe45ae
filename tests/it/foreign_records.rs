//! Records as no client library of ours writes them: whatever a producer puts into key, value,
//! headers and timestamp, each record is folded or parked, and no processor ends.

mod malformed;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::{ActivityTracked, Payload};
use tidemark_schemas::{CustomerEvent, CustomerId, EventId, Partitioner, TenantId};
use uuid::Uuid;

use crate::support::publish::Publisher;
use crate::support::raw_produce::{RawProducer, RawRecord};
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Site};

const SEED: u64 = 20_261_130;
const RECORDS: usize = 1_500;
const SOON: Duration = Duration::from_mins(2);
const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: buyers
    when: { orders: { count: { gte: 1 } } }
";
/// The broker's codes for a record it does not take: too large, a timestamp out of range, a
/// malformed record.
const REFUSED: [i16; 3] = [10, 32, 87];

fn event(customer: &str) -> CustomerEvent {
    CustomerEvent {
        event_id: EventId(Uuid::new_v4()),
        tenant_id: TenantId::new("acme").unwrap(),
        customer_id: CustomerId::new(customer).unwrap(),
        source: "test".into(),
        occurred_at: WallClock::System.now().plus_micros(-60_000_000),
        payload: Payload::ActivityTracked(ActivityTracked {
            name: "page_viewed".into(),
            properties: BTreeMap::new(),
        }),
    }
}

fn expected_partition(event: &CustomerEvent) -> i32 {
    Partitioner::Murmur2.partition(event.key().record_key().as_bytes(), PARTITIONS)
}

/// A parked record: partition, offset, key, value, reason and headers.
type Parked = (i32, i64, Option<Vec<u8>>, Option<Vec<u8>>, String, Vec<u8>);

async fn parked(site: &Site) -> Vec<Parked> {
    let columns = "partition, \"offset\", key, value, reason, headers";
    let query = format!("select {columns} from $gen.parked");
    site.projections().await.rows(&query).await
}

#[tokio::test]
async fn records_with_header_names_that_are_not_utf8_are_folded_or_parked() {
    // Given an event and a record of foreign bytes, each with a header name that is not UTF-8
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let whole = event("ada");
    let partition = expected_partition(&whole);
    let headers = vec![
        (b"before".to_vec(), Some(b"1".to_vec())),
        (b"\xff\xfe".to_vec(), Some(b"2".to_vec())),
        (b"after".to_vec(), None),
    ];
    let good = RawRecord {
        key: Some(whole.key().record_key().into_bytes()),
        value: Some(publisher.encode(&whole)),
        headers: headers.clone(),
        ..RawRecord::default()
    };
    let bad = RawRecord {
        key: Some(b"\xffkey".to_vec()),
        value: Some(b"foreign".to_vec()),
        headers,
        ..RawRecord::default()
    };
    producer.send(&site.topic, partition, &good).unwrap();
    producer.send(&site.topic, partition, &bad).unwrap();
    // And an event after both
    publisher.event(&event("ada"));
    publisher.flush();

    // When they are processed
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;
    processor.terminate();

    // Then the events are folded, and the foreign bytes are parked with key, value and headers
    let folded = site.projections().await.folded().await;
    assert_eq!(folded.values().sum::<i64>(), 2);
    let rows = parked(&site).await;
    let [(_, _, key, value, reason, headers)] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!((key, value), (&bad.key, &bad.value));
    assert_eq!(reason, "undecodable");
    assert_eq!(
        String::from_utf8(headers.clone()).unwrap(),
        r#"[["before","MQ=="],[{"base64":"//4="},"Mg=="],["after",null]]"#
    );
}

fn bytes(random: &mut StdRng, at_most: usize) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(0..=at_most)];
    random.fill_bytes(&mut bytes);
    bytes
}

fn text_or_bytes(random: &mut StdRng) -> Vec<u8> {
    match random.random_range(0..6) {
        0 => Vec::new(),
        1 => b"traceparent".to_vec(),
        2 => b"a\0b".to_vec(),
        3 => "\u{202e}ü\u{10ffff}".as_bytes().to_vec(),
        4 => b"\xc3\x28".to_vec(),
        _ => bytes(random, 40),
    }
}

fn timestamp(random: &mut StdRng) -> i64 {
    let now = WallClock::System.now().micros() / 1_000;
    match random.random_range(0..10) {
        0 => -1,
        1 => 0,
        2 => -2,
        3 => i64::MIN,
        4 => i64::MAX,
        5 => random.random(),
        6 => -now,
        7 => now + 366 * 86_400_000,
        _ => now,
    }
}

fn key(random: &mut StdRng) -> Option<Vec<u8>> {
    match random.random_range(0..5) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(b"acme/ada".to_vec()),
        _ => Some(bytes(random, 64)),
    }
}

fn value(random: &mut StdRng, publisher: &Publisher) -> Option<Vec<u8>> {
    let whole = || publisher.encode(&event("ada"));
    match random.random_range(0..12) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(bytes(random, 300)),
        3 => Some([&[0][..], &bytes(random, 60)].concat()),
        4 if random.random_ratio(1, 10) => Some(vec![7; 900_000]),
        5 => {
            let mut spoilt = whole();
            let at = random.random_range(0..spoilt.len());
            spoilt[at] = random.random();
            Some(spoilt)
        }
        6 => {
            let mut cut = whole();
            cut.truncate(random.random_range(0..cut.len()));
            Some(cut)
        }
        _ => Some(whole()),
    }
}

fn headers(random: &mut StdRng) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let count = match random.random_range(0..20) {
        0 => 2_000,
        1..10 => 0,
        _ => random.random_range(1..6),
    };
    let one = |random: &mut StdRng| {
        let value = random.random_ratio(3, 4).then(|| bytes(random, 30));
        (text_or_bytes(random), value)
    };
    (0..count).map(|_| one(random)).collect()
}

fn record(random: &mut StdRng, publisher: &Publisher) -> RawRecord {
    RawRecord {
        timestamp: timestamp(random),
        key: key(random),
        value: value(random, publisher),
        headers: headers(random),
    }
}

/// The records that the broker accepted, by partition and offset.
type Accepted = BTreeMap<(i32, i64), RawRecord>;

/// Sends random records to every partition and returns those that the broker accepted.
fn send_random(site: &Site, publisher: &Publisher, seed: u64) -> Accepted {
    let mut random = StdRng::seed_from_u64(seed);
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let mut accepted = Accepted::new();
    for _ in 0..RECORDS {
        let record = record(&mut random, publisher);
        let partition = random.random_range(0..PARTITIONS);
        match producer.send(&site.topic, partition, &record) {
            Ok(offset) => drop(accepted.insert((partition, offset), record)),
            Err(code) => assert!(REFUSED.contains(&code), "refused with {code}: {record:?}"),
        }
    }
    accepted
}

/// Returns headers as they are stored. A name ends at its first NUL.
fn stored(headers: &[(Vec<u8>, Option<Vec<u8>>)]) -> Value {
    let header = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| {
        let name = name.split(|byte| *byte == 0).next().unwrap();
        let name = std::str::from_utf8(name)
            .map_or_else(|_| json!({ "base64": BASE64.encode(name) }), Value::from);
        json!([name, value.as_ref().map(|value| BASE64.encode(value))])
    };
    headers.iter().map(header).collect()
}

/// Asserts that each record is folded, or parked with its bytes, or waits in the log for its tenant to be
/// defined, and that the processor ends in good order.
async fn assert_accounted_for(site: &Site, accepted: &Accepted) {
    let processor = site.process(&["--set", "processor.halt_share=1"]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    let projections = site.projections().await;
    let folded: i64 = projections.folded().await.values().sum();
    let rows = parked(site).await;
    let parked = rows.len();
    let deferred = "select coalesce(sum(events), 0)::bigint from $gen.deferral";
    let deferred = projections.number(deferred).await;
    let all = usize::try_from(folded + deferred).unwrap() + parked;
    assert_eq!(all, accepted.len(), "{folded}, {parked}, {deferred}");
    assert!(folded > 0 && parked > 0, "{folded} folded, {parked} parked");
    for (partition, offset, key, value, _, headers) in rows {
        let mut headers: Value = serde_json::from_slice(&headers).unwrap();
        let original = remove_mark(&mut headers);
        let record = &accepted[&original.unwrap_or((partition, offset))];
        assert_eq!(value, record.value, "{partition}@{offset}");
        assert_eq!(headers, stored(&record.headers), "{partition}@{offset}");
        // A copy has the key of its event.
        assert!(
            original.is_some() || key == record.key,
            "{partition}@{offset}"
        );
    }
}

/// Removes the mark of a forwarded copy from stored headers, and returns the position in it.
fn remove_mark(headers: &mut Value) -> Option<(i32, i64)> {
    let headers = headers.as_array_mut().unwrap();
    let mark = headers.pop_if(|header| header[0] == "tidemark-forwarded-from")?;
    let value = BASE64.decode(mark[1].as_str().unwrap()).unwrap();
    let value = String::from_utf8(value).unwrap();
    let (partition, offset) = value.rsplit_once('/').unwrap().1.split_once('@').unwrap();
    Some((partition.parse().unwrap(), offset.parse().unwrap()))
}

#[tokio::test]
async fn random_records_are_all_folded_or_parked_under_broker_timestamps() {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let accepted = send_random(&site, &site.publisher().await, SEED);
    assert_accounted_for(&site, &accepted).await;
    let expected = Reference::from_topic(
        site.kafka,
        &site.topic,
        &site.definitions_topic,
        Partitioner::Murmur2,
    )
    .await;
    site.projections().await.assert_equal(&expected).await;
}

#[tokio::test]
async fn random_records_are_all_folded_or_parked_under_producer_timestamps() {
    // Given a topic that keeps its producers' timestamps, whatever they are
    let site = Site::new().await;
    site.kafka
        .alter_topic(
            &site.topic,
            &[
                ("retention.ms", "-1"),
                ("message.timestamp.type", "CreateTime"),
                ("message.timestamp.before.max.ms", "9223372036854775807"),
                ("message.timestamp.after.max.ms", "9223372036854775807"),
            ],
        )
        .await;
    site.define(DEFINITIONS);
    let accepted = send_random(&site, &site.publisher().await, SEED + 1);
    assert_accounted_for(&site, &accepted).await;
}

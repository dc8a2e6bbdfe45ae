//! Clients of other vendors with a registry of another vendor: the events that they publish are
//! folded.
//!
//! Their sources are in tests/interop, short enough to copy from.

mod apicurio;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tidemark_processor::clock::WallClock;
use tidemark_schemas::codec::{Encoder, SCHEMA};
use tidemark_schemas::{CustomerEvent, Partitioner, TenantId};

use self::apicurio::{Apicurio, libs, output_of, script};
use crate::support::generate::{Generator, Population};
use crate::support::reference::Reference;
use crate::support::site::Site;

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";
const SOON: Duration = Duration::from_mins(2);
const CUSTOMERS: usize = 25;
/// The number of payload kinds that the Python and the Java producer publish for each customer.
const KINDS: usize = 7;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn python(site: &Site, registry: &Apicurio, partitioner: &str) {
    output_of(
        Command::new(output_of(&mut script("python-clients")))
            .arg(file("tests/interop/python/producer.py"))
            .args([
                &site.kafka.bootstrap_servers(),
                &registry.url(),
                &site.topic,
            ])
            .arg(file("schemas/avro/customer_event.v1.avsc"))
            .args(["acme", &CUSTOMERS.to_string(), partitioner]),
    );
}

/// Folds the topic with the registry that the producers used.
async fn process(site: &Site, registry: &Apicurio) {
    let setting = format!("registry.url={}", registry.url());
    let processor = site.process(&["--set", &setting]);
    site.wait_until_folded(SOON).await;
    processor.terminate();
}

async fn parked(site: &Site) -> BTreeMap<String, i64> {
    let counts = "select reason, count(*) from $gen.parked group by reason";
    site.projections()
        .await
        .rows(counts)
        .await
        .into_iter()
        .collect()
}

/// Asserts that the events of this many customers were folded, and that no event was parked.
async fn assert_folded(site: &Site, registry: &Apicurio, customers: usize, events: usize) {
    assert_eq!(parked(site).await, BTreeMap::new());
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let client = registry.client();
    let murmur2 = Partitioner::Murmur2;
    let expected = Reference::with_registry(client, site.kafka, topic, definitions, murmur2).await;
    assert_eq!(expected.states().len(), customers);
    let folded: i64 = expected.folded().values().sum();
    assert_eq!(usize::try_from(folded).unwrap(), events);
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
}

#[tokio::test]
async fn events_of_the_python_avro_serializer_are_folded() {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = Apicurio::shared().await;
    python(&site, registry, "murmur2_random");
    process(&site, registry).await;
    assert_folded(&site, registry, CUSTOMERS, CUSTOMERS * KINDS).await;
}

#[tokio::test]
async fn events_of_pythons_default_partitioner_are_forwarded_and_folded() {
    // Given a producer with librdkafka's default partitioner
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = Apicurio::shared().await;
    python(&site, registry, "consistent_random");
    // When its events are processed, then all are folded
    process(&site, registry).await;
    assert_folded(&site, registry, CUSTOMERS, CUSTOMERS * KINDS).await;
}

#[tokio::test]
async fn events_of_a_java_producer_with_defaults_are_folded() {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = Apicurio::shared().await;
    output_of(
        Command::new("java")
            .args([
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
            ])
            .arg(libs("java").join("*"))
            .arg(file("tests/interop/java/Producer.java"))
            .args([
                &site.kafka.bootstrap_servers(),
                &registry.own_url(),
                &site.topic,
            ])
            .arg(file("schemas/avro/customer_event.v1.avsc"))
            .args(["acme", &CUSTOMERS.to_string()]),
    );
    process(&site, registry).await;
    assert_folded(&site, registry, CUSTOMERS, CUSTOMERS * KINDS).await;
}

#[tokio::test]
async fn events_of_kcat_are_folded() {
    // Given values in the wire format, one file each
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = Apicurio::shared().await;
    let subject = format!("{}-value", site.topic);
    let schema = registry.client().register(&subject, SCHEMA).await.unwrap();
    let encoder = Encoder::new(schema);
    let population = Population {
        tenants: vec![TenantId::new("acme").unwrap()],
        customers: 8,
        begin: WallClock::System.now().plus_micros(-5 * 86_400_000_000),
        // Within the dedup horizon in any order.
        days: 4,
    };
    let events = Generator::new(7, population).events(30);
    for event in &events {
        let path = site.folder.path().join(format!("{}.bin", event.event_id.0));
        fs::write(&path, encoder.encode(event)).unwrap();
        output_of(
            Command::new(file("tests/interop/kcat/publish.sh"))
                .args([
                    &site.kafka.bootstrap_servers(),
                    &site.topic,
                    &event.key().record_key(),
                ])
                .arg(path),
        );
    }
    process(&site, registry).await;
    let customers: BTreeSet<_> = events.iter().map(CustomerEvent::key).collect();
    assert_folded(&site, registry, customers.len(), events.len()).await;
}

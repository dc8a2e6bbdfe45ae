//! Clients of other vendors with a registry of another vendor: the events that they publish are
//! folded.
//!
//! Producers to copy from are in examples/producers, others in tests/interop. Each has the defaults of
//! its client.

mod apicurio;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::codec::{Encoder, SCHEMA};
use tidemark_schemas::{CustomerEvent, Partitioner, TenantId};

use self::apicurio::{Apicurio, libs, output_of, script};
use crate::support::generate::{Generator, Population};
use crate::support::reference::Reference;
use crate::support::site::Site;
use crate::support::up::{Up, tidemark};
use crate::support::wait::wait_until;

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }\n";
const SOON: Duration = Duration::from_mins(2);
/// The number of customers of each producer in examples/producers: 10,010 events.
const CUSTOMERS: usize = 1_430;
/// The number of payload kinds that it publishes for each customer.
const KINDS: usize = 7;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Writes the schema as `tidemark schema` prints it, and returns the file.
fn schema(site: &Site) -> PathBuf {
    let path = site.folder.path().join("customer_event.avsc");
    let printed = site.run(&["schema"]);
    assert!(printed.status.success(), "{printed:?}");
    fs::write(&path, printed.stdout).unwrap();
    path
}

/// Runs a producer of examples/producers, and asserts that all its events are folded.
async fn assert_example_is_folded(mut producer: Command, registry_url: fn(&Apicurio) -> String) {
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = Apicurio::shared().await;
    let servers = site.kafka.bootstrap_servers();
    producer
        .current_dir(site.folder.path())
        .args([&servers, &registry_url(registry), &site.topic])
        .arg(schema(&site))
        .args(["acme", &CUSTOMERS.to_string()]);
    output_of(&mut producer);
    process(&site, registry).await;
    assert_folded(&site, registry, CUSTOMERS, CUSTOMERS * KINDS).await;
}

/// Publishes generated events with a program that takes keys and values on standard input, and asserts
/// that all of them are folded.
async fn assert_published_are_folded(mut program: Command) {
    const EVENTS: usize = 10_000;
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let registry = Apicurio::shared().await;
    let subject = format!("{}-value", site.topic);
    let encoder = Encoder::new(registry.client().register(&subject, SCHEMA).await.unwrap());
    let events = Generator::new(11, population(300)).events(EVENTS);
    let line = |event: &CustomerEvent| {
        let value = BASE64.encode(encoder.encode(event));
        format!("{} {value}\n", event.key().record_key())
    };
    let lines = site.folder.path().join("records");
    fs::write(&lines, events.iter().map(line).collect::<String>()).unwrap();
    program
        .args([&site.kafka.bootstrap_servers(), &site.topic])
        .stdin(fs::File::open(&lines).unwrap());
    output_of(&mut program);
    process(&site, registry).await;
    let customers: BTreeSet<_> = events.iter().map(CustomerEvent::key).collect();
    assert_eq!(parked(&site).await, BTreeMap::new());
    let expected = reference(&site, registry).await;
    assert_eq!(expected.states().len(), customers.len());
    site.projections().await.assert_equal(&expected).await;
}

/// Events within the dedup horizon, in any order.
fn population(customers: u32) -> Population {
    Population {
        tenants: vec![TenantId::new("acme").unwrap()],
        customers,
        begin: WallClock::System.now().plus_micros(-5 * 86_400_000_000),
        days: 4,
    }
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

/// Returns the fold in memory of the site's topic.
async fn reference(site: &Site, registry: &Apicurio) -> Reference {
    let (topic, definitions) = (&site.topic, &site.definitions_topic);
    let (client, murmur2) = (registry.client(), Partitioner::Murmur2);
    Reference::with_registry(client, site.kafka, topic, definitions, murmur2).await
}

/// Asserts that the events of this many customers were folded, and that no event was parked.
async fn assert_folded(site: &Site, registry: &Apicurio, customers: usize, events: usize) {
    assert_eq!(parked(site).await, BTreeMap::new());
    let expected = reference(site, registry).await;
    assert_eq!(expected.states().len(), customers);
    let folded: i64 = expected.folded().values().sum();
    assert_eq!(usize::try_from(folded).unwrap(), events);
    let projections = site.projections().await;
    projections.assert_equal(&expected).await;
    projections.assert_consistent().await;
}

#[tokio::test]
async fn events_of_confluent_kafka_for_python_with_its_defaults_are_folded() {
    assert_example_is_folded(python_example(), Apicurio::url).await;
}

#[tokio::test]
async fn events_of_the_java_client_with_its_defaults_are_folded() {
    let mut java = Command::new("java");
    java.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-cp")
        .arg(libs("examples/producers/java").join("*"))
        .arg(file("examples/producers/java/Producer.java"));
    assert_example_is_folded(java, Apicurio::own_url).await;
}

#[tokio::test]
async fn events_of_kafkajs_with_its_defaults_are_folded() {
    let (node, _folder) = node();
    assert_example_is_folded(node, Apicurio::url).await;
}

fn python_example() -> Command {
    let mut python = Command::new(output_of(&mut script("python-clients")));
    python.arg(file("examples/producers/python/producer.py"));
    python
}

/// Returns the command of the example for Node, and the folder with it and its packages: Node finds
/// packages beside a program.
fn node() -> (Command, TempDir) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for name in ["producer.js", "package.json"] {
        let source = file("examples/producers/node").join(name);
        fs::copy(source, folder.path().join(name)).unwrap();
    }
    let modules = output_of(&mut script("node-clients"));
    symlink(modules, folder.path().join("node_modules")).unwrap();
    let mut node = Command::new("node");
    node.arg(folder.path().join("producer.js"))
        .env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
    (node, folder)
}

#[tokio::test]
async fn embedded_broker_serves_the_clients_that_up_names() {
    // Given a running `up`
    let up = Up::start(&[]);
    let definitions = up.folder.path().join("acme.yaml");
    let globex = "---\ntenant: { id: globex, zone: UTC, currency: EUR }\n";
    fs::write(&definitions, DEFINITIONS.to_owned() + globex).unwrap();
    up.answer(&["define", "apply", definitions.to_str().unwrap()]);
    let schema = up.folder.path().join("customer_event.avsc");
    fs::write(&schema, SCHEMA).unwrap();

    // When producers for it publish, then their events are folded
    let json = up.json();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    let (mut node, _folder) = node();
    let mut python = python_example();
    for (producer, tenant) in [(&mut node, "acme"), (&mut python, "globex")] {
        producer
            .args([&text("kafka_bootstrap"), &text("registry_url")])
            .arg("customer-events")
            .arg(&schema)
            .args([tenant, "20"]);
        output_of(producer);
    }
    wait_until(SOON, "every event to be folded", || {
        let tenants = up.answer(&["status"])["tenants"].clone();
        [0, 1]
            .iter()
            .all(|tenant| tenants[*tenant]["events"] == 20 * KINDS)
    });
    let log = up.process.log();
    assert!(log.contains("kafkajs and aiokafka"), "{log}");
    assert!(
        log.contains("Java, franz-go and sarama need a real broker"),
        "{log}"
    );
}

#[tokio::test]
async fn events_of_franz_go_with_its_defaults_are_folded() {
    let program = output_of(script("go-client").arg("examples/producers/go"));
    assert_example_is_folded(Command::new(program), Apicurio::url).await;
}

#[tokio::test]
async fn events_of_sarama_with_its_defaults_are_folded() {
    let program = output_of(script("go-client").arg("tests/interop/sarama"));
    assert_published_are_folded(Command::new(program)).await;
}

#[tokio::test]
async fn events_of_aiokafka_with_its_defaults_are_folded() {
    let mut python = Command::new(output_of(&mut script("python-clients")));
    python.arg(file("tests/interop/aiokafka/publish.py"));
    assert_published_are_folded(python).await;
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
    let events = Generator::new(7, population(8)).events(30);
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

#[test]
fn schema_prints_the_newest_version_and_any_other_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| tidemark(folder.path(), arguments).output().unwrap();
    let newest = run(&["schema"]);
    assert!(newest.status.success(), "{newest:?}");
    assert_eq!(newest.stdout, SCHEMA.as_bytes());
    assert_eq!(run(&["schema", "--version", "1"]).stdout, newest.stdout);
    let unknown = run(&["schema", "--version", "99"]);
    assert_eq!(unknown.status.code(), Some(2));
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert!(message.contains("there is no version 99"), "{message}");
}

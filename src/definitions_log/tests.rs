//! Authors who meet, on an embedded broker.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use tidemark_kafka::broker::EmbeddedBroker;

use crate::config;

/// A broker with nothing defined.
fn broker() -> (EmbeddedBroker, KafkaConfig) {
    let mut kafka = config::Kafka::default().connection();
    let broker = EmbeddedBroker::start(&kafka, 1).unwrap();
    kafka.bootstrap_servers = broker.bootstrap_servers();
    (broker, kafka)
}

fn bundle(tenant: &str, zone: &str, based_on: Option<i64>) -> Bundle {
    let text = format!("tenant: {{ id: {tenant}, zone: {zone}, currency: EUR }}");
    let mut bundle = Bundle::from_files(&[("test.yaml".to_owned(), text)], "a test").unwrap();
    bundle.based_on = based_on;
    bundle
}

async fn read(kafka: &KafkaConfig) -> DefinitionsLog {
    let kafka = kafka.clone();
    tokio::task::spawn_blocking(move || DefinitionsLog::read(&kafka))
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn what_one_author_appends_another_reads() {
    let (_broker, kafka) = broker();
    let (log, first) = read(&kafka)
        .await
        .append(&bundle("a", "UTC", None))
        .await
        .unwrap();
    let (log, second) = log.append(&bundle("b", "UTC", Some(first))).await.unwrap();
    assert!(second > first);
    let read = read(&kafka).await;
    assert_eq!(read.definitions.version, Some(second));
    assert_eq!(read.definitions.tenants.len(), 2);
    assert_eq!(
        read.definitions.tenants.keys().len(),
        log.definitions.tenants.len()
    );
}

#[tokio::test]
async fn of_two_authors_at_the_same_moment_one_is_told() {
    let (_broker, kafka) = broker();
    let (one, other) = (read(&kafka).await, read(&kafka).await);
    one.append(&bundle("a", "UTC", None)).await.unwrap();
    let error = other
        .append(&bundle("a", "Europe/Berlin", None))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("somebody else"), "{error}");
    let read = read(&kafka).await;
    assert_eq!(read.definitions.version, Some(0));
    // What was rejected is no obstacle to the next.
    read.append(&bundle("b", "UTC", Some(0))).await.unwrap();
}

#[tokio::test]
async fn what_would_be_rejected_is_known_beforehand() {
    let (_broker, kafka) = broker();
    let (log, version) = read(&kafka)
        .await
        .append(&bundle("a", "UTC", None))
        .await
        .unwrap();
    let at = Instant::from_millis_clamped(0);
    log.try_apply(&bundle("b", "UTC", Some(version)), at)
        .unwrap();
    let moved = log
        .try_apply(&bundle("a", "Europe/Berlin", Some(version)), at)
        .unwrap_err();
    assert!(moved.to_string().contains("zone"), "{moved}");
    let stale = log.try_apply(&bundle("b", "UTC", None), at).unwrap_err();
    assert!(matches!(stale, Rejected::Conflict { .. }), "{stale}");
}

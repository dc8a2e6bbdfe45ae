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
async fn the_second_of_two_concurrent_appends_is_refused() {
    let (_broker, kafka) = broker();
    let (one, other) = (read(&kafka).await, read(&kafka).await);
    one.append(&bundle("a", "UTC", None)).await.unwrap();
    let error = other
        .append(&bundle("a", "Europe/Berlin", None))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("another author applied"),
        "{error}"
    );
    let read = read(&kafka).await;
    assert_eq!(read.definitions.version, Some(0));
    // A rejected record does not block the next one.
    read.append(&bundle("b", "UTC", Some(0))).await.unwrap();
}

#[tokio::test]
async fn a_bundle_that_would_be_rejected_is_refused_before_it_is_sent() {
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
    assert!(
        matches!(stale, NotApplied::Rejected(Rejected::Conflict { .. })),
        "{stale}"
    );
}

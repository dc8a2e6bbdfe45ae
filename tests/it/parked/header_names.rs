//! A misrouted event with a header name that is not UTF-8: it is parked and shown, and not forwarded.

use serde_json::json;
use tidemark_schemas::Partitioner;

use super::{DEFINITIONS, SOON, answer, stray};
use crate::support::publish::Publisher;
use crate::support::raw_produce::{RawProducer, RawRecord};
use crate::support::site::{PARTITIONS, Site};

/// Sends a misrouted event with a header name that is not UTF-8, and returns its position.
fn send_misrouted(site: &Site, publisher: &Publisher) -> (i32, i64) {
    let event = stray();
    let key = event.key().record_key();
    let partition = Partitioner::Crc32.partition(key.as_bytes(), PARTITIONS);
    let record = RawRecord {
        key: Some(key.into_bytes()),
        value: Some(publisher.encode(&event)),
        headers: vec![
            (b"trace".to_vec(), Some(b"me".to_vec())),
            (b"\xff".to_vec(), Some(b"1".to_vec())),
        ],
        ..RawRecord::default()
    };
    let mut producer = RawProducer::connect(&site.kafka.bootstrap_servers());
    let offset = producer.send(&site.topic, partition, &record).unwrap();
    (partition, offset)
}

#[tokio::test]
async fn misrouted_event_with_a_header_name_that_is_not_utf8_is_parked() {
    // Given two misrouted events, one of them with a header name that is not UTF-8
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher_with(Partitioner::Crc32).await;
    let (partition, offset) = send_misrouted(&site, &publisher);
    let position = format!("{partition}@{offset}");
    publisher.event(&stray());
    publisher.flush();
    let processor = site.process(&[]);
    site.wait_until_folded(SOON).await;

    // When the event is shown, then the name is shown as Base64
    let shown = answer(&site.run(&["parked", "show", &position, "--json"]), 0);
    let expected = json!([
        { "name": "trace", "text": "me", "base64": "bWU=" },
        { "name": { "base64": "/w==" }, "text": "1", "base64": "MQ==" },
    ]);
    assert_eq!(shown["headers"], expected, "{shown}");

    // When it is redriven, then the command says why it stays parked and what to run next
    let redrive = ["parked", "redrive", "--apply", "--json"];
    let output = site.run(&[&redrive[..], &["--parked-reason", "misrouted"]].concat());
    let done = answer(&output, 1);
    assert_eq!(
        (&done["done"], &done["still_parked"], &done["waiting"]),
        (&0.into(), &1.into(), &0.into()),
        "{done}"
    );
    let detail = done["events"][0]["detail"].as_str().unwrap();
    for part in [
        "the name of a header is not UTF-8".to_owned(),
        format!("`tidemark parked discard {position} --reason"),
    ] {
        assert!(detail.contains(&part), "{part}: {detail}");
    }

    // And it stays parked with its headers
    site.wait_until_folded(SOON).await;
    processor.terminate();
    let projections = site.projections().await;
    let left: Vec<(i32, i64, Vec<u8>)> = projections
        .rows("select partition, \"offset\", headers from $gen.parked")
        .await;
    let headers = r#"[["trace","bWU="],[{"base64":"/w=="},"MQ=="]]"#;
    assert_eq!(left, [(partition, offset, headers.into())]);
    assert_eq!(projections.folded().await.values().sum::<i64>(), 1);
}

//! Yardstick (a): librdkafka consumes the same records, without any work on them.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::site::Place;

const STALLED: Duration = Duration::from_mins(1);

/// Returns the records per second between two sets of offsets.
pub(crate) fn events_per_second(place: &Place, from: &[i64], to: &[i64]) -> f64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &place.bootstrap_servers)
        .set("group.id", "consumes and does nothing")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "16384")
        .set("queued.min.messages", "10000")
        .set("fetch.queue.backoff.ms", "20")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for (partition, offset) in (0..).zip(from) {
        assignment
            .add_partition_offset(&place.topic, partition, Offset::Offset(*offset))
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let wanted: i64 = to.iter().zip(from).map(|(to, from)| to - from).sum();
    let (mut begun, mut count) = (None, 0_i64);
    let mut last = Instant::now();
    while count < wanted {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(_)) => {
                // The time starts with the first record, so that connecting does not count.
                begun.get_or_insert_with(Instant::now);
                count += 1;
                if count % 1_024 == 0 {
                    last = Instant::now();
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => panic!("consuming: {error}"),
        }
        assert!(last.elapsed() < STALLED, "stalled at {count} of {wanted}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    let count = count as f64;
    count / begun.unwrap().elapsed().as_secs_f64()
}

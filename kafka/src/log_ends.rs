//! The ends and the beginnings of a topic's partitions, asked of all their leaders side by side.
//!
//! A leader that does not answer delays its own partitions, and no others.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};

/// Asks where partitions end: at the last stable offset for a consumer that reads only what is
/// committed, else at the high watermark. Passes each leader's answer on as it comes, as pairs of
/// partition and offset. A partition without an answer in time is in none of them. Blocks.
///
/// Fails if the leaders are not known.
pub fn ask<C: ConsumerContext + 'static>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    timeout: Duration,
    answered: impl Fn(Vec<(i32, i64)>) + Sync,
) -> KafkaResult<()> {
    // In a query by time, this is the time after the last record.
    ask_for(consumer, topic, partitions, Offset::End, timeout, answered)
}

/// Asks where partitions begin: at the first offset that is not deleted. Otherwise like [`ask`].
pub fn ask_beginnings<C: ConsumerContext + 'static>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    timeout: Duration,
    answered: impl Fn(Vec<(i32, i64)>) + Sync,
) -> KafkaResult<()> {
    let time = Offset::Beginning;
    ask_for(consumer, topic, partitions, time, timeout, answered)
}

fn ask_for<C: ConsumerContext + 'static>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    time: Offset,
    timeout: Duration,
    answered: impl Fn(Vec<(i32, i64)>) + Sync,
) -> KafkaResult<()> {
    let leaders = leaders(consumer, topic, partitions, timeout)?;
    let answered = &answered;
    thread::scope(|scope| {
        for led in leaders.into_values() {
            scope.spawn(
                move || match ask_leader(consumer, topic, &led, time, timeout) {
                    Ok(found) => answered(found),
                    Err(error) => {
                        tracing::debug!(%error, topic, partitions = ?led, "the bounds of the log are not known");
                    }
                },
            );
        }
    });
    Ok(())
}

/// Returns the partitions by leader; without those that have none.
fn leaders<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    timeout: Duration,
) -> KafkaResult<BTreeMap<i32, Vec<i32>>> {
    let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
    let mut leaders: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let topics = metadata.topics().iter();
    for partition in topics.flat_map(MetadataTopic::partitions) {
        if partition.leader() >= 0 && partitions.contains(&partition.id()) {
            let led = leaders.entry(partition.leader()).or_default();
            led.push(partition.id());
        }
    }
    Ok(leaders)
}

fn ask_leader<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    time: Offset,
    timeout: Duration,
) -> KafkaResult<Vec<(i32, i64)>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, *partition, time)?;
    }
    let found = consumer.offsets_for_times(list, timeout)?;
    let elements = found.elements();
    let sound = elements.iter().filter(|element| element.error().is_ok());
    let offsets = sound.filter_map(|element| match element.offset() {
        Offset::Offset(offset) => Some((element.partition(), offset)),
        _ => None,
    });
    Ok(offsets.collect())
}

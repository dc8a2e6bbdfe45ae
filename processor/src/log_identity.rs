//! The identity of a log: before a partition is read on, the last record that was read from it is fetched
//! again. Where the log holds another record there, offsets belong to other records than those folded.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tidemark_kafka::KafkaConfig;
use tidemark_kafka::diagnostics::LastError;
use tokio_util::sync::CancellationToken;

use crate::error::ProcessorError;
use crate::record::Record;
use crate::store::LogIdentity;

const TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_millis(500);
/// The number of partitions that are checked side by side, each with a consumer of its own.
const SIDE_BY_SIDE: usize = 8;
/// The time for which a broker may hold a fetch back, in milliseconds: one partition's fetch, at the end of its
/// log, would hold up the next one's for half a second otherwise.
const FETCH_WAIT: &str = "10";

/// The position at which a partition is to be read on.
#[derive(Debug)]
pub(crate) struct Position<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    /// The first offset not read.
    pub(crate) next_offset: i64,
    /// The offset of the last record that was read, if it is known.
    pub(crate) last_offset: Option<i64>,
}

/// The part of a log that tells it from another.
#[derive(Debug)]
struct Found {
    low: i64,
    high: i64,
    /// The record at the offset of the last one that was read.
    record: Option<Record>,
}

/// Checks that partitions hold the logs that were folded so far, several side by side. Waits while brokers are
/// unavailable; blocks.
pub(crate) fn check_partitions(
    kafka: &KafkaConfig,
    cluster: Option<&str>,
    claims: &[(i32, i64, LogIdentity)],
    stop: &CancellationToken,
) -> Result<(), ProcessorError> {
    let mut begun: Vec<_> = claims.iter().collect();
    begun.retain(|(_, next_offset, _)| *next_offset > 0);
    if begun.is_empty() {
        return Ok(());
    }
    let share = begun.len().div_ceil(SIDE_BY_SIDE);
    thread::scope(|scope| {
        let check = |claims| scope.spawn(move || check_claims(kafka, cluster, claims, stop));
        let checks: Vec<_> = begun.chunks(share).map(check).collect();
        let mut outcomes = checks
            .into_iter()
            .map(|check| check.join().unwrap_or_else(|panic| resume_unwind(panic)));
        outcomes.try_for_each(|outcome| outcome)
    })
}

/// Checks partitions one after another.
fn check_claims(
    kafka: &KafkaConfig,
    cluster: Option<&str>,
    claims: &[&(i32, i64, LogIdentity)],
    stop: &CancellationToken,
) -> Result<(), ProcessorError> {
    let Some(consumer) = consumer(kafka, stop) else {
        return Ok(());
    };
    for (partition, next_offset, log) in claims {
        let position = Position {
            topic: &kafka.topic,
            partition: *partition,
            next_offset: *next_offset,
            last_offset: log.last.map(|last| last.offset),
        };
        let same = check(&consumer, &position, stop, |record| {
            log.last == Some(record.identity())
        })?;
        let known = log.cluster.as_deref();
        let moved = known.zip(cluster).filter(|(before, now)| before != now);
        match moved {
            Some((before, now)) if !same && !stop.is_cancelled() => {
                let what = format!("was read from the cluster {before}; this cluster is {now}");
                return Err(other_log(&position, what));
            }
            Some((before, now)) => tracing::warn!(
                partition,
                before,
                now,
                "the cluster has another id than before; the log is the same"
            ),
            None => {}
        }
    }
    Ok(())
}

/// Checks that a topic of one partition is the one that was read so far. Waits while brokers are
/// unavailable; blocks.
pub(crate) fn check_topic(
    kafka: &KafkaConfig,
    position: &Position<'_>,
    stop: &CancellationToken,
    is_last: impl Fn(&Record) -> bool,
) -> Result<(), ProcessorError> {
    match consumer(kafka, stop) {
        Some(consumer) => check(&consumer, position, stop, is_last).map(drop),
        None => Ok(()),
    }
}

/// Returns whether the last record that was read is still there; `false` if it has been deleted from the
/// beginning of the log since. Fails if another record is in its place, or if the log does not reach the
/// position.
fn check(
    consumer: &BaseConsumer<LastError>,
    position: &Position<'_>,
    stop: &CancellationToken,
    is_last: impl Fn(&Record) -> bool,
) -> Result<bool, ProcessorError> {
    if position.next_offset == 0 {
        return Ok(false);
    }
    let found = loop {
        match find(consumer, position) {
            Ok(found) => break found,
            Err(_) if stop.is_cancelled() => return Ok(false),
            Err(error) => {
                let (topic, partition) = (position.topic, position.partition);
                tracing::warn!(topic, partition, %error, "waiting for Kafka to check the log");
                thread::sleep(RETRY);
            }
        }
    };
    let (topic, partition) = (position.topic.to_owned(), position.partition);
    let Found { low, high, record } = found;
    if position.next_offset > high {
        let what = format!("ends at offset {high} now");
        return Err(other_log(position, what));
    }
    if position.next_offset < low {
        return Err(ProcessorError::LogTrimmed {
            topic,
            partition,
            wanted: position.next_offset,
            low,
            high,
        });
    }
    match (position.last_offset, record) {
        (Some(_), Some(record)) if is_last(&record) => Ok(true),
        (Some(last), _) if last >= low => {
            let what = format!("holds another record at offset {last} now");
            Err(other_log(position, what))
        }
        // Deleted by retention, behind everything that was not read.
        _ => Ok(false),
    }
}

fn other_log(position: &Position<'_>, what: String) -> ProcessorError {
    ProcessorError::OtherLog {
        topic: position.topic.to_owned(),
        partition: position.partition,
        next_offset: position.next_offset,
        what,
    }
}

fn find(consumer: &BaseConsumer<LastError>, position: &Position<'_>) -> KafkaResult<Found> {
    let (topic, partition) = (position.topic, position.partition);
    let bounds = || consumer.fetch_watermarks(topic, partition, TIMEOUT);
    let (low, high) = bounds()?;
    let record = match position
        .last_offset
        .filter(|last| (low..high).contains(last))
    {
        Some(last) => fetch(consumer, topic, partition, last)?,
        None => None,
    };
    if record.is_some() {
        return Ok(Found { low, high, record });
    }
    // Retention may have moved on in between.
    let (low, high) = bounds()?;
    Ok(Found { low, high, record })
}

/// Fetches the record at an offset; `None` if there is none.
fn fetch(
    consumer: &BaseConsumer<LastError>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> KafkaResult<Option<Record>> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    consumer.assign(&list)?;
    let deadline = Instant::now() + TIMEOUT;
    let mut last_error = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
    while Instant::now() < deadline {
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(mut message)) => {
                let record = Record::detach(&mut message);
                return Ok((record.offset == offset).then_some(record));
            }
            Some(Err(
                KafkaError::PartitionEOF(_)
                | KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
                ),
            )) => return Ok(None),
            Some(Err(error)) => last_error = error,
        }
    }
    Err(last_error)
}

/// Returns a consumer of fixed partitions, `None` when stopped. It names the group of the events, which the
/// processor may use in any case, and neither joins it nor commits to it.
///
/// Other clients were created with the same properties before, so that only a certificate or key that is
/// just being replaced can fail this one: that is waited for.
fn consumer(kafka: &KafkaConfig, stop: &CancellationToken) -> Option<BaseConsumer<LastError>> {
    let mut config = kafka.consumer();
    config
        .set("group.id", &kafka.group)
        .set("fetch.wait.max.ms", FETCH_WAIT)
        .set("isolation.level", "read_uncommitted");
    while !stop.is_cancelled() {
        match config.create_with_context(LastError::default()) {
            Ok(consumer) => return Some(consumer),
            Err(error) => {
                tracing::warn!(%error, "waiting for whole certificates and keys");
                thread::sleep(RETRY);
            }
        }
    }
    None
}

//! The consumer of events: its configuration, its membership, and what is fetched.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tidemark_kafka::KafkaConfig;

use super::event::{ConsumerEvent, IntakeContext};
use super::membership::Membership;
use crate::config::Limits;
use crate::memory::prefetch_bytes;

/// The interval at which positions are committed to Kafka, for dashboards.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// The longest time that leaving the group, or a request to the broker, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The wait for an event while leaving the group.
const LEAVE_POLL: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Subscription {
    consumer: BaseConsumer<IntakeContext>,
    topic: String,
    membership: Membership,
    /// Whether the group knows this process by `group.instance.id`, and keeps its place while it
    /// restarts.
    is_static: bool,
    last_commit: Instant,
}

impl Drop for Subscription {
    /// Answers rebalances at once from now on: a consumer that is dropped while its rebalances are kept
    /// for a loop that has ended would wait for ever.
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}

impl Subscription {
    /// Joins the group, or takes the fixed partitions. Either is assigned by an event.
    pub(super) fn join(
        kafka: &KafkaConfig,
        limits: &Limits,
        membership: Membership,
    ) -> KafkaResult<Self> {
        let consumer: BaseConsumer<IntakeContext> = consumer_config(kafka, limits)
            .set("group.id", &kafka.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create_with_context(IntakeContext::default())?;
        match &membership {
            Membership::Group => consumer.subscribe(&[&kafka.topic])?,
            Membership::Fixed(ends) => consumer.context().push(ConsumerEvent::Assigned {
                partitions: ends.keys().copied().collect(),
            }),
        }
        Ok(Self {
            consumer,
            topic: kafka.topic.clone(),
            membership,
            is_static: kafka.properties.contains_key("group.instance.id"),
            last_commit: Instant::now(),
        })
    }

    /// Returns the next event, rebalances first; `None` if none comes within `wait`.
    pub(super) fn next_event(&self, wait: Duration) -> Option<ConsumerEvent> {
        if let Some(rebalance) = self.consumer.context().next_rebalance() {
            return Some(rebalance);
        }
        match self.consumer.poll(wait) {
            Some(Ok(mut message)) => Some(ConsumerEvent::message(&mut message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                Some(ConsumerEvent::EndOfPartition { partition })
            }
            Some(Err(error)) => Some(ConsumerEvent::Error(error)),
            None => self.consumer.context().next_rebalance(),
        }
    }

    /// Answers an assignment: fetches partitions from these offsets on.
    ///
    /// Refused only if the caller's state differs from librdkafka's, which would then wait for another
    /// answer for ever. (A member that is expelled from the group learns it later.)
    pub(super) fn assign(&self, positions: &[(i32, i64)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for (partition, next_offset) in positions {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*next_offset))?;
        }
        self.consumer.incremental_assign(&list)
    }

    /// Answers a revocation. Named are only partitions that were taken: the start may have been cut
    /// short by a stop, and librdkafka refuses the whole list for one it does not have. It waits
    /// for the answer even where the list is empty.
    pub(super) fn unassign(&self, partitions: &[i32]) -> KafkaResult<()> {
        let assigned = self.consumer.assignment()?;
        let taken: Vec<i32> = partitions
            .iter()
            .copied()
            .filter(|partition| assigned.find_partition(&self.topic, *partition).is_some())
            .collect();
        let list = self.list(&taken);
        // A pause would stay with librdkafka's partition, and stop it when it is assigned again.
        self.consumer.resume(&list)?;
        self.consumer.incremental_unassign(&list)
    }

    /// Fetches a partition again from an offset on, whether it was paused or not.
    pub(super) fn go_back(&self, partition: i32, next_offset: i64) -> KafkaResult<()> {
        let offset = Offset::Offset(next_offset);
        self.consumer
            .seek(&self.topic, partition, offset, PATIENCE)?;
        self.resume(partition)
    }

    pub(super) fn pause(&self, partition: i32) -> KafkaResult<()> {
        self.consumer.pause(&self.list(&[partition]))
    }

    pub(super) fn resume(&self, partition: i32) -> KafkaResult<()> {
        self.consumer.resume(&self.list(&[partition]))
    }

    /// Returns the offset of the next record of a partition, as far as it is known: it covers what
    /// consumers never see, aborted and control records.
    pub(super) fn position(&self, partition: i32) -> Option<i64> {
        let positions = self.consumer.position().ok()?;
        let position = positions.find_partition(&self.topic, partition)?;
        position.offset().to_raw().filter(|offset| *offset >= 0)
    }

    /// Returns the first offset of a partition's log and the offset after its last.
    pub(super) fn bounds(&self, partition: i32) -> KafkaResult<(i64, i64)> {
        self.consumer
            .fetch_watermarks(&self.topic, partition, PATIENCE)
    }

    /// Returns whether the group may have given the partitions to other members already.
    pub(super) fn is_lost(&self) -> bool {
        self.membership == Membership::Group && self.consumer.assignment_lost()
    }

    /// Commits positions to the group every five seconds, for dashboards: they are never read.
    pub(super) fn commit_positions(&mut self, positions: impl Iterator<Item = (i32, i64)>) {
        if self.membership != Membership::Group || self.last_commit.elapsed() < COMMIT_EVERY {
            return;
        }
        self.last_commit = Instant::now();
        let mut list = TopicPartitionList::new();
        for (partition, committed) in positions {
            // An offset we made ourselves is valid.
            drop(list.add_partition_offset(&self.topic, partition, Offset::Offset(committed)));
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "positions not committed to Kafka");
        }
    }

    /// Leaves the group, so that others need not wait for a timeout: unless the group is to keep our
    /// place, which is given away only when the session has timed out. All partitions must be given up.
    pub(super) fn leave(&self) {
        if self.is_static || self.membership != Membership::Group {
            self.consumer.context().close();
            return;
        }
        self.consumer.unsubscribe();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.next_event(LEAVE_POLL) {
                Some(ConsumerEvent::Revoked { partitions, .. }) => {
                    if let Err(error) = self.unassign(&partitions) {
                        tracing::debug!(%error, "leaving the group");
                    }
                }
                Some(_) => {}
                None => {
                    let assignment = self.consumer.assignment();
                    if assignment.is_ok_and(|list| list.count() == 0) {
                        return;
                    }
                }
            }
        }
    }

    fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        list
    }
}

/// Returns the properties of the consumer of events. What it fetches ahead has its part of the
/// memory budget.
fn consumer_config(kafka: &KafkaConfig, limits: &Limits) -> ClientConfig {
    let mut config = kafka.consumer();
    let prefetch = prefetch_bytes(limits.memory_bytes);
    for (property, value) in [
        ("queued.max.messages.kbytes", prefetch / 1024),
        ("fetch.max.bytes", prefetch),
        ("queued.min.messages", 10_000),
        // A full queue would else be looked at once a second: 10,000 records a second is all that
        // a partition could give.
        ("fetch.queue.backoff.ms", 20),
        // An answer for each handful of records would cost the broker and us more than folding them;
        // they linger in any case.
        ("fetch.min.bytes", 16 * 1024),
        ("fetch.wait.max.ms", 20),
        // Partitions added to the topic are noticed within this time.
        ("topic.metadata.refresh.interval.ms", 10_000),
    ] {
        if !kafka.properties.contains_key(property) {
            config.set(property, value.to_string());
        }
    }
    config
}

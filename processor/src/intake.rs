//! The intake: one thread polls Kafka and hands each partition's records to its task.
//!
//! librdkafka's callbacks become a closed [`ConsumerEvent`]; one loop on one thread handles them
//! all. A partition is claimed in Postgres before its first record is fetched, and read from the
//! offset found there; Kafka's own committed offsets are written for dashboards and never read.

mod assignment;
mod client;
mod event;
mod handle;
mod watermarks;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tidemark_kafka::KafkaConfig;
use tidemark_projections::definitions::Definitions;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::client::has_changed;
use self::client::intake_config;
pub(crate) use self::event::log_error;
use self::event::{ConsumerEvent, IntakeContext};
use self::handle::{ExitQueue, PartitionHandle};
use self::watermarks::Watermarks;
use crate::engine::Context;
use crate::error::ProcessorError;
use crate::record::{Input, Record};
use crate::threads;

/// The longest wait for a message: revocations and shutdown are noticed this fast.
const POLL: Duration = Duration::from_millis(50);
/// Messages taken between two looks at everything else.
const BURST: usize = 1_000;
/// How often positions are committed to Kafka, for dashboards.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// A partition fenced is claimed again after this: if we were thrown out of the group, the news
/// arrives first, and the rightful owner is not disturbed.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long leaving the group may take.
const LEAVE: Duration = Duration::from_secs(10);

type IntakeConsumer = BaseConsumer<IntakeContext>;

/// The poll thread's state. See the module.
pub(crate) struct Intake {
    shared: Arc<Context>,
    consumer: IntakeConsumer,
    runtime: Handle,
    definitions: watch::Receiver<Definitions>,
    kafka: watch::Receiver<KafkaConfig>,
    shutdown: CancellationToken,
    handles: HashMap<i32, PartitionHandle>,
    /// The offsets at which folding panicked, by partition.
    poisoned: HashMap<i32, BTreeSet<i64>>,
    /// Partitions fenced, and when to claim them again.
    again: HashMap<i32, Instant>,
    exits: ExitQueue,
    watermarks: Watermarks,
    client_id: String,
    /// The group knows this process by `group.instance.id`, and keeps its place while it restarts.
    has_a_place: bool,
    last_commit: Instant,
    warned_of_create_time: bool,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("owned", &self.handles.keys())
            .finish_non_exhaustive()
    }
}

impl Drop for Intake {
    /// However this exits: a consumer that is dropped while its rebalances are kept for a loop that
    /// has ended would wait for ever.
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}

impl Intake {
    /// Joins the group. Nothing is read before [`Intake::run`].
    pub(crate) fn join(
        mut access: watch::Receiver<KafkaConfig>,
        shared: Arc<Context>,
        definitions: watch::Receiver<Definitions>,
        runtime: Handle,
        shutdown: CancellationToken,
    ) -> Result<Self, ProcessorError> {
        let kafka = access.borrow_and_update().clone();
        let consumer: IntakeConsumer = intake_config(&kafka, &shared.limits)
            .set("group.id", &kafka.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create_with_context(IntakeContext::default())?;
        consumer.subscribe(&[&kafka.topic])?;
        // What an open transaction has appended is not ours to read yet, but it is there.
        let asking: BaseConsumer<IntakeContext> = kafka
            .consumer()
            .set("isolation.level", "read_uncommitted")
            .create_with_context(IntakeContext::default())?;
        let watermarks = Watermarks::watch(asking, kafka.topic, shared.clock)?;
        Ok(Self {
            consumer,
            runtime,
            definitions,
            shutdown,
            handles: HashMap::new(),
            poisoned: HashMap::new(),
            again: HashMap::new(),
            exits: ExitQueue::default(),
            watermarks,
            client_id: kafka.client_id,
            has_a_place: kafka.properties.contains_key("group.instance.id"),
            kafka: access,
            last_commit: Instant::now(),
            warned_of_create_time: false,
            shared,
        })
    }

    /// Polls until told to stop, until it must rejoin because credentials have changed, or
    /// until something waiting does not cure. Blocks its thread.
    pub(crate) fn run(mut self) -> Result<(), ProcessorError> {
        let outcome = threads::catch("poll", || self.poll_until_stopped());
        if outcome.is_err() {
            // Everything else stops now, however long leaving takes.
            self.shutdown.cancel();
        }
        self.leave();
        outcome
    }

    fn poll_until_stopped(&mut self) -> Result<(), ProcessorError> {
        while !self.shutdown.is_cancelled() && !has_changed(&self.kafka) {
            self.handle_ended()?;
            self.claim_fenced_again()?;
            self.resume_drained();
            self.pass_on_watermarks()?;
            self.commit_for_dashboards();
            let mut wait = POLL;
            for _ in 0..BURST {
                let Some(event) = self.next_event(wait) else {
                    break;
                };
                self.handle(event)?;
                wait = Duration::ZERO;
            }
        }
        Ok(())
    }

    fn next_event(&self, wait: Duration) -> Option<ConsumerEvent> {
        if let Some(rebalance) = self.consumer.context().next_rebalance() {
            return Some(rebalance);
        }
        match self.consumer.poll(wait) {
            Some(Ok(message)) => Some(ConsumerEvent::message(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                Some(ConsumerEvent::EndOfPartition { partition })
            }
            Some(Err(error)) => Some(ConsumerEvent::Error(error)),
            None => self.consumer.context().next_rebalance(),
        }
    }

    fn handle(&mut self, event: ConsumerEvent) -> Result<(), ProcessorError> {
        match event {
            ConsumerEvent::Record {
                partition,
                record,
                broker_time,
            } => {
                if !broker_time && !self.warned_of_create_time {
                    self.warned_of_create_time = true;
                    tracing::warn!(
                        topic = self.shared.topic,
                        "the topic keeps its producers' \
                        timestamps; the clock follows them (message.timestamp.type=LogAppendTime \
                        is better)"
                    );
                }
                self.pass_on(partition, record);
                Ok(())
            }
            ConsumerEvent::EndOfPartition { partition } => {
                self.pass_on_end(partition);
                Ok(())
            }
            ConsumerEvent::Assigned { partitions } => self.assign(&partitions),
            ConsumerEvent::Revoked { partitions, lost } => {
                self.revoke(&partitions, lost);
                Ok(())
            }
            ConsumerEvent::Error(error) => self.handle_error(error),
        }
    }

    fn pass_on(&mut self, partition: i32, record: Record) {
        let share = self.shared.budget.queue_share(self.handles.len());
        let Some(handle) = self.handles.get_mut(&partition) else {
            return;
        };
        handle.send(record, &self.shared.budget);
        if !handle.paused && handle.queue.bytes.load(Ordering::Relaxed) > share / 10 * 8 {
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.shared.topic, partition);
            match self.consumer.pause(&list) {
                Ok(()) => {
                    handle.paused = true;
                    tracing::debug!(partition, "paused: its queue is full");
                }
                Err(error) => tracing::warn!(partition, %error, "not paused"),
            }
        }
    }

    /// Resumes partitions with a drained queue: hysteresis, since a pause discards
    /// what librdkafka has fetched ahead.
    fn resume_drained(&mut self) {
        let share = self.shared.budget.queue_share(self.handles.len());
        for (partition, handle) in &mut self.handles {
            if handle.paused && handle.queue.bytes.load(Ordering::Relaxed) < share / 10 * 3 {
                let mut list = TopicPartitionList::new();
                list.add_partition(&self.shared.topic, *partition);
                match self.consumer.resume(&list) {
                    Ok(()) => handle.paused = false,
                    Err(error) => tracing::warn!(partition, %error, "not resumed"),
                }
            }
        }
    }

    /// The position covers what consumers never see: aborted and control records.
    fn pass_on_end(&mut self, partition: i32) {
        let Some(handle) = self.handles.get(&partition) else {
            return;
        };
        let position = self.consumer.position().ok().and_then(|positions| {
            positions
                .find_partition(&self.shared.topic, partition)?
                .offset()
                .to_raw()
        });
        if let Some(position) = position.filter(|position| *position >= 0) {
            handle.tell(Input::EndOfPartition { position });
        }
    }

    fn pass_on_watermarks(&mut self) -> Result<(), ProcessorError> {
        for (partition, end, asked_at) in self.watermarks.take()? {
            if let Some(handle) = self.handles.get(&partition) {
                handle.tell(Input::LogEnd { end, asked_at });
            }
        }
        Ok(())
    }

    fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.shared.topic, *partition);
        }
        list
    }

    fn commit_for_dashboards(&mut self) {
        if self.last_commit.elapsed() < COMMIT_EVERY {
            return;
        }
        self.last_commit = Instant::now();
        let mut list = TopicPartitionList::new();
        for (partition, handle) in &self.handles {
            let offset = Offset::Offset(handle.queue.committed.load(Ordering::Relaxed));
            // An offset we made ourselves is valid.
            drop(list.add_partition_offset(&self.shared.topic, *partition, offset));
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "positions not committed to Kafka");
        }
    }

    fn handle_error(&self, error: KafkaError) -> Result<(), ProcessorError> {
        match error {
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
            ) => Err(self.find_trimmed().unwrap_or(error.into())),
            // Bytes that librdkafka cannot read: it may go on behind them, and we would lose them.
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::BadCompression
                | RDKafkaErrorCode::NotImplemented,
            )
            | KafkaError::MessageConsumptionFatal(_) => Err(error.into()),
            // Brokers that are away come back, and the context has logged it with the reason.
            _ => Ok(()),
        }
    }

    /// Which partition's next record is gone from the log.
    fn find_trimmed(&self) -> Option<ProcessorError> {
        let topic = &self.shared.topic;
        for (partition, handle) in &self.handles {
            let wanted = handle.queue.position.load(Ordering::Relaxed);
            let (low, high) = self
                .consumer
                .fetch_watermarks(topic, *partition, LEAVE)
                .ok()?;
            if wanted < low || wanted > high {
                return Some(ProcessorError::LogTrimmed {
                    topic: topic.clone(),
                    partition: *partition,
                    wanted,
                    low,
                    high,
                });
            }
        }
        None
    }

    /// Gives every partition up and leaves the group, so that others need not wait for a timeout:
    /// unless the group is to keep our place, which is given away only when the session has timed
    /// out.
    fn leave(&mut self) {
        let partitions: Vec<i32> = self.handles.keys().copied().collect();
        self.give_up(&partitions, false);
        self.last_commit = Instant::now();
        self.watermarks.stop();
        if self.has_a_place {
            self.consumer.context().close();
            return;
        }
        self.consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE;
        while Instant::now() < deadline {
            match self.next_event(POLL) {
                Some(ConsumerEvent::Revoked { partitions, .. }) => {
                    if let Err(error) = self.unassign(&partitions) {
                        tracing::debug!(%error, "leaving the group");
                    }
                }
                Some(_) => {}
                None => {
                    if self
                        .consumer
                        .assignment()
                        .is_ok_and(|list| list.count() == 0)
                    {
                        return;
                    }
                }
            }
        }
    }
}

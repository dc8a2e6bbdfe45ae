//! The intake: one thread polls Kafka and hands each partition's records to its task.
//!
//! librdkafka's callbacks become a closed [`ConsumerEvent`]; one loop on one thread handles them
//! all. A partition is claimed in Postgres before its first record is fetched, and read from the
//! offset found there; Kafka's own committed offsets are written for dashboards and never read.
//!
//! - `membership`: the partitions of a process, by a consumer group or fixed.
//! - `subscription`: the consumer; `event`: what it says; `watermarks`: where the log ends.
//! - `partitions`: the partitions owned, and their tasks.

mod event;
mod membership;
mod partitions;
mod subscription;
mod watermarks;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Timestamp;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tidemark_kafka::KafkaConfig;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::event::ConsumerEvent;
pub(crate) use self::event::log_error;
pub use self::membership::Membership;
use self::partitions::Partitions;
pub(crate) use self::partitions::Plan;
use self::subscription::Subscription;
use self::watermarks::{Consumers, Watermarks};
use crate::engine::{ClaimedPartition, Context};
use crate::error::ProcessorError;
use crate::log_identity;
use crate::record::{Input, Record};
use crate::threads;

/// The longest wait for a message: revocations and shutdown are noticed this fast.
const POLL: Duration = Duration::from_millis(50);
/// The number of messages taken between two looks at everything else.
const BURST: usize = 1_000;

/// The poll thread's state. See the module.
pub(crate) struct Intake {
    shared: Arc<Context>,
    subscription: Subscription,
    partitions: Partitions,
    watermarks: Watermarks,
    kafka: watch::Receiver<KafkaConfig>,
    stands_by: watch::Receiver<bool>,
    shutdown: CancellationToken,
    warned_of_create_time: bool,
}

/// The reason why the poll thread ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntakeExit {
    /// It was told to stop.
    Stopped,
    /// Every fixed partition has reached its end.
    Finished,
    /// Its credentials have changed: another intake is to join with the new ones.
    Rejoin,
    /// Definitions are in force that this binary does not know.
    StandBy,
}

/// Returns whether the configuration has changed: clients made with the last one are to be replaced.
pub(crate) fn has_changed(kafka: &watch::Receiver<KafkaConfig>) -> bool {
    // Without its sender it never changes.
    kafka.has_changed().unwrap_or(false)
}

impl Intake {
    /// Joins the group, or takes the fixed partitions. Nothing is read before [`Intake::run`].
    pub(crate) fn join(
        mut kafka: watch::Receiver<KafkaConfig>,
        shared: Arc<Context>,
        plan: Plan,
        runtime: Handle,
        shutdown: CancellationToken,
    ) -> Result<Self, ProcessorError> {
        let config = kafka.borrow_and_update().clone();
        let subscription = Subscription::join(&config, &shared.limits, plan.membership.clone())?;
        let consumers = Consumers::create(&config)?;
        let watermarks = Watermarks::watch(consumers, shared.clock, shared.progress.clone())?;
        let stands_by = plan.stands_by.clone();
        let partitions = Partitions::new(
            Arc::clone(&shared),
            plan,
            config.client_id,
            runtime,
            shutdown.clone(),
        );
        Ok(Self {
            shared,
            subscription,
            partitions,
            watermarks,
            kafka,
            stands_by,
            shutdown,
            warned_of_create_time: false,
        })
    }

    /// Polls until told to stop, until it must rejoin because credentials have changed or stand by for a
    /// newer binary, until every fixed partition has reached its end, or until an error that waiting does
    /// not cure. Blocks its thread.
    pub(crate) fn run(mut self) -> Result<IntakeExit, ProcessorError> {
        let outcome = threads::catch("poll", || self.poll());
        if outcome.is_err() {
            // Everything else stops now, however long leaving takes.
            self.shutdown.cancel();
        }
        let owned = self.partitions.owned();
        self.partitions.give_up(&owned, false);
        self.note_ownership();
        self.watermarks.stop();
        self.subscription.leave();
        outcome
    }

    fn poll(&mut self) -> Result<IntakeExit, ProcessorError> {
        while !self.shutdown.is_cancelled() {
            if has_changed(&self.kafka) {
                return Ok(IntakeExit::Rejoin);
            }
            if *self.stands_by.borrow() {
                return Ok(IntakeExit::StandBy);
            }
            self.handle_exits()?;
            if self.partitions.have_finished() {
                return Ok(IntakeExit::Finished);
            }
            self.claim_again()?;
            self.resume_drained();
            for (partition, end, asked_at) in self.watermarks.take()? {
                let input = Input::LogEnd { end, asked_at };
                self.partitions.tell(partition, input);
            }
            self.subscription
                .commit_positions(self.partitions.committed());
            let mut wait = POLL;
            for _ in 0..BURST {
                let Some(event) = self.subscription.next_event(wait) else {
                    break;
                };
                self.handle(event)?;
                wait = Duration::ZERO;
            }
        }
        Ok(IntakeExit::Stopped)
    }

    fn handle(&mut self, event: ConsumerEvent) -> Result<(), ProcessorError> {
        match event {
            ConsumerEvent::Record { partition, record } => {
                if !matches!(record.timestamp, Timestamp::LogAppendTime(_)) {
                    self.warn_of_create_time();
                }
                self.pass_on(partition, record);
                Ok(())
            }
            ConsumerEvent::EndOfPartition { partition } => {
                if let Some(position) = self.subscription.position(partition) {
                    let input = Input::EndOfPartition { position };
                    self.partitions.tell(partition, input);
                }
                Ok(())
            }
            ConsumerEvent::Assigned { partitions } => self.assign(&partitions),
            ConsumerEvent::Revoked { partitions, lost } => {
                self.give_up(&partitions, lost);
                Ok(())
            }
            ConsumerEvent::Error(error) => self.handle_error(error),
        }
    }

    fn warn_of_create_time(&mut self) {
        if !self.warned_of_create_time {
            self.warned_of_create_time = true;
            tracing::warn!(
                topic = self.shared.topic,
                "the topic keeps its producers' timestamps; the clock follows them \
                 (message.timestamp.type=LogAppendTime is better)"
            );
        }
    }

    fn pass_on(&mut self, partition: i32, record: Record) {
        if !self.partitions.send(partition, record) {
            return;
        }
        match self.subscription.pause(partition) {
            Ok(()) => {
                self.partitions.set_paused(partition, true);
                tracing::debug!(partition, "paused: its queue is full");
            }
            Err(error) => tracing::warn!(partition, %error, "not paused"),
        }
    }

    fn resume_drained(&mut self) {
        for partition in self.partitions.drained() {
            match self.subscription.resume(partition) {
                Ok(()) => self.partitions.set_paused(partition, false),
                Err(error) => tracing::warn!(partition, %error, "not resumed"),
            }
        }
    }

    /// Claims the partitions, then has them read from where their projections stand.
    fn assign(&mut self, partitions: &[i32]) -> Result<(), ProcessorError> {
        self.check_count(partitions)?;
        let mut claims = Vec::new();
        for partition in partitions {
            let Some(claimed) = self.partitions.claim(*partition)? else {
                break;
            };
            claims.push((*partition, claimed));
        }
        self.check_logs(&claims)?;
        let mut positions = Vec::new();
        for (partition, claimed) in claims {
            positions.push((partition, claimed.next_offset));
            self.partitions.start(partition, claimed);
        }
        self.subscription.assign(&positions)?;
        self.note_ownership();
        Ok(())
    }

    /// Refuses partitions that were added to the topic: keys have moved to other partitions.
    fn check_count(&self, partitions: &[i32]) -> Result<(), ProcessorError> {
        let expected = self.shared.partitions;
        match partitions.iter().max() {
            Some(most) if *most >= expected => Err(ProcessorError::PartitionsAdded {
                topic: self.shared.topic.clone(),
                expected,
                found: most + 1,
            }),
            _ => Ok(()),
        }
    }

    /// Checks that the partitions claimed hold the logs that were folded so far.
    fn check_logs(&self, claims: &[(i32, ClaimedPartition)]) -> Result<(), ProcessorError> {
        let claims: Vec<_> = claims
            .iter()
            .map(|(partition, claimed)| (*partition, claimed.next_offset, claimed.log.clone()))
            .collect();
        let cluster = self.shared.cluster.as_deref();
        let kafka = self.kafka.borrow().clone();
        log_identity::check_partitions(&kafka, cluster, &claims, &self.shutdown)
    }

    fn give_up(&mut self, partitions: &[i32], lost: bool) {
        self.partitions.give_up(partitions, lost);
        if let Err(error) = self.subscription.unassign(partitions) {
            // They are not ours either way, and the fence knows it.
            tracing::warn!(%error, ?partitions, "partitions given up were not unassigned");
        }
        self.note_ownership();
    }

    fn note_ownership(&self) {
        let owned = self.partitions.owned();
        tracing::info!(partitions = ?owned, "owned partitions");
        self.shared
            .metrics
            .partitions
            .set(i64::try_from(owned.len()).unwrap_or(i64::MAX));
        self.watermarks.set_partitions(owned);
    }

    /// Gives up the partitions that have reached their end.
    fn handle_exits(&mut self) -> Result<(), ProcessorError> {
        let finished = self.partitions.take_exits()?;
        if !finished.is_empty() {
            self.give_up(&finished, false);
        }
        Ok(())
    }

    fn claim_again(&mut self) -> Result<(), ProcessorError> {
        for partition in self.partitions.take_due() {
            if !self.partitions.owns(partition) || self.subscription.is_lost() {
                continue;
            }
            let Some(claimed) = self.partitions.claim(partition)? else {
                return Ok(());
            };
            let claims = [(partition, claimed)];
            self.check_logs(&claims)?;
            let [(_, claimed)] = claims;
            if let Err(error) = self.subscription.go_back(partition, claimed.next_offset) {
                // The task must not see a record before the position is set back: it is dropped.
                tracing::warn!(partition, %error, "could not go back to what was not folded");
                self.partitions.claim_later(partition);
                continue;
            }
            self.partitions.start(partition, claimed);
        }
        Ok(())
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

    /// Finds the partition with a next record that is gone from the log.
    fn find_trimmed(&self) -> Option<ProcessorError> {
        for (partition, wanted) in self.partitions.expected() {
            let (low, high) = self.subscription.bounds(partition).ok()?;
            if wanted > high {
                return Some(ProcessorError::OtherLog {
                    topic: self.shared.topic.clone(),
                    partition,
                    next_offset: wanted,
                    what: format!("ends at offset {high} now"),
                });
            }
            if wanted < low {
                return Some(ProcessorError::LogTrimmed {
                    topic: self.shared.topic.clone(),
                    partition,
                    wanted,
                    low,
                    high,
                });
            }
        }
        None
    }
}

//! The events of the poll thread: librdkafka's callbacks and messages as one closed enum.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;

use crate::record::Record;

/// An event of the poll thread.
#[derive(Debug)]
pub(crate) enum ConsumerEvent {
    /// A record.
    Record {
        /// The partition of the topic.
        partition: i32,
        /// The record, detached from librdkafka's buffers.
        record: Record,
    },
    /// A partition was read to its end.
    EndOfPartition {
        /// The partition of the topic.
        partition: i32,
    },
    /// The group assigns more partitions.
    Assigned {
        /// The partitions of the topic.
        partitions: Vec<i32>,
    },
    /// The group revokes partitions.
    Revoked {
        /// The partitions of the topic.
        partitions: Vec<i32>,
        /// Another member may own them already.
        lost: bool,
    },
    /// Anything else.
    Error(KafkaError),
}

impl ConsumerEvent {
    pub(crate) fn message(message: &mut BorrowedMessage<'_>) -> Self {
        Self::Record {
            partition: message.partition(),
            record: Record::detach(message),
        }
    }
}

/// Keeps rebalances until the loop takes them: the assignment is answered there, not in the
/// callback, where nothing of the loop's state could be touched.
#[derive(Debug, Default)]
pub(crate) struct IntakeContext {
    rebalances: Mutex<VecDeque<ConsumerEvent>>,
    closing: AtomicBool,
}

impl IntakeContext {
    pub(crate) fn next_rebalance(&self) -> Option<ConsumerEvent> {
        self.rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// Answers rebalances at once from now on: the loop that would take them has ended.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Queues an event before the next poll.
    pub(crate) fn push(&self, event: ConsumerEvent) {
        self.rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(event);
    }
}

impl ClientContext for IntakeContext {
    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

/// Logs an error of a client with its reason. Every error comes twice: here, and from `poll`, where
/// it is handled. The end of a partition is no error.
pub(crate) fn log_error(error: &KafkaError, reason: &str) {
    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
        tracing::warn!(%error, reason, "Kafka");
    }
}

impl ConsumerContext for IntakeContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Relaxed) {
            let answered = match err {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                    consumer.incremental_assign(&TopicPartitionList::new())
                }
                _ => consumer.incremental_unassign(list),
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "closing");
            }
            return;
        }
        let partitions = list
            .elements()
            .iter()
            .map(TopicPartitionListElem::partition)
            .collect();
        self.push(match err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                ConsumerEvent::Assigned { partitions }
            }
            _ => ConsumerEvent::Revoked {
                partitions,
                lost: consumer.assignment_lost(),
            },
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "positions not committed to Kafka");
        }
    }
}

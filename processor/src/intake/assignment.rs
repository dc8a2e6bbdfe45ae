//! Partitions coming and going: claimed before they are read, drained before they are given up.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::handle::PendingPartition;
use super::{CLAIM_AGAIN_AFTER, Intake, LEAVE, handle};
use crate::engine::TaskExit;
use crate::error::ProcessorError;

impl Intake {
    /// Claims the partitions, then has them read from where their projections stand.
    pub(super) fn assign(&mut self, partitions: &[i32]) -> Result<(), ProcessorError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let Some((next_offset, prepared)) = self.claim(*partition)? else {
                break;
            };
            self.start(*partition, prepared);
            list.add_partition_offset(&self.shared.topic, *partition, Offset::Offset(next_offset))?;
        }
        // Refused only if this state differs from librdkafka's, which would then wait for another answer
        // forever. (A member that is expelled from the group learns it later.)
        self.consumer.incremental_assign(&list)?;
        self.note_ownership();
        Ok(())
    }

    /// Claims one partition, however long the database is away: its first offset not folded, and
    /// its task, not running yet. `None` when told to stop.
    fn claim(&self, partition: i32) -> Result<Option<(i64, PendingPartition)>, ProcessorError> {
        let poisoned = self.poisoned.get(&partition).cloned().unwrap_or_default();
        let (shared, definitions) = (Arc::clone(&self.shared), self.definitions.clone());
        self.runtime.block_on(handle::claim_and_prepare(
            shared,
            partition,
            &self.client_id,
            definitions,
            poisoned,
            &self.shutdown,
        ))
    }

    /// From here on what is polled of the partition goes to this task.
    fn start(&mut self, partition: i32, prepared: PendingPartition) {
        let handle = prepared.start(&self.runtime, &self.exits);
        if let Some(before) = self.handles.insert(partition, handle) {
            before.stop();
        }
    }

    pub(super) fn revoke(&mut self, partitions: &[i32], lost: bool) {
        self.give_up(partitions, lost);
        if let Err(error) = self.unassign(partitions) {
            // They are not ours either way, and the fence knows it.
            tracing::warn!(%error, ?partitions, "partitions given up were not unassigned");
        }
        self.note_ownership();
    }

    /// Answers a revocation. Named are only partitions that were taken: the start may have been cut
    /// short by a stop, and librdkafka refuses the whole list for one it does not have. It waits
    /// for the answer even where the list is empty.
    pub(super) fn unassign(&self, partitions: &[i32]) -> KafkaResult<()> {
        let assigned = self.consumer.assignment()?;
        let topic = &self.shared.topic;
        let taken: Vec<i32> = partitions
            .iter()
            .copied()
            .filter(|partition| assigned.find_partition(topic, *partition).is_some())
            .collect();
        let list = self.list(&taken);
        // A pause would stay with librdkafka's partition, and stop it when it is assigned again.
        self.consumer.resume(&list)?;
        self.consumer.incremental_unassign(&list)
    }

    /// Ends the tasks of partitions that are given up. Unless they were lost, a commit under
    /// way may finish first; the fence keeps out what finishes later.
    pub(super) fn give_up(&mut self, partitions: &[i32], lost: bool) {
        let mut ending = Vec::new();
        for partition in partitions {
            self.again.remove(partition);
            if let Some(handle) = self.handles.remove(partition) {
                ending.push(handle.stop());
            }
        }
        if !lost {
            let all = futures::future::join_all(ending);
            let drained = self
                .runtime
                .block_on(async { tokio::time::timeout(self.shared.limits.drain, all).await });
            if drained.is_err() {
                tracing::warn!(?partitions, "gave partitions up with a commit under way");
            }
        }
    }

    fn note_ownership(&self) {
        let owned: Vec<i32> = self.handles.keys().copied().collect();
        tracing::info!(partitions = ?owned, "owned partitions");
        self.shared
            .metrics
            .partitions
            .set(i64::try_from(owned.len()).unwrap_or(i64::MAX));
        self.watermarks.set_partitions(owned);
    }

    pub(super) fn handle_ended(&mut self) -> Result<(), ProcessorError> {
        for (partition, incarnation, ended) in self.exits.take() {
            let current = self
                .handles
                .get(&partition)
                .is_some_and(|handle| handle.incarnation == incarnation);
            match ended {
                TaskExit::Failed(error) if current => return Err(error),
                TaskExit::Failed(error) => {
                    tracing::error!(partition, %error, "a partition given up ended in an error");
                }
                TaskExit::Fenced if current => {
                    tracing::warn!(partition, "fenced: claiming again if it is still ours");
                    self.again
                        .insert(partition, Instant::now() + CLAIM_AGAIN_AFTER);
                }
                TaskExit::Poisoned(offset) => {
                    self.poisoned.entry(partition).or_default().insert(offset);
                    if current {
                        self.again.insert(partition, Instant::now());
                    }
                }
                // Revoked in the meantime: its new owner continues.
                TaskExit::Stopped | TaskExit::Fenced => {}
            }
        }
        Ok(())
    }

    pub(super) fn claim_fenced_again(&mut self) -> Result<(), ProcessorError> {
        let now = Instant::now();
        let due: Vec<i32> = self
            .again
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(partition, _)| *partition)
            .collect();
        for partition in due {
            self.again.remove(&partition);
            if !self.handles.contains_key(&partition) || self.consumer.assignment_lost() {
                continue;
            }
            let Some((next_offset, prepared)) = self.claim(partition)? else {
                return Ok(());
            };
            if let Err(error) = self.read_again_from(partition, next_offset) {
                // The task must not see a record before the position is set back: it is dropped.
                tracing::warn!(partition, %error, "could not go back to what was not folded");
                self.again.insert(partition, now + CLAIM_AGAIN_AFTER);
                continue;
            }
            self.start(partition, prepared);
        }
        Ok(())
    }

    fn read_again_from(&self, partition: i32, next_offset: i64) -> KafkaResult<()> {
        let offset = Offset::Offset(next_offset);
        self.consumer
            .seek(&self.shared.topic, partition, offset, LEAVE)?;
        self.consumer.resume(&self.list(&[partition]))
    }
}

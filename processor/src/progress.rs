//! The progress of the partitions that this process owns, beside their queues: where the log ends and
//! how much is committed, for the lag, for heartbeats, and to find a partition that stands still.
//!
//! What the broker says about the end of the log reaches it without waiting for the records before
//! that end.

mod headroom;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use self::headroom::NeededRecord;
use crate::metrics::Metrics;
use crate::store::Heartbeat;

/// The interval at which heartbeats are written while the end of the log moves.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// The interval while it does not.
const BEAT_AT_LEAST_EVERY: Duration = Duration::from_secs(3);

/// The partitions owned, each with its progress. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Progress {
    partitions: Arc<Mutex<BTreeMap<i32, Partition>>>,
    metrics: Metrics,
    /// The time after which a partition that stands still is reported.
    bound: Duration,
    /// The time for which the topic keeps a record, in milliseconds; negative: for good.
    retention: Arc<AtomicI64>,
}

#[derive(Debug)]
struct Partition {
    epoch: i64,
    /// The first offset not committed.
    committed: Arc<AtomicI64>,
    /// The end of the log, and when the broker was asked.
    end: Option<(i64, Instant)>,
    /// The position when the broker last answered, and the last instant at which it had moved,
    /// nothing was to be folded, or a server was unavailable.
    position: i64,
    moved_at: Instant,
    /// The first record that a deferred scope needs.
    needed: Option<NeededRecord>,
    /// The end of the log in the last heartbeat that was written, and when.
    written: Option<(Option<i64>, Instant)>,
}

/// A partition of which nothing is committed although records wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StalledPartition {
    /// The number of the partition.
    pub partition: i32,
    /// The first offset not committed.
    pub position: i64,
    /// The end of the log.
    pub end: i64,
    /// The time for which the position has not moved.
    pub since: Duration,
}

/// A partition in the progress of this process, until it is dropped.
#[derive(Debug)]
pub(crate) struct ListedPartition {
    progress: Progress,
    partition: i32,
    epoch: i64,
}

impl Progress {
    /// Returns the progress of no partition yet.
    pub(crate) fn new(metrics: Metrics, bound: Duration) -> Self {
        Self {
            partitions: Arc::default(),
            metrics,
            bound,
            retention: Arc::new(AtomicI64::new(-1)),
        }
    }

    /// Adds a claimed partition.
    pub(crate) fn list(
        &self,
        partition: i32,
        epoch: i64,
        committed: Arc<AtomicI64>,
        now: Instant,
    ) -> ListedPartition {
        let position = committed.load(Ordering::Relaxed);
        let claimed = Partition {
            epoch,
            committed,
            end: None,
            position,
            moved_at: now,
            needed: None,
            written: None,
        };
        self.lock().insert(partition, claimed);
        ListedPartition {
            progress: self.clone(),
            partition,
            epoch,
        }
    }

    /// Notes where the broker says that the log of a partition ends for readers of what is committed.
    pub(crate) fn observe(&self, partition: i32, end: i64, now: Instant) {
        let mut partitions = self.lock();
        let Some(found) = partitions.get_mut(&partition) else {
            return;
        };
        let position = found.committed.load(Ordering::Relaxed);
        let lag = (end - position).max(0);
        if lag == 0 || position != found.position {
            found.moved_at = now;
        }
        found.position = position;
        found.end = Some((end, now));
        let stalled = found.stalled_for();
        let partition = partition.to_string();
        let seconds = i64::try_from(stalled.as_secs()).unwrap_or(i64::MAX);
        for (gauges, value) in [(&self.metrics.lag, lag), (&self.metrics.stalled, seconds)] {
            gauges.with_label_values(&[&partition]).set(value);
        }
    }

    /// Notes where the log of a partition ends, with the records of open transactions.
    pub(crate) fn observe_unstable(&self, partition: i32, end: i64) {
        let partitions = self.lock();
        let Some(found) = partitions.get(&partition) else {
            return;
        };
        let stable = found.end.map_or(end, |(stable, _)| stable);
        let open = self.metrics.open_transactions.clone();
        let partition = partition.to_string();
        open.with_label_values(&[&partition])
            .set((end - stable).max(0));
    }

    /// Notes that a partition waits for a server that is unavailable: it does not stand still by
    /// itself.
    pub(crate) fn note_wait(&self, partition: i32, now: Instant) {
        if let Some(found) = self.lock().get_mut(&partition) {
            found.moved_at = now;
        }
    }

    /// Returns the partitions that have stood still for longer than the bound.
    pub fn stalled(&self) -> Vec<StalledPartition> {
        let partitions = self.lock();
        let stalled = partitions.iter().filter_map(|(partition, found)| {
            let since = found.stalled_for();
            (since >= self.bound).then_some(StalledPartition {
                partition: *partition,
                position: found.position,
                end: found.end.map_or(0, |(end, _)| end),
                since,
            })
        });
        stalled.collect()
    }

    /// Returns the heartbeats that are due.
    pub(crate) fn due_heartbeats(&self, now: Instant) -> Vec<Heartbeat> {
        let partitions = self.lock();
        let due = partitions.iter().filter(|(_, found)| found.is_due(now));
        let heartbeats = due.map(|(partition, found)| Heartbeat {
            partition: *partition,
            epoch: found.epoch,
            log_end: found.end.map(|(end, _)| end),
            age: found.end.map_or(Duration::ZERO, |(_, at)| now - at),
        });
        heartbeats.collect()
    }

    /// Notes that heartbeats are written.
    pub(crate) fn note_written(&self, heartbeats: &[Heartbeat], now: Instant) {
        let mut partitions = self.lock();
        for heartbeat in heartbeats {
            if let Some(found) = partitions.get_mut(&heartbeat.partition)
                && found.epoch == heartbeat.epoch
            {
                found.written = Some((heartbeat.log_end, now));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Partition>> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Partition {
    /// Returns the time, up to the broker's last answer, for which the position has not moved.
    fn stalled_for(&self) -> Duration {
        let answered = self.end.map(|(_, at)| at);
        answered.map_or(Duration::ZERO, |at| {
            at.saturating_duration_since(self.moved_at)
        })
    }

    fn is_due(&self, now: Instant) -> bool {
        let end = self.end.map(|(end, _)| end);
        self.written.is_none_or(|(written, at)| {
            end != written || now.saturating_duration_since(at) >= BEAT_AT_LEAST_EVERY
        })
    }
}

impl std::fmt::Display for StalledPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            partition,
            position,
            end,
            since,
        } = self;
        write!(
            f,
            "partition {partition} has stood at offset {position} for {} s; its log ends at {end}",
            since.as_secs()
        )
    }
}

impl Drop for ListedPartition {
    fn drop(&mut self) {
        let mut partitions = self.progress.lock();
        // A later claim of this process may have taken its place.
        if partitions
            .get(&self.partition)
            .is_some_and(|listed| listed.epoch == self.epoch)
        {
            partitions.remove(&self.partition);
            self.progress.metrics.forget(self.partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_mins(5);

    fn listed(now: Instant) -> (Progress, ListedPartition, Arc<AtomicI64>) {
        let metrics = Metrics::register(&prometheus::Registry::new()).expect("distinct names");
        let progress = Progress::new(metrics, BOUND);
        let committed = Arc::new(AtomicI64::new(10));
        let listed = progress.list(3, 7, Arc::clone(&committed), now);
        (progress, listed, committed)
    }

    fn lag(progress: &Progress) -> i64 {
        progress.metrics.lag.with_label_values(&["3"]).get()
    }

    #[test]
    fn partition_with_waiting_records_that_does_not_move_is_stalled() {
        let start = Instant::now();
        let (progress, _listed, committed) = listed(start);
        progress.observe(3, 15, start);
        assert_eq!(lag(&progress), 5, "known before anything is committed");
        progress.observe(3, 20, start + BOUND);
        assert_eq!(lag(&progress), 10);
        let stalled = progress.stalled();
        assert_eq!(stalled.len(), 1);
        assert_eq!(
            stalled[0].to_string(),
            "partition 3 has stood at offset 10 for 300 s; its log ends at 20"
        );
        committed.store(11, Ordering::Relaxed);
        progress.observe(3, 20, start + BOUND * 2);
        assert_eq!(progress.stalled(), [], "it has moved");
    }

    #[test]
    fn partition_without_waiting_records_or_with_a_server_unavailable_is_not_stalled() {
        let start = Instant::now();
        let (progress, _listed, _) = listed(start);
        progress.observe(3, 10, start + BOUND * 2);
        assert_eq!(progress.stalled(), [], "nothing waits");
        progress.note_wait(3, start + BOUND * 4);
        progress.observe(3, 15, start + BOUND * 4);
        assert_eq!(progress.stalled(), [], "a server is unavailable");
        progress.observe(3, 15, start + BOUND * 5);
        assert_eq!(progress.stalled().len(), 1);
    }

    #[test]
    fn heartbeats_are_written_once_the_end_moves_and_otherwise_at_the_longer_interval() {
        let start = Instant::now();
        let (progress, _listed, _) = listed(start);
        let first = progress.due_heartbeats(start);
        assert_eq!(first.len(), 1, "also before the broker has answered");
        assert_eq!((first[0].epoch, first[0].log_end), (7, None));
        progress.note_written(&first, start);
        assert_eq!(progress.due_heartbeats(start + BEAT_EVERY), []);
        progress.observe(3, 15, start + BEAT_EVERY);
        let second = progress.due_heartbeats(start + BEAT_EVERY * 2);
        assert_eq!(second[0].log_end, Some(15));
        assert_eq!(second[0].age, BEAT_EVERY);
        progress.note_written(&second, start + BEAT_EVERY * 2);
        assert_eq!(progress.due_heartbeats(start + BEAT_EVERY * 3), []);
        let later = start + BEAT_EVERY * 2 + BEAT_AT_LEAST_EVERY;
        assert_eq!(progress.due_heartbeats(later).len(), 1);
    }

    #[test]
    fn partition_claimed_again_stays_listed_when_its_last_task_ends() {
        let start = Instant::now();
        let (progress, first, committed) = listed(start);
        let second = progress.list(3, 8, committed, start);
        drop(first);
        assert_eq!(progress.due_heartbeats(start)[0].epoch, 8);
        drop(second);
        assert_eq!(progress.due_heartbeats(start), []);
        progress.observe(3, 15, start);
        let shown = prometheus::core::Collector::collect(&progress.metrics.lag);
        assert!(
            shown.iter().all(|family| family.get_metric().is_empty()),
            "an answer that comes late shows no gauge"
        );
    }
}

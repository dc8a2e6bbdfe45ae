//! The commits of a partition: one batch on its way into the database while the next is built.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time;

use super::careful::{Careful, Cause};
use super::context::{Context, Queue, TaskExit};
use super::pace::{Load, Pace};
use super::retry::Retry;
use crate::error::ProcessorError;
use crate::memory::MemoryReservation;
use crate::store::{Batch, Committed, StoreError};

/// The commit in flight, and what the ones before it say about the size of batches.
#[derive(Debug)]
pub(super) struct Commits {
    shared: Arc<Context>,
    queue: Arc<Queue>,
    retry: Retry,
    in_flight: Option<InFlight>,
    /// The number of the last batch that has landed; 0 before the first.
    landed: u64,
    pace: Pace,
    careful: Careful,
    /// The instant until which background work waits for records.
    rests_until: time::Instant,
    /// The time that was last sent to the database.
    sent: SentTime,
}

/// The time of a partition, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentTime {
    pub(super) clock: i64,
    /// The instant by which every timer due has fired.
    pub(super) fired_to: i64,
}

/// A batch that is sent to the database.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The number of the batch within the claim, from 1.
    pub(super) number: u64,
    pub(super) batch: Batch,
    pub(super) load: Load,
}

/// A commit under way.
#[derive(Debug)]
struct InFlight {
    number: u64,
    next_offset: i64,
    load: Load,
    handle: JoinHandle<Result<Committed, TaskExit>>,
    sent: std::time::Instant,
    /// The rows of the batch, in the budget until it has landed.
    _reservation: MemoryReservation,
}

impl Commits {
    /// Returns the commits of a partition that was claimed at a time.
    pub(super) fn new(
        shared: Arc<Context>,
        queue: Arc<Queue>,
        retry: Retry,
        sent: SentTime,
        careful: Careful,
    ) -> Self {
        Self {
            shared,
            queue,
            retry,
            in_flight: None,
            landed: 0,
            pace: Pace::new(),
            careful,
            rests_until: time::Instant::now(),
            sent,
        }
    }

    /// Returns whether no commit is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none()
    }

    /// Returns the number of the last batch that has landed; 0 before the first.
    pub(super) fn landed(&self) -> u64 {
        self.landed
    }

    /// Returns the time that was last sent to the database.
    pub(super) fn sent(&self) -> SentTime {
        self.sent
    }

    /// Returns whether a batch may hold no more than one customer.
    pub(super) fn is_careful(&self) -> bool {
        self.careful.is_on()
    }

    /// Returns whether records join a batch beside other work: where it may hold no more than one customer, one
    /// or the other.
    pub(super) fn take_turn(&mut self) -> bool {
        !self.is_careful() || self.careful.take_turn()
    }

    /// Returns the largest number of timers that fire, of records that are folded again, and of customers that are
    /// re-evaluated in a batch with so many records.
    pub(super) fn background(&self, records: usize) -> usize {
        if self.is_careful() {
            return usize::from(records == 0);
        }
        self.pace.background(records)
    }

    /// Returns whether a batch of so many records and bytes is as large as it may be.
    pub(super) fn is_full(&self, records: usize, bytes: usize) -> bool {
        if self.is_careful() {
            return records > 0;
        }
        let (limits, times) = (&self.shared.limits, self.pace.times());
        records >= limits.batch_events.saturating_mul(times)
            || bytes >= limits.batch_bytes.saturating_mul(times)
    }

    /// Returns the time that the first record of a batch lingers.
    pub(super) fn linger(&self) -> Duration {
        self.pace.linger(self.shared.limits.linger)
    }

    /// Returns the instant until which background work waits: as long as a record lingers, where the last batch
    /// held records. Batches in a row without a pause would leave the servers no time for others.
    pub(super) const fn rests_until(&self) -> time::Instant {
        self.rests_until
    }

    /// Sends a batch off; the one before it must have landed.
    pub(super) fn send(&mut self, outgoing: Outgoing) {
        let Outgoing {
            number,
            batch,
            load,
        } = outgoing;
        debug_assert!(self.is_idle(), "batches of a partition land in order");
        self.sent = SentTime {
            clock: batch.clock,
            fired_to: batch.fired_to,
        };
        let next_offset = batch.new_next_offset;
        let reservation = MemoryReservation::new(&self.shared.budget, batch.bytes());
        let commit = commit(
            Arc::clone(&self.shared),
            self.retry.clone(),
            batch,
            self.careful,
        );
        self.in_flight = Some(InFlight {
            number,
            next_offset,
            load,
            handle: self.shared.commits.spawn(commit),
            sent: std::time::Instant::now(),
            _reservation: reservation,
        });
    }

    /// Waits for the commit under way; for ever if there is none. Nothing is lost when the future is
    /// dropped.
    pub(super) async fn finished(&mut self) -> Result<(), TaskExit> {
        let Some(in_flight) = &mut self.in_flight else {
            return std::future::pending().await;
        };
        let outcome = (&mut in_flight.handle).await.unwrap_or_else(|error| {
            Err(TaskExit::Failed(ProcessorError::Internal(
                error.to_string(),
            )))
        });
        let Some(in_flight) = self.in_flight.take() else {
            unreachable!("it was awaited just now")
        };
        match outcome? {
            Committed::Yes => self.note_landed(&in_flight),
            Committed::Fenced => {
                self.shared.metrics.fenced.inc();
                return Err(TaskExit::Fenced);
            }
        }
        Ok(())
    }

    fn note_landed(&mut self, in_flight: &InFlight) {
        self.landed = in_flight.number;
        self.careful.landed();
        self.pace.landed(in_flight.sent.elapsed(), in_flight.load);
        self.rests_until = time::Instant::now();
        if in_flight.load.has_records && !self.is_careful() {
            self.rests_until += self.linger();
        }
        self.queue
            .committed
            .store(in_flight.next_offset, Ordering::Relaxed);
    }
}

/// Commits a batch, however long the database is away, unless the partition is given up. Rows that Postgres
/// refuses end the task, not the process.
async fn commit(
    shared: Arc<Context>,
    retry: Retry,
    batch: Batch,
    careful: Careful,
) -> Result<Committed, TaskExit> {
    let started = std::time::Instant::now();
    let commit = || async {
        match shared.store.commit(&shared.topic, &batch).await {
            Err(StoreError::RefusedRows(refused)) => Ok(Err(refused)),
            other => other.map(Ok),
        }
    };
    let committed = retry.until_available(commit).await?;
    let committed = committed.map_err(|refused| match careful.blame(&batch, refused) {
        Cause::Customer(failed) => TaskExit::Failing(failed),
        Cause::OneOf(careful) => TaskExit::Refused(careful),
        Cause::NoCustomer(refused) => TaskExit::from(StoreError::RefusedRows(refused)),
    })?;
    if committed == Committed::Yes {
        note_committed(&shared, &batch, started.elapsed());
        if let Some(kept) = shared.kept.get() {
            kept.push(batch);
        }
    }
    Ok(committed)
}

fn note_committed(shared: &Context, batch: &Batch, took: Duration) {
    let metrics = &shared.metrics;
    metrics.commits.inc();
    metrics.commit_seconds.observe(took.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    metrics
        .commit_customers
        .observe(batch.rows.customers.len() as f64);
    let sets = batch.rows.changes.iter();
    let changes: usize = sets.map(|set| set.changes.len()).sum();
    metrics.changes.inc_by(changes as u64);
}

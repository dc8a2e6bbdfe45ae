//! A batch: classify the records, load missing customers, fire timers and fold, flush.

mod folding;
mod parked;

use tidemark_schemas::codec::DecodeError;
use tidemark_schemas::{CustomerEvent, Instant};
use uuid::Uuid;

use super::classification::{Classification, classify, park_undecoded};
use super::context::TaskExit;
use super::park::Park;
use super::redrive::Redrive;
use super::task::PartitionTask;
use crate::memory::{Budget, MemoryReservation};
use crate::record::Record;
use crate::store::{Batch, ParkedRow};

/// The distance of checkpoints, at which digests are stored for verification, in offsets.
const CHECKPOINT_EVERY: i64 = 50_000;
/// The largest number of timers that fire in one batch.
const TIMERS_PER_BATCH: usize = 2_000;
/// The largest number of customers re-evaluated in one batch.
const REEVALUATED_PER_BATCH: i64 = 500;
/// The interval at which the clock of an idle partition is written, in microseconds.
const CLOCK_WRITTEN_EVERY: i64 = 1_000_000;
/// The distance of the clock behind the wall clock at the end of a partition, in microseconds: records
/// that are being appended may not be visible yet.
const END_MARGIN: i64 = 1_000_000;

/// A classified record.
struct Item {
    record: Record,
    appended_at: Instant,
    classification: Result<Box<CustomerEvent>, Park>,
}

/// A parked event that is retried.
struct Redriven {
    before: ParkedRow,
    item: Item,
    /// The request of the operator command, if there is one.
    request: Option<Uuid>,
}

/// The input of one batch.
struct Work {
    redriven: Vec<Redriven>,
    items: Vec<Item>,
    /// The target of the clock after the last item.
    clock: Option<Instant>,
    /// The first offset not read.
    next_offset: i64,
    /// The records' bytes, reserved until the batch is folded.
    reservation: MemoryReservation,
}

impl Work {
    /// Returns empty input that ends at an offset.
    fn nothing(next_offset: i64, budget: &Budget) -> Self {
        let (redriven, items) = (Vec::new(), Vec::new());
        Self {
            redriven,
            items,
            clock: None,
            next_offset,
            reservation: MemoryReservation::new(budget, 0),
        }
    }

    /// Returns the largest number of timers that may fire. Before records it is unbounded: `take_records`
    /// has limited them.
    fn timers_at_most(&self) -> usize {
        if self.items.is_empty() {
            TIMERS_PER_BATCH
        } else {
            usize::MAX
        }
    }
}

impl PartitionTask {
    /// Returns the next batch; `None` if there is nothing to write.
    pub(super) async fn next_batch(&mut self) -> Result<Option<Batch>, TaskExit> {
        let newest = self.definitions().await?;
        if self.folder.is_older_than(&newest) {
            // Customers written under the old definitions must be in the tables before the
            // re-evaluation reads them.
            self.settle().await?;
            let parked = self.folder.activate(newest).into_iter();
            self.redrive
                .extend(parked.map(|(tenant, reason)| Redrive::new(tenant, reason)));
        }
        let reads_commands = self.is_time_to_read_commands();
        if reads_commands {
            self.resume_tenants().await?;
        }
        let mut redriven = self.take_parked().await?;
        if reads_commands && redriven.is_empty() {
            redriven = self.take_operator_commands().await?;
        }
        // Parked events precede new ones, as in the log: a newer event folded first would make older
        // events of its customer late.
        let work = if redriven.is_empty() {
            self.take_records().await?
        } else {
            Work {
                redriven,
                ..Work::nothing(self.folder.next_offset(), &self.shared.budget)
            }
        };
        self.load(&work).await?;
        self.fold(work).await
    }

    /// Classifies the records of this batch, and sets the target of the clock.
    ///
    /// Every timer due by a record fires before it. So a batch takes no more records than it can fire
    /// timers for, and none if the timers due before the first record are too many.
    async fn take_records(&mut self) -> Result<Work, TaskExit> {
        let next_offset = self.folder.next_offset();
        let checkpoint = (next_offset / CHECKPOINT_EVERY + 1) * CHECKPOINT_EVERY;
        let mut work = Work::nothing(next_offset, &self.shared.budget);
        if self.records.is_empty() {
            work.clock = self.at_end.map(|seen| seen.plus_micros(-END_MARGIN));
            work.next_offset = next_offset.max(self.position.min(checkpoint));
            return Ok(work);
        }
        let wall = self.shared.clock.now();
        let mut crowded = self.folder.timers().nth_due(TIMERS_PER_BATCH);
        while let Some(record) = self.records.front() {
            if record.offset >= checkpoint {
                work.next_offset = checkpoint;
                return Ok(work);
            }
            // The append time, capped by the wall clock, which also replaces a missing one.
            let clock = record.appended_at.map_or(wall, |at| at.min(wall));
            if self.folder.timers().needs_load(clock) {
                self.load_timers(clock).await?;
                crowded = self.folder.timers().nth_due(TIMERS_PER_BATCH);
            }
            if crowded.is_some_and(|due| due <= clock) {
                work.clock = work.items.is_empty().then_some(clock);
                return Ok(work);
            }
            let Some(record) = self.records.pop_front() else {
                break;
            };
            self.record_bytes -= record.bytes();
            self.take_out(&record, &mut work.reservation);
            work.next_offset = record.offset + 1;
            work.items.push(self.classify(record, clock).await?);
        }
        // All input is in this batch, and so are invisible records after the last one.
        work.next_offset = work.next_offset.max(self.position.min(checkpoint));
        Ok(work)
    }

    async fn classify(&self, record: Record, appended_at: Instant) -> Result<Item, TaskExit> {
        let decoder = &self.shared.decoder;
        loop {
            let id = match classify(
                &record,
                appended_at,
                self.expected(),
                decoder,
                &self.poisoned,
            ) {
                Classification::Event(event) => {
                    return Ok(Item {
                        record,
                        appended_at,
                        classification: Ok(event),
                    });
                }
                Classification::Park(park) => {
                    return Ok(Item {
                        record,
                        appended_at,
                        classification: Err(park),
                    });
                }
                Classification::NeedsSchema(id) => id,
            };
            let fetched = tokio::select! {
                () = self.stop.cancelled() => return Err(TaskExit::Stopped),
                fetched = decoder.fetch(id) => fetched,
            };
            match fetched {
                Ok(()) => {}
                Err(unavailable @ DecodeError::RegistryUnavailable(_)) => {
                    self.pause("registry", &unavailable).await?;
                }
                Err(unusable) => {
                    let classification = Err(park_undecoded(unusable));
                    return Ok(Item {
                        record,
                        appended_at,
                        classification,
                    });
                }
            }
        }
    }

    /// Loads the timers due by `clock`, up to a few more than one batch fires: of a million timers due at
    /// one midnight the rest stays in the database.
    async fn load_timers(&mut self, clock: Instant) -> Result<(), TaskExit> {
        while self.folder.timers().needs_load(clock) {
            let crowded = self.folder.timers().nth_due(TIMERS_PER_BATCH);
            if crowded.is_some_and(|due| due <= clock) {
                break;
            }
            // Rows of the commit in flight would be missed.
            self.settle().await?;
            let window = i64::try_from(super::timers::WINDOW).unwrap_or(i64::MAX);
            let horizon = self.folder.timers().horizon().cloned();
            let store = &self.shared.store;
            match store
                .load_timers(self.partition, horizon.as_ref(), window)
                .await
            {
                Ok(rows) => self.folder.timers_mut().install(rows),
                Err(error) => self.wait_out(error).await?,
            }
        }
        Ok(())
    }

    /// Loads every customer that the input touches.
    async fn load(&mut self, work: &Work) -> Result<(), TaskExit> {
        let last_clock = work
            .items
            .iter()
            .map(|item| item.appended_at)
            .max()
            .max(work.clock);
        let due = match last_clock {
            Some(clock) => {
                self.load_timers(clock).await?;
                self.folder.timers().due(clock, work.timers_at_most())
            }
            None => Vec::new(),
        };
        let folded = work
            .items
            .iter()
            .chain(work.redriven.iter().map(|redriven| &redriven.item));
        let customers = folded
            .filter_map(|item| item.classification.as_ref().ok())
            .map(|event| event.key());
        let all: Vec<_> = customers.chain(due).collect();
        let requested = all.len();
        let missing = self.missing(all);
        self.shared
            .metrics
            .cache_hits
            .inc_by((requested - missing.len()) as u64);
        if missing.is_empty() {
            return Ok(());
        }
        self.shared
            .metrics
            .cache_misses
            .inc_by(missing.len() as u64);
        // Read rows take as much memory as the customers decoded from them.
        let _read =
            MemoryReservation::new(&self.shared.budget, self.folder.estimate(missing.len()));
        let rows = loop {
            match self.shared.store.load_customers(&missing).await {
                Ok(rows) => break rows,
                Err(error) => self.wait_out(error).await?,
            }
        };
        self.folder.install(missing, rows)?;
        Ok(())
    }
}

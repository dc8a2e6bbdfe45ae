//! Building a batch: judge the records, load what is missing, fire and fold, flush.

mod folding;
mod parked;

use tidemark_schemas::codec::DecodeError;
use tidemark_schemas::{CustomerEvent, Instant};
use uuid::Uuid;

use super::redrive::Redrive;
use super::task::{Ended, PartitionTask};
use super::verdict::{Verdict, judge, park_undecoded};
use crate::memory::{Budget, Charge};
use crate::parking::Park;
use crate::record::Record;
use crate::store::{Batch, ParkedRow};

/// Offsets at which digests are kept, for verification, are multiples of this.
const CHECKPOINT_EVERY: i64 = 50_000;
/// Timers fired in one batch at most.
const TIMERS_PER_BATCH: usize = 2_000;
/// Customers re-evaluated in one batch at most.
const REEVALUATED_PER_BATCH: i64 = 500;
/// The clock of an idle partition is written this often, in microseconds.
const CLOCK_WRITTEN_EVERY: i64 = 1_000_000;
/// At the end of a partition the clock is this far behind the wall, in microseconds: what is being
/// appended at this moment may not be visible yet.
const END_MARGIN: i64 = 1_000_000;

/// A record judged.
struct Item {
    record: Record,
    appended_at: Instant,
    verdict: Result<Box<CustomerEvent>, Park>,
}

/// A parked event to be tried again.
struct Redriven {
    before: ParkedRow,
    item: Item,
    /// The operator's command that asks for it, if one does.
    request: Option<Uuid>,
}

/// What one turn works on.
struct Work {
    redriven: Vec<Redriven>,
    items: Vec<Item>,
    /// The clock goes this far after the last item.
    clock: Option<Instant>,
    /// The log was read up to here.
    next_offset: i64,
    /// The records' bytes, in the budget as long as there is work on them.
    charge: Charge,
}

impl Work {
    /// Nothing to do, and no further than this.
    fn nothing(next_offset: i64, budget: &Budget) -> Self {
        let (redriven, items) = (Vec::new(), Vec::new());
        Self {
            redriven,
            items,
            clock: None,
            next_offset,
            charge: Charge::take(budget, 0),
        }
    }

    /// How many timers may fire: before records all that are due, which `take_records` saw to be
    /// few.
    fn timers_at_most(&self) -> usize {
        if self.items.is_empty() {
            TIMERS_PER_BATCH
        } else {
            usize::MAX
        }
    }
}

impl PartitionTask {
    /// Builds the next batch; `None` when there is nothing to write.
    pub(super) async fn build(&mut self) -> Result<Option<Batch>, Ended> {
        let newest = self.definitions().await?;
        if self.folder.is_older_than(&newest) {
            // Customers written under the old definitions must be in the tables when they are
            // walked to be evaluated anew.
            self.settle().await?;
            let parked = self.folder.activate(newest).into_iter();
            self.redrive
                .extend(parked.map(|(tenant, reason)| Redrive::new(tenant, reason)));
        }
        let look = self.is_time_to_look();
        if look {
            self.resume_tenants().await?;
        }
        let mut redriven = self.take_parked().await?;
        if look && redriven.is_empty() {
            redriven = self.take_wishes().await?;
        }
        // What was parked comes before what is new, as it does in the log: an event folded first
        // would make older ones of its customer late.
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

    /// Judges as many records as belong into this batch, and says how far the clock goes.
    ///
    /// Before a record is folded every timer due by then fires; a batch takes no more records than
    /// one batch can fire timers for, and where those due before the first are too many, it takes
    /// none.
    async fn take_records(&mut self) -> Result<Work, Ended> {
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
            // The append time, capped by the wall clock; that where a record carries none.
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
            self.take_out(&record, &mut work.charge);
            work.next_offset = record.offset + 1;
            work.items.push(self.judge(record, clock).await?);
        }
        // Everything handed over is in this batch: so is what follows the last record silently.
        work.next_offset = work.next_offset.max(self.position.min(checkpoint));
        Ok(work)
    }

    async fn judge(&self, record: Record, appended_at: Instant) -> Result<Item, Ended> {
        let decoder = &self.shared.decoder;
        loop {
            let id = match judge(&record, appended_at, self.home(), decoder, &self.poisoned) {
                Verdict::Event(event) => {
                    return Ok(Item {
                        record,
                        appended_at,
                        verdict: Ok(event),
                    });
                }
                Verdict::Park(park) => {
                    return Ok(Item {
                        record,
                        appended_at,
                        verdict: Err(park),
                    });
                }
                Verdict::NeedsSchema(id) => id,
            };
            let fetched = tokio::select! {
                () = self.stop.cancelled() => return Err(Ended::Stopped),
                fetched = decoder.fetch(id) => fetched,
            };
            match fetched {
                Ok(()) => {}
                Err(away @ DecodeError::RegistryUnavailable(_)) => {
                    self.wait_for("registry", &away).await?;
                }
                Err(unusable) => {
                    let verdict = Err(park_undecoded(unusable));
                    return Ok(Item {
                        record,
                        appended_at,
                        verdict,
                    });
                }
            }
        }
    }

    /// Makes sure that every timer due by `clock` is in memory, or more than one batch fires: of
    /// a million due at the same midnight the rest can wait in the database.
    async fn load_timers(&mut self, clock: Instant) -> Result<(), Ended> {
        while self.folder.timers().needs_load(clock) {
            let crowded = self.folder.timers().nth_due(TIMERS_PER_BATCH);
            if crowded.is_some_and(|due| due <= clock) {
                break;
            }
            // Rows written by a commit under way would be missed.
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

    /// Loads every customer the work touches.
    async fn load(&mut self, work: &Work) -> Result<(), Ended> {
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
            .filter_map(|item| item.verdict.as_ref().ok())
            .map(|event| event.key());
        let all: Vec<_> = customers.chain(due).collect();
        let asked = all.len();
        let missing = self.missing(all);
        self.shared
            .metrics
            .cache_hits
            .inc_by((asked - missing.len()) as u64);
        if missing.is_empty() {
            return Ok(());
        }
        self.shared
            .metrics
            .cache_misses
            .inc_by(missing.len() as u64);
        // What is read takes as much as what is made of it, until all of it is made.
        let _read = Charge::take(&self.shared.budget, self.folder.estimate(missing.len()));
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

//! The input of one batch: which records it takes, and how far the clock moves.

use rdkafka::Timestamp;
use tidemark_schemas::{CustomerKey, Instant};

use super::classification::{Classifier, Item};
use super::context::TaskExit;
use super::inbox::Inbox;
use super::redrive::Redriven;
use crate::clock::WallClock;
use crate::memory::{Budget, MemoryReservation};

/// The distance of the clock behind the wall clock at the end of a partition, in microseconds: records
/// that are being appended may not be visible yet.
const END_MARGIN: i64 = 1_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) redriven: Vec<Redriven>,
    pub(super) items: Vec<Item>,
    /// The target of the clock after the last item.
    pub(super) clock: Option<Instant>,
    /// The first offset not read.
    pub(super) next_offset: i64,
    /// The records' bytes, reserved until the batch is folded.
    reservation: MemoryReservation,
}

impl Work {
    /// Returns empty input that ends at an offset.
    pub(super) fn nothing(next_offset: i64, budget: &Budget) -> Self {
        Self {
            redriven: Vec::new(),
            items: Vec::new(),
            clock: None,
            next_offset,
            reservation: MemoryReservation::new(budget, 0),
        }
    }

    /// Takes and classifies records up to the offset `end`.
    pub(super) async fn take_records(
        &mut self,
        inbox: &mut Inbox,
        classifier: &Classifier,
        wall: WallClock,
        end: i64,
    ) -> Result<(), TaskExit> {
        while let Some(record) = inbox.first() {
            if record.offset >= end {
                self.next_offset = end;
                return Ok(());
            }
            let clock = wall.time_of(record.timestamp);
            let Some(record) = inbox.pop(&mut self.reservation) else {
                break;
            };
            self.next_offset = record.offset + 1;
            self.items.push(classifier.classify(record, clock).await?);
        }
        // All input is in this batch, and so are invisible records after the last one.
        self.next_offset = self.next_offset.max(inbox.position().min(end));
        Ok(())
    }

    /// Lets the clock follow the wall clock where the log ends, if no record was taken.
    pub(super) fn follow_wall_clock(&mut self, inbox: &Inbox) {
        if self.items.is_empty() && self.clock.is_none() && inbox.is_empty() {
            self.clock = inbox.at_end().map(|seen| seen.plus_micros(-END_MARGIN));
        }
    }

    /// Returns every classified record.
    pub(super) fn all_items(&mut self) -> Vec<&mut Item> {
        let redriven = self.redriven.iter_mut().map(Redriven::item_mut);
        redriven.chain(self.items.iter_mut()).collect()
    }

    /// Returns the customers of the events.
    pub(super) fn customers(&self) -> Vec<CustomerKey> {
        let new = self.items.iter().filter_map(Item::customer);
        new.chain(self.redriven.iter().filter_map(Redriven::customer))
            .collect()
    }

    /// Returns the latest instant that the clock reaches in this batch.
    pub(super) fn last_clock(&self) -> Option<Instant> {
        let items = self.items.iter().map(|item| item.appended_at);
        items.max().max(self.clock)
    }

    /// Returns the time of the last record, if a broker gave it.
    pub(super) fn last_broker_time(&self) -> Option<Instant> {
        let record = &self.items.last()?.record;
        match record.timestamp {
            Timestamp::LogAppendTime(millis) => Some(Instant::from_millis_clamped(millis)),
            _ => None,
        }
    }

    /// Returns the number of records.
    pub(super) fn len(&self) -> usize {
        self.redriven.len() + self.items.len()
    }
}

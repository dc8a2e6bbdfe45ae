//! The inbox of a partition: what the poll thread handed over and no batch has taken yet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidemark_schemas::Instant;
use tokio::sync::mpsc::UnboundedReceiver;

use super::context::Queue;
use crate::memory::{Budget, MemoryReservation};
use crate::record::{Input, Record};

/// See the module.
#[derive(Debug)]
pub(super) struct Inbox {
    input: UnboundedReceiver<Input>,
    queue: Arc<Queue>,
    budget: Budget,
    records: VecDeque<Record>,
    bytes: usize,
    /// The offset after the last record or end of partition handed over.
    position: i64,
    /// The instant at which the log was seen to end at our position.
    at_end: Option<Instant>,
}

/// The poll thread hands nothing more over.
#[derive(Debug)]
pub(super) struct Closed;

impl Inbox {
    /// Returns the empty inbox of a partition that is read from an offset on.
    pub(super) fn new(
        input: UnboundedReceiver<Input>,
        queue: Arc<Queue>,
        budget: Budget,
        next_offset: i64,
    ) -> Self {
        Self {
            input,
            queue,
            budget,
            records: VecDeque::new(),
            bytes: 0,
            position: next_offset,
            at_end: None,
        }
    }

    /// Waits for input and takes it in. Nothing is lost when the future is dropped.
    pub(super) async fn receive(&mut self) -> Result<(), Closed> {
        let input = self.input.recv().await.ok_or(Closed)?;
        self.accept(input);
        Ok(())
    }

    /// Takes in what was handed over already, one input; `false` if there is none.
    pub(super) fn receive_now(&mut self) -> bool {
        self.input
            .try_recv()
            .map(|input| self.accept(input))
            .is_ok()
    }

    /// Returns the number of records.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there are no records.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the memory that the records take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the offset after the last record or end of partition handed over.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Returns the instant at which the log was seen to end at our position; `None` if records follow.
    pub(super) fn at_end(&self) -> Option<Instant> {
        self.at_end
    }

    /// Returns the next record.
    pub(super) fn first(&self) -> Option<&Record> {
        self.records.front()
    }

    /// Takes the next record out; its bytes stay in the budget with the reservation.
    pub(super) fn pop(&mut self, reservation: &mut MemoryReservation) -> Option<Record> {
        let record = self.records.pop_front()?;
        let bytes = record.bytes();
        self.bytes -= bytes;
        self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
        reservation.adopt(bytes);
        Some(record)
    }

    fn accept(&mut self, input: Input) {
        match input {
            Input::Record(record) => {
                // After a claim the poll thread may still hand over what it had fetched before.
                if record.offset >= self.position {
                    self.position = record.offset + 1;
                    self.at_end = None;
                    self.bytes += record.bytes();
                    self.records.push_back(record);
                } else {
                    self.release(&record);
                }
            }
            Input::EndOfPartition { position } => self.position = self.position.max(position),
            Input::LogEnd { end, asked_at } => {
                self.at_end = (end <= self.position).then_some(asked_at);
            }
        }
    }

    /// Releases the bytes of a record that is not folded.
    fn release(&self, record: &Record) {
        let bytes = record.bytes();
        self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.release(bytes);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.input.close();
        while let Ok(input) = self.input.try_recv() {
            if let Input::Record(record) = input {
                self.release(&record);
            }
        }
        for record in std::mem::take(&mut self.records) {
            self.release(&record);
        }
    }
}

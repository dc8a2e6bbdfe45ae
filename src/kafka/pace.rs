//! The pace of publishing: a log that drops records must not outrun the processor.
//!
//! The embedded broker drops old records of a partition at 5 MiB or 100,000 records without a
//! sign. Publishing to it waits while too much is unfolded. A real broker keeps its log, so
//! publishing does not wait.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use tidemark_kafka::producer::Publisher;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::database::Projections;

/// Unfolded records allowed per partition.
const RECORDS: u64 = 20_000;
/// Unfolded bytes allowed per partition.
const BYTES: u64 = 2 * 1024 * 1024;
/// A generous bound of a record's bytes beside key and value.
const OVERHEAD: u64 = 100;
/// The number of records sent between two checks.
const LOOK_EVERY: u64 = 200;
/// The time without progress of folding after which waiting ends with an error.
const PATIENCE: Duration = Duration::from_mins(2);

/// The rate of publishing.
#[derive(Debug)]
pub enum Pace {
    /// The rate that the broker accepts.
    Free,
    /// No further ahead of the processor than the embedded broker's log reaches.
    Behind(Box<Lag>),
}

/// The distance of the processor behind the publisher.
#[derive(Debug)]
pub struct Lag {
    projections: Projections,
    topic: String,
    runtime: Handle,
    sent: u64,
    /// The size of the largest record so far, in bytes.
    largest: u64,
    folded: BTreeMap<i32, i64>,
}

impl Pace {
    /// Follows the processor that writes this generation. Use on a blocking thread.
    pub fn behind(projections: Projections, topic: &str) -> Self {
        Self::Behind(Box::new(Lag {
            projections,
            topic: topic.to_owned(),
            runtime: Handle::current(),
            sent: 0,
            largest: 0,
            folded: BTreeMap::new(),
        }))
    }

    /// Notes a record that was sent, with its size in bytes, and waits while the log is full. Blocks.
    pub fn sent(&mut self, publisher: &Publisher, bytes: usize) -> anyhow::Result<()> {
        match self {
            Self::Free => Ok(()),
            Self::Behind(lag) => lag.sent(publisher, bytes),
        }
    }
}

impl Lag {
    fn sent(&mut self, publisher: &Publisher, bytes: usize) -> anyhow::Result<()> {
        self.sent += 1;
        self.largest = self.largest.max(u64::try_from(bytes)? + OVERHEAD);
        let allowed = RECORDS.min(BYTES / self.largest);
        if !self.sent.is_multiple_of(LOOK_EVERY.min(allowed.max(1))) {
            return Ok(());
        }
        let mut stands_since = Instant::now();
        while self.unfolded(publisher) > allowed {
            let before = self.folded.clone();
            self.folded = self
                .runtime
                .block_on(self.projections.positions(&self.topic))?;
            if self.folded != before {
                stands_since = Instant::now();
            } else if stands_since.elapsed() > PATIENCE {
                bail!("the processor has folded nothing for {PATIENCE:?}: is it running?");
            }
            publisher.poll(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Returns the largest possible number of unfolded records in a partition.
    fn unfolded(&self, publisher: &Publisher) -> u64 {
        let (accepted, ends) = publisher.accepted();
        // The partitions of records under way are not known yet: they may be one and the same.
        let under_way = self.sent.saturating_sub(accepted);
        let fullest = ends
            .iter()
            .map(|(partition, end)| end - self.folded.get(partition).copied().unwrap_or(0))
            .max()
            .unwrap_or(0);
        under_way + u64::try_from(fullest).unwrap_or(0)
    }
}

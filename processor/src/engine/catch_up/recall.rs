//! The records of the log that are read again, in chunks.

use std::sync::Arc;
use std::time::Duration;

use tidemark_schemas::Instant;
use tidemark_schemas::codec::DecodeError;
use tokio::task::JoinSet;
use tokio::time;

use super::log_reader::LogReader;
use crate::engine::classification::{Classification, Classifier, Item, park_undecoded};
use crate::engine::context::{Context, TaskExit};
use crate::engine::folder::Folder;
use crate::engine::projector::Projector;
use crate::engine::retry::Retry;
use crate::error::ProcessorError;
use crate::record::Record;

/// The number of records that are read for each one that may be kept.
const READ_PER_KEPT: usize = 10;
/// The time that a chunk waits for the log while the partition waits for it.
const READ_WITHIN: Duration = Duration::from_millis(20);
/// The pause before an unavailable registry is asked again.
const LOOKUP_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Recall {
    shared: Arc<Context>,
    partition: i32,
    retry: Retry,
    reader: Option<LogReader>,
    lookup: Option<Lookup>,
    /// The chunk: consecutive records that may belong to deferred scopes.
    pub(super) records: Vec<Recalled>,
    /// The first offset of the chunk, and the first after it.
    pub(super) from: i64,
    pub(super) to: i64,
    /// The clock of the partition at the last record of the chunk, as far as the records since the reader was
    /// started tell.
    pub(super) clock: Instant,
}

/// The chunk that is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    /// The first offset that a scope has not folded, and the offset before which the chunk ends.
    pub(super) range: (i64, i64),
    /// The largest number of records that it keeps.
    pub(super) most: usize,
    /// Whether the partition waits for it.
    pub(super) waits: bool,
}

/// A record, and the clock that the partition had there.
#[derive(Debug)]
pub(super) struct Recalled {
    pub(super) item: Item,
    pub(super) clock: Instant,
}

/// A schema that a record needs, requested from the registry.
#[derive(Debug)]
struct Lookup {
    id: u32,
    request: JoinSet<Result<(), DecodeError>>,
}

impl Recall {
    pub(super) const fn new(shared: Arc<Context>, partition: i32, retry: Retry) -> Self {
        Self {
            shared,
            partition,
            retry,
            reader: None,
            lookup: None,
            records: Vec::new(),
            from: 0,
            to: 0,
            clock: Instant::MIN,
        }
    }

    /// Stops reading, and forgets what was read.
    pub(super) fn rest(&mut self) {
        self.reader = None;
        self.begin(0);
    }

    fn begin(&mut self, from: i64) {
        self.records.clear();
        (self.from, self.to, self.clock) = (from, from, Instant::MIN);
    }

    /// Returns whether the log is being read.
    pub(super) const fn is_reading(&self) -> bool {
        self.reader.is_some()
    }

    /// Returns whether the next record waits for the registry.
    pub(super) const fn is_asking(&self) -> bool {
        self.lookup.is_some()
    }

    /// Waits until the log was read further; for ever where nothing reads.
    pub(super) async fn readable(&mut self, head: i64) {
        match &mut self.reader {
            Some(reader) => reader.readable(head).await,
            None => std::future::pending().await,
        }
    }

    /// Reads the next chunk, once every scope has passed the last one. Returns whether anything was read.
    pub(super) async fn read(
        &mut self,
        chunk: Chunk,
        classifier: &Classifier,
        projector: &mut Projector,
    ) -> Result<bool, TaskExit> {
        let (first, end) = chunk.range;
        if self.reader.as_ref().is_none_or(LogReader::has_ended) || first < self.from {
            let (from, partition) = (first, self.partition);
            tracing::info!(partition, from, "reading the log again");
            self.reader = Some(LogReader::start(&self.shared, partition, from));
            self.begin(from);
        }
        if first < self.to {
            return Ok(false);
        }
        if chunk.waits {
            drop(time::timeout(READ_WITHIN, self.readable(end)).await);
        }
        self.records.clear();
        self.from = self.to;
        let times = self.take(&projector.folder, classifier, chunk)?;
        self.set_clocks(&times, projector).await?;
        Ok(self.to > self.from)
    }

    /// Takes the records of a chunk. Returns the offset and the time of each.
    fn take(
        &mut self,
        folder: &Folder,
        classifier: &Classifier,
        chunk: Chunk,
    ) -> Result<Vec<(i64, Instant)>, TaskExit> {
        let mut times = Vec::new();
        let (end, most) = (chunk.range.1, chunk.most);
        while times.len() < most * READ_PER_KEPT && self.records.len() < most {
            let Some(reader) = &mut self.reader else {
                break;
            };
            let record = match reader.take(end) {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(_) => return Err(gone(&self.shared.topic, self.partition, reader.position())),
            };
            let (offset, time) = (record.offset, self.shared.clock.time_of(record.timestamp));
            let Some(classification) = self.classify(&record, time, classifier) else {
                if let Some(reader) = &mut self.reader {
                    reader.put_back(record);
                }
                break;
            };
            times.push((offset, time));
            if concerns_deferred(folder, &classification) {
                let item = Item {
                    record,
                    appended_at: time,
                    is_redriven: false,
                    classification,
                };
                self.records.push(Recalled { item, clock: time });
            }
        }
        self.to = self.reader.as_ref().map_or(self.to, LogReader::position);
        Ok(times)
    }

    /// Returns the classification of a record; `None` while the registry is asked for its schema.
    fn classify(
        &mut self,
        record: &Record,
        time: Instant,
        classifier: &Classifier,
    ) -> Option<Classification> {
        match classifier.classify_cached(record, time) {
            Ok(classification) => Some(classification),
            Err(id) => match self.look_up(id)? {
                Ok(()) => classifier.classify_cached(record, time).ok(),
                Err(unusable) => Some(Classification::Park(park_undecoded(unusable))),
            },
        }
    }

    /// Returns the registry's answer about a schema; `None` while it is asked. An unavailable registry is asked
    /// again after a while, and nothing waits for it but what catches up.
    fn look_up(&mut self, id: u32) -> Option<Result<(), DecodeError>> {
        if let Some(asked) = self.lookup.as_mut().filter(|lookup| lookup.id == id) {
            match asked.request.try_join_next() {
                None => return None,
                Some(Ok(Err(DecodeError::RegistryUnavailable(_))) | Err(_)) => {}
                Some(Ok(answer)) => {
                    self.lookup = None;
                    return Some(answer);
                }
            }
        }
        let context = Arc::clone(&self.shared);
        let mut request = JoinSet::new();
        request.spawn(async move {
            let answer = context.decoder.fetch(id).await;
            if matches!(answer, Err(DecodeError::RegistryUnavailable(_))) {
                time::sleep(LOOKUP_EVERY).await;
            }
            answer
        });
        self.lookup = Some(Lookup { id, request });
        None
    }

    /// Gives each record the clock that the partition had there: the latest time up to it, unless another is
    /// kept for the record.
    async fn set_clocks(
        &mut self,
        times: &[(i64, Instant)],
        projector: &mut Projector,
    ) -> Result<(), TaskExit> {
        let mut marks = Vec::new();
        if projector.folder.has_clock_marks() && !times.is_empty() {
            // The newest may be part of the commit in flight.
            projector.settle().await?;
            let store = &self.shared.store;
            let load = || store.load_clock_marks(self.partition, self.from, self.to);
            marks = self.retry.until_available(load).await?;
        }
        let mut records = self.records.iter_mut().peekable();
        for ((offset, time), clock) in times.iter().zip(clocks(self.clock, times, &marks)) {
            self.clock = clock;
            if let Some(recalled) = records.next_if(|it| it.item.record.offset == *offset) {
                recalled.clock = clock;
                recalled.item.appended_at = clock.min(*time);
            }
        }
        Ok(())
    }
}

/// Returns the clock that the partition had at each record, by the records' offsets and times and the clocks
/// kept, both in the order of offsets; `before` is the clock at the record before them. Linear.
pub(in crate::engine) fn clocks(
    before: Instant,
    times: &[(i64, Instant)],
    kept: &[(i64, Instant)],
) -> Vec<Instant> {
    let mut kept = kept.iter().peekable();
    let clock_at = |before: &mut Instant, (offset, time): &(i64, Instant)| {
        *before = match kept.next_if(|(at, _)| at == offset) {
            Some((_, clock)) => *clock,
            None => (*before).max(*time),
        };
        Some(*before)
    };
    times.iter().scan(before, clock_at).collect()
}

/// Returns whether a record may belong to a deferred scope.
fn concerns_deferred(folder: &Folder, classification: &Classification) -> bool {
    match classification {
        Classification::Fold(event) => folder.deferrals().cover(&event.key()),
        // The partition has published it again, and has parked what names no tenant.
        Classification::Forward(_) => false,
        Classification::Park(_) => true,
    }
}

fn gone(topic: &str, partition: i32, position: i64) -> TaskExit {
    TaskExit::Failed(ProcessorError::DeferredTrimmed {
        topic: topic.to_owned(),
        partition,
        wanted: position,
    })
}

//! Publishes or prints the events that [`crate::import`] makes of a file's rows.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tidemark_schemas::Instant;

use crate::import::{Mapping, events};
use crate::kafka::events::EventSink;
use crate::output;
use crate::progress::Progress;

/// A file to import, and its mapping.
#[derive(Debug)]
pub(crate) struct Import<R> {
    pub(crate) mapping: Mapping,
    pub(crate) file: R,
    /// The size in bytes, where known.
    pub(crate) size: Option<u64>,
    /// The instant after which events are left out.
    pub(crate) until: Option<Instant>,
}

/// The outcomes of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) rows: u64,
    /// The number of events accepted by the broker.
    pub(crate) published: u64,
    /// The number of events left out because of their time.
    pub(crate) later: u64,
    /// The number of rows that are no events.
    pub(crate) bad: u64,
    /// The number of events that the broker did not accept.
    pub(crate) undelivered: u64,
}

/// Prints every event as a line of JSON. Blocks.
pub(crate) fn dry_run<R: Read>(import: Import<R>) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    for_each_event(import, &mut summary, |_, event| {
        output::line(event.to_json());
        Ok(Ok(()))
    })?;
    Ok(summary)
}

/// Publishes every event and waits for the outcome of each. Blocks.
pub(crate) fn publish<R: Read>(import: Import<R>, mut sink: EventSink) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    for_each_event(import, &mut summary, |line, event| {
        Ok(sink
            .publish(line, event)?
            .map_err(|undelivered| undelivered.reason))
    })?;
    let deliveries = sink.finish();
    for undelivered in &deliveries.undelivered {
        output::note(format!("line {}: {}", undelivered.line, undelivered.reason));
    }
    summary.published = deliveries.delivered;
    summary.undelivered += deliveries.undelivered.len() as u64;
    Ok(summary)
}

fn for_each_event<R: Read>(
    import: Import<R>,
    summary: &mut Summary,
    mut handle: impl FnMut(u64, &tidemark_schemas::CustomerEvent) -> anyhow::Result<Result<(), String>>,
) -> anyhow::Result<()> {
    let mut progress = Progress::start("rows", import.size);
    let read = Arc::new(AtomicU64::new(0));
    let file = Counted {
        inner: import.file,
        read: Arc::clone(&read),
    };
    for event in events(&import.mapping, file)? {
        summary.rows += 1;
        progress.advance(read.load(Ordering::Relaxed));
        match event {
            Ok((_, event)) if import.until.is_some_and(|until| event.occurred_at > until) => {
                summary.later += 1;
            }
            Ok((line, event)) => {
                if let Err(reason) = handle(line, &event)? {
                    summary.undelivered += 1;
                    progress.note(format!("line {line}: {reason}"));
                }
            }
            Err(bad) => {
                summary.bad += 1;
                progress.note(bad.to_string());
            }
        }
    }
    progress.finish();
    Ok(())
}

/// Counts bytes as they are read.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

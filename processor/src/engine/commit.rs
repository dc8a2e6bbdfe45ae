//! A batch on its way into the database.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::context::{Context, RETRY, TaskExit};
use crate::error::ProcessorError;
use crate::memory::MemoryReservation;
use crate::store::{Batch, Committed, StoreError};

/// A commit under way.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) batch: u64,
    pub(super) next_offset: i64,
    pub(super) handle: JoinHandle<Result<Committed, TaskExit>>,
    pub(super) sent: std::time::Instant,
    /// The batch was as large as it might be.
    pub(super) full: bool,
    /// Its rows, in the budget until it has landed.
    pub(super) _reservation: MemoryReservation,
}

/// Waits for the commit in flight; never returns without one.
pub(super) async fn finished(in_flight: &mut Option<InFlight>) -> Result<Committed, TaskExit> {
    let Some(in_flight) = in_flight else {
        return std::future::pending().await;
    };
    match (&mut in_flight.handle).await {
        Ok(outcome) => outcome,
        Err(error) => Err(TaskExit::Failed(ProcessorError::Internal(
            error.to_string(),
        ))),
    }
}

/// Commits a batch, however long the database is away, unless the partition is given up.
pub(super) async fn commit(
    shared: Arc<Context>,
    batch: Batch,
    stop: CancellationToken,
) -> Result<Committed, TaskExit> {
    let metrics = &shared.metrics;
    let started = std::time::Instant::now();
    loop {
        match shared.store.commit(&shared.topic, &batch).await {
            Ok(committed) => {
                if committed == Committed::Yes {
                    metrics.commits.inc();
                    metrics
                        .commit_seconds
                        .observe(started.elapsed().as_secs_f64());
                    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
                    metrics
                        .commit_customers
                        .observe(batch.rows.customers.len() as f64);
                    let changes: usize =
                        batch.rows.changes.iter().map(|set| set.changes.len()).sum();
                    metrics.changes.inc_by(changes as u64);
                    if let Some(kept) = shared.kept.get() {
                        kept.push(batch);
                    }
                }
                return Ok(committed);
            }
            Err(StoreError::Unavailable(error)) => {
                metrics.waits.with_label_values(&["database"]).inc();
                tracing::warn!(partition = batch.partition, %error, "waiting for the database");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = stop.cancelled() => return Err(TaskExit::Stopped),
            () = time::sleep(RETRY) => {}
        }
    }
}

//! Requests of a partition that are repeated while a server is unavailable: such a fault pauses a
//! partition, and never parks an event.

use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::context::{Context, TaskExit};
use crate::store::StoreError;

/// The pause before a request to the database or the registry is repeated.
const PAUSE: Duration = Duration::from_millis(250);

/// Repeats the requests of one partition until they are answered, or until it is given up.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    shared: Arc<Context>,
    partition: i32,
    stop: CancellationToken,
}

impl Retry {
    pub(super) fn new(shared: Arc<Context>, partition: i32, stop: CancellationToken) -> Self {
        Self {
            shared,
            partition,
            stop,
        }
    }

    /// Repeats a request while the database is unavailable. Other errors, and a stop, end it.
    pub(super) async fn until_available<T, F>(
        &self,
        mut request: impl FnMut() -> F,
    ) -> Result<T, TaskExit>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match request().await {
                Err(error @ StoreError::Unavailable(_)) => self.pause("database", &error).await?,
                answer => return Ok(answer?),
            }
        }
    }

    /// Waits for something that a stop cuts short.
    pub(super) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, TaskExit> {
        tokio::select! {
            () = self.stop.cancelled() => Err(TaskExit::Stopped),
            done = work => Ok(done),
        }
    }

    /// Logs and counts an unavailable server, and waits before the request is repeated.
    pub(super) async fn pause(
        &self,
        server: &str,
        reason: &(dyn std::error::Error + Sync),
    ) -> Result<(), TaskExit> {
        let waits = &self.shared.metrics.waits;
        waits.with_label_values(&[server]).inc();
        tracing::warn!(partition = self.partition, %reason, "waiting for the {server}");
        let progress = &self.shared.progress;
        progress.note_wait(self.partition, std::time::Instant::now());
        self.unless_stopped(time::sleep(PAUSE)).await
    }
}

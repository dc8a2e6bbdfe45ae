//! The guard: limits of size, concurrency and time, and isolation of panics, for each request.
//!
//! Every request runs in a task of its own. If the client disconnects or the request times out,
//! only the wait for the task ends. The work itself continues to its end (soon, by the statement
//! timeout) and returns its database connection in order.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use prometheus::IntGauge;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use super::metrics::HttpMetrics;
use super::problem::Problem;

/// The limits that a guard enforces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuardLimits {
    /// The size of a request's body, in bytes.
    pub(crate) body_bytes: usize,
    /// The number of requests in progress.
    pub(crate) concurrent_requests: usize,
    /// The time until a request is answered 503.
    pub(crate) request_timeout: Duration,
}

/// Runs requests within limits. Cheap to clone: every clone shares the same limits.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    limits: GuardLimits,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    metrics: HttpMetrics,
}

impl Guard {
    pub(crate) fn new(limits: GuardLimits, metrics: HttpMetrics) -> Self {
        Self {
            limits,
            permits: Arc::new(Semaphore::new(limits.concurrent_requests)),
            tasks: TaskTracker::new(),
            metrics,
        }
    }

    /// The tasks of requests, also of those whose client is gone.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    #[cfg(test)]
    pub(crate) fn metrics(&self) -> &HttpMetrics {
        &self.metrics
    }

    /// Returns a problem if the declared length of the body exceeds the limit.
    pub(crate) fn check_length(&self, request: &Request) -> Result<(), Problem> {
        if declared_length(request) > self.limits.body_bytes as u64 {
            return Err(Problem::too_large(self.limits.body_bytes));
        }
        Ok(())
    }

    /// Waits for a step before the work; 503 if it takes as long as a request may.
    pub(crate) async fn within_time<T>(
        &self,
        step: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let result = tokio::time::timeout(self.limits.request_timeout, step).await;
        result.unwrap_or_else(|_| Err(self.timed_out()))
    }

    fn timed_out(&self) -> Problem {
        self.metrics.timed_out.inc();
        Problem::retryable("timed-out", "Request timed out", "the answer took too long")
    }

    /// Runs a request; a problem if it exceeds a limit or panics.
    pub(crate) async fn run<F>(
        &self,
        request: Request,
        work: impl FnOnce(Request) -> F,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        self.check_length(&request)?;
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.metrics.shed.inc();
            return Err(Problem::retryable(
                "overloaded",
                "Too many concurrent requests",
                "too many requests are in progress",
            ));
        };
        let in_flight = InFlight::new(&self.metrics.in_flight);
        let work = work(request);
        let work = async move {
            let response = work.await;
            drop((permit, in_flight)); // held by the work, not by the wait for it
            response
        };
        let task = self.tasks.spawn(work.instrument(Span::current()));
        match tokio::time::timeout(self.limits.request_timeout, task).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => Err(Problem::internal(panic_message(error))),
            Err(_) => Err(self.timed_out()),
        }
    }
}

/// Returns the declared length of the body. A body of undeclared length is limited while it is
/// read, by [`axum::extract::DefaultBodyLimit`].
fn declared_length(request: &Request) -> u64 {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

fn panic_message(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else {
        return "the request's task was cancelled".to_owned();
    };
    let message = payload.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| payload.downcast_ref::<&str>().copied());
    format!("panicked: {}", message.unwrap_or("without a message"))
}

/// Counts a request as in progress until dropped.
struct InFlight(IntGauge);

impl InFlight {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

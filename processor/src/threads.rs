//! Threads of our own, beside the runtime's: librdkafka's calls block, and may hang.
//!
//! A panic on any of them is an error like any other. It is returned before anything that the
//! thread owned is dropped: dropping a consumer may hang, and a process that waits for it would look
//! alive.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::error::ProcessorError;

/// Starts a named thread.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ProcessorError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| ProcessorError::Internal(error.to_string()))
}

/// Runs blocking work on a thread of its own, which may outlive the runtime: a runtime's blocking
/// pool would wait at its end for a call that hangs.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProcessorError> + Send + 'static,
) -> Result<T, ProcessorError> {
    let (sender, receiver) = oneshot::channel();
    drop(spawn("tidemark-kafka", move || {
        drop(sender.send(catch("Kafka", work)));
    })?);
    receiver
        .await
        .unwrap_or_else(|_| Err(panicked("Kafka", "without a message")))
}

/// Runs the work of a thread; a panic becomes an error. What `work` borrows is not dropped yet.
pub(crate) fn catch<T>(
    name: &str,
    work: impl FnOnce() -> Result<T, ProcessorError>,
) -> Result<T, ProcessorError> {
    // Nothing is read after a panic but to end in good order.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let error = panicked(name, message(&*panic));
        tracing::error!(%error, "ending the process");
        Err(error)
    })
}

/// Waits for a thread to end.
pub(crate) fn join<T>(
    name: &str,
    thread: JoinHandle<Result<T, ProcessorError>>,
) -> Result<T, ProcessorError> {
    thread
        .join()
        .unwrap_or_else(|panic| Err(panicked(name, message(&*panic))))
}

fn panicked(name: &str, message: &str) -> ProcessorError {
    ProcessorError::Internal(format!("the {name} thread panicked: {message}"))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_on_a_thread_is_an_error_that_names_it() {
        let ended = run(|| -> Result<(), ProcessorError> { panic!("of {}", "cause") }).await;
        let error = ended.expect_err("the work panics").to_string();
        assert_eq!(error, "internal: the Kafka thread panicked: of cause");
    }
}

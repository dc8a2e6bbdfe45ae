//! The runtime of what all tests of a run share, which outlives the runtime of each test.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// Returns a runtime that lives until the process ends.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    })
}

/// Runs a future on that runtime and waits for it, from inside or outside of another runtime.
pub(crate) fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    runtime().spawn(async move {
        let value = future.await;
        // The receiver is gone only if the waiting test panicked.
        drop(sender.send(value));
    });
    receiver
        .recv()
        .expect("the shared future ended without a panic")
}

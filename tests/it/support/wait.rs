//! Waits for a condition with a deadline, in place of sleeping.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Blocks until the condition holds.
#[track_caller]
pub(crate) fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < deadline, "waited {deadline:?} for {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Waits until `answer` succeeds. At the deadline, panics with its last error.
pub(crate) async fn wait_for<T>(
    deadline: Duration,
    what: &str,
    mut answer: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let begun = Instant::now();
    loop {
        match answer().await {
            Ok(value) => return value,
            Err(error) => {
                assert!(
                    begun.elapsed() < deadline,
                    "waited {deadline:?} for {what}: {error}"
                );
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

//! Waiting on a condition, with a deadline: tests never sleep for luck.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Blocks until the condition holds.
#[track_caller]
pub(crate) fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < deadline,
            "waited {deadline:?} in vain for {what}"
        );
        std::thread::sleep(PAUSE);
    }
}

/// Waits until the answer is there; on giving up, says what the last refusal was.
pub(crate) async fn wait_for<T>(
    deadline: Duration,
    what: &str,
    mut answer: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let begun = Instant::now();
    loop {
        match answer().await {
            Ok(value) => return value,
            Err(refusal) => {
                assert!(
                    begun.elapsed() < deadline,
                    "waited {deadline:?} in vain for {what}: {refusal}"
                );
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

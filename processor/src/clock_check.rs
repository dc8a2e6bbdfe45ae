//! A check of this host's clock against those of Postgres and of the brokers. A clock that is ahead would
//! fire timers before their time, for good: while clocks differ, those of idle partitions stand still.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tidemark_schemas::Instant;

use crate::clock::WallClock;
use crate::metrics::Metrics;
use crate::store::{Database, StoreError};

/// The interval of the check.
const EVERY: Duration = Duration::from_secs(5);
/// The largest difference of two clocks that counts as none, in microseconds.
const TOLERANCE: i64 = 2_000_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct ClockCheck {
    database: Database,
    clock: WallClock,
    metrics: Metrics,
    differs: AtomicBool,
    /// The latest append time that a broker gave a record, in microseconds.
    appended_at: AtomicI64,
}

impl ClockCheck {
    /// Returns a check of the clock; a fixed one is never compared.
    pub(crate) fn new(database: Database, clock: WallClock, metrics: Metrics) -> Self {
        Self {
            database,
            clock,
            metrics,
            differs: AtomicBool::new(false),
            appended_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Returns whether the clocks of idle partitions may follow this host's clock.
    pub(crate) fn is_sound(&self) -> bool {
        !self.differs.load(Ordering::Relaxed)
    }

    /// Notes the time of a record that a broker appended.
    pub(crate) fn note_appended(&self, at: Instant) {
        self.appended_at.fetch_max(at.micros(), Ordering::Relaxed);
    }

    /// Compares the clocks once.
    pub(crate) async fn compare(&self) -> Result<(), StoreError> {
        if self.clock.is_fixed() {
            return Ok(());
        }
        let before = self.clock.now();
        let theirs = self.database.clock().await?;
        let now = self.clock.now();
        // A record may be old, but it is not from the future.
        let appended_at = self.appended_at.load(Ordering::Relaxed);
        let behind_kafka = now.micros().saturating_sub(appended_at).min(0);
        self.note(difference(before, theirs, now), behind_kafka);
        Ok(())
    }

    /// Compares the clocks from time to time.
    pub(crate) async fn follow(&self) -> Infallible {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.compare().await {
                tracing::debug!(%error, "the clocks were not compared");
            }
        }
    }

    fn note(&self, postgres: i64, kafka: i64) {
        let differences = [("postgres", postgres), ("kafka", kafka)];
        for (server, difference) in differences {
            let gauge = &self.metrics.clock_difference;
            gauge.with_label_values(&[server]).set(difference / 1_000);
        }
        let differs = differences.iter().any(|(_, it)| it.abs() > TOLERANCE);
        if self.differs.swap(differs, Ordering::Relaxed) == differs {
            return;
        }
        if differs {
            tracing::error!(
                ahead_of_postgres_ms = postgres / 1_000,
                ahead_of_kafka_ms = kafka / 1_000,
                "this host's clock differs from that of a server: timers of partitions without new \
                 events wait until the clocks agree. Correct the clock of the host or of the server"
            );
        } else {
            tracing::info!("this host's clock agrees with those of the servers again");
        }
    }
}

/// Returns by how much this host's clock is ahead of another, read between two readings of ours: nothing
/// while the other lies between them.
fn difference(before: Instant, theirs: Instant, after: Instant) -> i64 {
    let (least, most) = (
        before.micros() - theirs.micros(),
        after.micros() - theirs.micros(),
    );
    match (least > 0, most < 0) {
        (true, _) => least,
        (_, true) => most,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_is_what_the_time_of_the_answer_does_not_explain() {
        let at = |second: i64| Instant::from_millis_clamped(second * 1_000);
        assert_eq!(difference(at(10), at(12), at(14)), 0);
        assert_eq!(difference(at(10), at(7), at(14)), 3_000_000);
        assert_eq!(difference(at(10), at(19), at(14)), -5_000_000);
    }
}

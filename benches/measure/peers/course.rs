//! The rate at which positions of the topic are committed to Postgres.

use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::measure::site::Place;

const POLL_EVERY: Duration = Duration::from_millis(50);
const STALLED: Duration = Duration::from_mins(2);

/// Events per second by committed positions, from the first commit on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// The rate over the histories.
    pub(super) load: f64,
    /// The rate over the events after them.
    pub(super) live: f64,
    /// The rate over both.
    pub(super) whole: f64,
}

#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    position: i64,
}

impl Mark {
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    fn rate_to(self, later: Self) -> f64 {
        (later.position - self.position) as f64 / (later.at - self.at).as_secs_f64()
    }
}

/// Follows a run to the end of the topic. `positions` selects a row for each partition.
pub(super) async fn follow(
    place: &Place,
    positions: &'static str,
    mut check: impl FnMut(),
) -> Course {
    let pool = place.pool().await;
    let (mut first, mut loaded) = (None, None);
    let mut last = Mark {
        at: Instant::now(),
        position: 0,
    };
    let course = loop {
        check();
        let by_partition = poll(&pool, positions).await;
        let mark = Mark {
            at: Instant::now(),
            position: by_partition.iter().sum(),
        };
        if mark.position != last.position {
            last = mark;
            first.get_or_insert(mark);
        }
        if reached(&by_partition, &place.load_ends_at) {
            loaded.get_or_insert(mark);
        }
        if let (Some(first), Some(loaded)) = (first, loaded)
            && reached(&by_partition, &place.ends_at)
        {
            break Course {
                load: first.rate_to(loaded),
                live: loaded.rate_to(mark),
                whole: first.rate_to(mark),
            };
        }
        let waited = mark.at - last.at;
        assert!(waited < STALLED, "stalled at {by_partition:?}");
        tokio::time::sleep(POLL_EVERY).await;
    };
    pool.close().await;
    course
}

fn reached(positions: &[i64], ends: &[i64]) -> bool {
    positions.len() == ends.len() && positions.iter().zip(ends).all(|(at, end)| at >= end)
}

/// Returns no positions while the table does not exist: Kafka Streams creates its own.
async fn poll(pool: &PgPool, positions: &'static str) -> Vec<i64> {
    sqlx::query_scalar(positions)
        .fetch_all(pool)
        .await
        .unwrap_or_default()
}

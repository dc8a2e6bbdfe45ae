//! The processor on a filled topic: the rate of committed positions, and the memory.

use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::PgPool;
use tidemark_processor::clock::WallClock;

use super::arguments::Size;
use super::events::{Events, HISTORY};
use super::publish::Filler;
use super::site::{Child, Place, Servers};
use crate::it::support::read;
use crate::it::support::registry::Registry;

const POLL_EVERY: Duration = Duration::from_millis(50);
const STALLED: Duration = Duration::from_mins(2);

/// A run of the processor.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Run {
    pub(crate) events_per_second: f64,
    pub(crate) peak_rss_bytes: u64,
}

/// Publishes the history of every customer, and returns the rate of publishing.
pub(crate) async fn publish_histories(servers: &Servers, place: &mut Place, size: &Size) {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let mut filler = Filler::new(
        servers.kafka,
        &place.topic,
        encoder,
        Duration::from_millis(50),
    );
    let mut events = Events::new(size, WallClock::System.now());
    let customers = size.customers;
    tokio::task::spawn_blocking(move || {
        for customer in 0..customers {
            for event in events.history(customer) {
                filler.send(&event);
            }
        }
        filler.finish();
    })
    .await
    .unwrap();
    place.load_events = u64::from(customers) * HISTORY as u64;
    place.load_ends_at = ends(servers, place);
    place.ends_at.clone_from(&place.load_ends_at);
}

/// Publishes the events after the histories.
pub(crate) async fn publish_live(servers: &Servers, place: &mut Place, size: &Size) {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let mut filler = Filler::new(
        servers.kafka,
        &place.topic,
        encoder,
        Duration::from_millis(50),
    );
    // Other random numbers than those of the histories.
    let seed = size.seed + 1;
    let mut events = Events::new(&Size { seed, ..*size }, WallClock::System.now());
    let count = size.events;
    tokio::task::spawn_blocking(move || {
        for _ in 0..count {
            filler.send(&events.live());
        }
        filler.finish();
    })
    .await
    .unwrap();
    place.live_events += count as u64;
    place.ends_at = ends(servers, place);
}

fn ends(servers: &Servers, place: &Place) -> Vec<i64> {
    let ends = read::ends(servers.kafka, &place.topic);
    ends.into_iter().map(|(_, end)| end).collect()
}

/// Runs `tidemark process` until everything before `ends` is committed.
pub(crate) async fn run(place: &Place, memory_mib: u64, ends: &[i64]) -> Run {
    let mut child = Child::start(place, memory_mib, &["process"]);
    let pool = place.pool().await;
    let events_per_second = rate(&pool, ends, || child.assert_running()).await;
    pool.close().await;
    let peak_rss_bytes = child.peak_rss_bytes();
    child.terminate();
    Run {
        events_per_second,
        peak_rss_bytes,
    }
}

/// Returns the events per second from the first commit seen until all before `ends` are committed.
pub(crate) async fn rate(pool: &PgPool, ends: &[i64], mut check: impl FnMut()) -> f64 {
    let mut last_moved = Instant::now();
    let mut first: Option<(Instant, i64)> = None;
    let mut seen: i64 = positions(pool).await.iter().sum();
    loop {
        let at = positions(pool).await;
        let now = Instant::now();
        let sum: i64 = at.iter().sum();
        if sum != seen {
            (seen, last_moved) = (sum, now);
            first.get_or_insert((now, sum));
        }
        if at.len() == ends.len() && at.iter().zip(ends).all(|(at, end)| at >= end) {
            let (begun, from) = first.expect("something was committed while polling");
            #[expect(clippy::cast_precision_loss, reason = "a few million")]
            return (sum - from) as f64 / (now - begun).as_secs_f64();
        }
        check();
        assert!(now - last_moved < STALLED, "stalled at {at:?} of {ends:?}");
        tokio::time::sleep(POLL_EVERY).await;
    }
}

async fn positions(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar("select next_offset from gen_1.progress order by partition")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// A run over the histories and the events after them, without a stop between.
pub(crate) struct WholeRun {
    pub(crate) load_events_per_second: f64,
    pub(crate) live_events_per_second: f64,
    pub(crate) peak_rss_bytes: u64,
}

/// Runs `tidemark process` from the beginning of the topic to its end.
pub(crate) async fn whole_topic(place: &Place, memory_mib: u64) -> WholeRun {
    let mut child = Child::start(place, memory_mib, &["process"]);
    let pool = place.pool().await;
    let load_events_per_second = rate(&pool, &place.load_ends_at, || child.assert_running()).await;
    let live_events_per_second = rate(&pool, &place.ends_at, || child.assert_running()).await;
    pool.close().await;
    let peak_rss_bytes = child.peak_rss_bytes();
    child.terminate();
    WholeRun {
        load_events_per_second,
        live_events_per_second,
        peak_rss_bytes,
    }
}

//! The delay from publishing an event to its row in Postgres, under a steady stream.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgPool};
use tidemark_processor::clock::WallClock;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::it::support::registry::Registry;
use crate::measure::arguments::Size;
use crate::measure::events::Events;
use crate::measure::publish::Filler;
use crate::measure::site::{Place, Servers};

const EVENTS_PER_SECOND: u32 = 5_000;
/// One event in so many is of a new customer, which is searched for.
const PROBE_EVERY: u32 = 50;
/// The time for the JVM to compile the code and for caches to fill.
const WARM_UP: Duration = Duration::from_secs(15);
/// The most by which events are published early: a timer for each would cost what is measured.
const AHEAD: Duration = Duration::from_millis(2);
const POLL_EVERY: Duration = Duration::from_millis(5);
const LOST: Duration = Duration::from_mins(1);

/// The time until rows were visible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delay {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// A published customer, with the time of publishing.
type Probe = (String, Instant);

/// Publishes for some seconds, and searches for the rows in a table.
pub(super) async fn measure(
    servers: &Servers,
    place: &Place,
    size: &Size,
    seconds: u32,
    table: &'static str,
) -> Delay {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let filler = Filler::new(
        servers.kafka,
        &place.topic,
        encoder,
        Duration::from_millis(5),
    );
    let (sender, receiver) = unbounded_channel();
    let size = *size;
    let publisher = tokio::task::spawn_blocking(move || publish(filler, &size, seconds, &sender));
    let pool = place.pool().await;
    let mut delays = poll(&pool, table, receiver).await;
    pool.close().await;
    publisher.await.unwrap();
    delays.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| delays[(delays.len() * percent / 100).min(delays.len() - 1)];
    Delay {
        p50_ms: at(50),
        p99_ms: at(99),
    }
}

fn publish(mut filler: Filler, size: &Size, seconds: u32, probes: &UnboundedSender<Probe>) {
    let seed = size.seed + 2;
    let mut events = Events::new(&Size { seed, ..*size }, WallClock::System.now());
    let begun = Instant::now();
    let warm = u32::try_from(WARM_UP.as_secs()).unwrap();
    for number in 0..EVENTS_PER_SECOND * (warm + seconds) {
        let due = begun + Duration::from_secs(1) / EVENTS_PER_SECOND * number;
        let early = due.saturating_duration_since(Instant::now());
        if early > AHEAD {
            std::thread::sleep(early);
        }
        if number % PROBE_EVERY != 0 {
            filler.send(&events.live());
            continue;
        }
        let event = events.sign_up(size.customers + number);
        filler.send(&event);
        if begun.elapsed() > WARM_UP {
            let customer = event.customer_id.as_str().to_owned();
            // The other side ends with this one.
            drop(probes.send((customer, Instant::now())));
        }
    }
    filler.finish();
}

/// Searches for each announced customer until the stream ends; returns the milliseconds of each.
async fn poll(
    pool: &PgPool,
    table: &'static str,
    mut announced: UnboundedReceiver<Probe>,
) -> Vec<f64> {
    let sql = format!(
        "select customer_id from {table} where customer_id = any ($1) \
                       and tenant_id in ('tenant-0', 'tenant-1', 'tenant-2', 'tenant-3')"
    );
    let mut waiting: BTreeMap<String, Instant> = BTreeMap::new();
    let mut delays = Vec::new();
    let mut open = true;
    while open || !waiting.is_empty() {
        if waiting.is_empty() {
            match announced.recv().await {
                Some((customer, at)) => drop(waiting.insert(customer, at)),
                None => open = false,
            }
        }
        while let Ok((customer, at)) = announced.try_recv() {
            waiting.insert(customer, at);
        }
        let customers: Vec<&String> = waiting.keys().collect();
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .bind(customers)
            .fetch_all(pool)
            .await
            .unwrap();
        for customer in found {
            let at = waiting.remove(&customer).unwrap();
            delays.push(at.elapsed().as_secs_f64() * 1_000.0);
        }
        let lost = waiting.values().any(|at| at.elapsed() > LOST);
        assert!(!lost, "an event is not visible");
        tokio::time::sleep(POLL_EVERY).await;
    }
    delays
}

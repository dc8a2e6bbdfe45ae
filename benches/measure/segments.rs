//! A tenant with a hundred segments: their cost on a live stream, and a change of definitions under a
//! stream.

use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::PgPool;
use tidemark_processor::clock::WallClock;

use super::arguments::Size;
use super::events::Events;
use super::live;
use super::publish::Filler;
use super::site::{Child, Place, Servers, quiesce};
use crate::it::support::read;
use crate::it::support::registry::Registry;
use crate::it::support::wait::wait_for;

const SEGMENTS: usize = 100;
/// The rate of the stream while definitions change.
const EVENTS_PER_SECOND: u32 = 2_000;
/// The most by which events are published early.
const AHEAD: Duration = Duration::from_millis(5);
const POLL_EVERY: Duration = Duration::from_millis(250);
/// The time before the change, and after all customers are re-evaluated.
const STEADY: Duration = Duration::from_secs(15);
const TOO_LONG: Duration = Duration::from_mins(5);

/// The measurements.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Segments {
    pub(crate) customers: u32,
    /// Live events per second without segments, and with a hundred of five conditions.
    pub(crate) none_events_per_second: f64,
    pub(crate) hundred_events_per_second: f64,
    pub(crate) ratio: f64,
    pub(crate) redefinition: Redefinition,
    pub(crate) memory_budget_bytes: u64,
}

/// A change of definitions under a stream of [`EVENTS_PER_SECOND`].
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Redefinition {
    /// The time from applying the definitions until all customers are re-evaluated.
    pub(crate) seconds: f64,
    /// The most events not folded yet: before the change, and while customers are re-evaluated.
    pub(crate) most_lag_before: i64,
    pub(crate) most_lag: i64,
    /// The maximum resident memory of the processor.
    pub(crate) peak_rss_bytes: u64,
}

/// Measures both, on the histories of all customers.
pub(crate) async fn measure(servers: &Servers, size: &Size) -> Segments {
    let size = Size {
        tenants: 1,
        ..*size
    };
    let none = live_rate(servers, "bench_none", &definitions(0, 0), &size).await;
    let hundred = live_rate(servers, "bench_hundred", &definitions(SEGMENTS, 0), &size).await;
    let redefinition = redefine(servers, &hundred.1, &size).await;
    Segments {
        customers: size.customers,
        none_events_per_second: none.0.round(),
        hundred_events_per_second: hundred.0.round(),
        ratio: (hundred.0 / none.0 * 100.0).round() / 100.0,
        redefinition,
        memory_budget_bytes: size.memory_mib * 1024 * 1024,
    }
}

async fn live_rate(
    servers: &Servers,
    database: &str,
    definitions: &str,
    size: &Size,
) -> (f64, Place) {
    let mut place = servers.site_of(database, size.customers, definitions).await;
    live::publish_histories(servers, &mut place, size).await;
    rest(&place, size).await;
    live::publish_live(servers, &mut place, size).await;
    let pool = place.pool().await;
    quiesce(&pool).await;
    pool.close().await;
    let run = live::run(&place, size.memory_mib, &place.ends_at).await;
    (run.events_per_second, place)
}

/// Folds the histories, and fires the timers due since.
async fn rest(place: &Place, size: &Size) {
    let mut child = Child::start(place, size.memory_mib, &["process"]);
    let pool = place.pool().await;
    live::rate(&pool, &place.load_ends_at, || child.assert_running()).await;
    let due = "select count(*) from gen_1.timer
        where due_at < extract(epoch from now() - interval '1 minute') * 1000000";
    wait_for(TOO_LONG, "what is due", async || {
        child.assert_running();
        let due: i64 = sqlx::query_scalar(due).fetch_one(&pool).await.unwrap();
        if due == 0 {
            Ok(())
        } else {
            Err(due.to_string())
        }
    })
    .await;
    pool.close().await;
    child.terminate();
}

/// Publishes steadily, changes every tenth segment and adds one, and polls until all customers are
/// re-evaluated.
async fn redefine(servers: &Servers, place: &Place, size: &Size) -> Redefinition {
    let mut child = Child::start(place, size.memory_mib, &["process"]);
    let pool = place.pool().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let publishing = publish_until(servers, place, size, stopped);
    let polling = async {
        // Joining the group takes seconds, and the backlog has to be folded first.
        largest_lag(servers, place, &pool, STEADY, || child.assert_running()).await;
        let most_lag_before =
            largest_lag(servers, place, &pool, STEADY, || child.assert_running()).await;
        let begun = Instant::now();
        let text = definitions(SEGMENTS, 1);
        let applying = place.clone();
        let applied = tokio::task::spawn_blocking(move || applying.define(&text));
        let mut most_lag = 0;
        while !is_evaluated(&pool).await {
            assert!(begun.elapsed() < TOO_LONG, "customers are not re-evaluated");
            most_lag = most_lag.max(
                largest_lag(servers, place, &pool, POLL_EVERY, || child.assert_running()).await,
            );
        }
        let seconds = begun.elapsed().as_secs_f64();
        applied.await.unwrap();
        most_lag = most_lag
            .max(largest_lag(servers, place, &pool, STEADY, || child.assert_running()).await);
        drop(stop);
        Redefinition {
            seconds: seconds.round(),
            most_lag_before,
            most_lag,
            peak_rss_bytes: child.peak_rss_bytes(),
        }
    };
    let ((), measured) = tokio::join!(publishing, polling);
    pool.close().await;
    child.terminate();
    measured
}

async fn publish_until(
    servers: &Servers,
    place: &Place,
    size: &Size,
    mut stopped: tokio::sync::oneshot::Receiver<()>,
) {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let linger = Duration::from_millis(5);
    let mut filler = Filler::new(servers.kafka, &place.topic, encoder, linger);
    let seed = size.seed + 3;
    let mut events = Events::new(&Size { seed, ..*size }, WallClock::System.now());
    let begun = Instant::now();
    for number in 0.. {
        let due = begun + Duration::from_secs(1) / EVENTS_PER_SECOND * number;
        let early = due.saturating_duration_since(Instant::now());
        if early > AHEAD {
            tokio::time::sleep(early).await;
        }
        filler.send(&events.live());
        if stopped.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Closed) {
            break;
        }
    }
    tokio::task::spawn_blocking(move || filler.finish())
        .await
        .unwrap();
}

/// Publishes for some time, and returns the largest lag seen.
async fn largest_lag(
    servers: &Servers,
    place: &Place,
    pool: &PgPool,
    time: Duration,
    mut check: impl FnMut(),
) -> i64 {
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < time {
        check();
        let (kafka, topic) = (servers.kafka, place.topic.clone());
        let ends = tokio::task::spawn_blocking(move || read::ends(kafka, &topic)).await;
        let end: i64 = ends.unwrap().iter().map(|(_, end)| end).sum();
        let folded = "select sum(next_offset)::bigint from gen_1.progress";
        let folded: i64 = sqlx::query_scalar(folded).fetch_one(pool).await.unwrap();
        most = most.max(end - folded);
        tokio::time::sleep(POLL_EVERY.min(time)).await;
    }
    most
}

/// Whether every partition has re-evaluated its customers under the newest definitions.
async fn is_evaluated(pool: &PgPool) -> bool {
    let done = "select count(*) = (select count(*) from gen_1.progress)
        from gen_1.reevaluation where done and version > 0";
    sqlx::query_scalar(done).fetch_one(pool).await.unwrap()
}

/// Returns the definitions of a tenant with a number of segments of five conditions each, over orders,
/// the profile, activity, the journey, or all of them; another `shift` gives other bounds.
fn definitions(segments: usize, shift: usize) -> String {
    let mut text = String::from(
        "tenant: { id: tenant-0, zone: Europe/Berlin, currency: EUR, rates: { USD: '0.92' } }\n\
         journeys:\n  - { name: sales, stages: [lead, trial, customer] }\n",
    );
    if segments > 0 {
        text.push_str("segments:\n");
    }
    for number in 0..segments {
        let n = if number % 10 == 0 {
            number + shift
        } else {
            number
        };
        text.push_str(&segment(number, n));
    }
    if segments > 0 && shift > 0 {
        text.push_str("  - { name: added, when: { attribute: { name: plan, eq: pro } } }\n");
    }
    text
}

/// As with real segments, few customers cross a bound with one event: bounds lie apart, and the
/// conditions on the profile rarely change.
fn segment(number: usize, n: usize) -> String {
    const COUNTRIES: [&str; 6] = ["DE", "FR", "PL", "ES", "US", "JP"];
    let country = COUNTRIES[n % COUNTRIES.len()];
    let (level, days) = (1 + n / 5, 40 + n);
    let condition = match number % 5 {
        0 => format!(
            "all: [ {{ orders: {{ count: {{ gte: {level} }} }} }}, {{ orders: {{ revenue: {{ gte: \
             {level}00 }} }} }}, {{ orders: {{ revenue: {{ gte: {level}0 }}, within: {days}d }} }}, {{ \
             orders: {{ average: {{ gte: 5 }} }} }}, {{ churn: {{ risk: {{ lt: 0.9 }} }} }} ]"
        ),
        1 => format!(
            "all: [ {{ attribute: {{ name: country, eq: {country} }} }}, {{ attribute: {{ name: \
             score, gt: {level} }} }}, {{ attribute: {{ name: newsletter, eq: true }} }}, {{ attribute: \
             {{ name: language, starts_with: de }} }}, {{ attribute: {{ name: country, has_been_for: \
             {days}d }} }} ]"
        ),
        2 => format!(
            "any: [ {{ event: {{ name: page_viewed, count: {{ gte: {level}0 }}, within: {days}d }} }}, \
             {{ event: {{ name: signed_in, count: {{ gte: {level}0 }}, within: {days}d }} }}, {{ event: \
             {{ name: signed_in, count: {{ gte: {level}5 }} }} }}, {{ event: {{ name: page_viewed, \
             count: {{ gte: {level}5 }} }} }}, {{ event: {{ name: page_viewed, between: [2020-01-01, \
             2020-12-31] }} }} ]"
        ),
        3 => format!(
            "all: [ {{ attribute: {{ name: country, eq: {country} }} }}, {{ attribute: {{ name: \
             score, lt: {level} }} }}, {{ stage: {{ journey: sales, is: customer }} }}, {{ stage: {{ \
             journey: sales, reached: trial }} }}, {{ stage: {{ journey: sales, is: customer, in_for: \
             {days}d }} }} ]"
        ),
        _ => format!(
            "all: [ {{ orders: {{ count: {{ gte: {level} }} }} }}, {{ attribute: {{ name: country, eq: \
             {country} }} }}, {{ event: {{ name: page_viewed, count: {{ gte: 1 }}, within: {days}d }} \
             }}, {{ not: {{ stage: {{ journey: sales, is: lead }} }} }}, {{ conversation: {{ within: \
             {days}d, count: {{ gte: 1 }} }} }} ]"
        ),
    };
    format!("  - {{ name: segment{number:02}, when: {{ {condition} }} }}\n")
}

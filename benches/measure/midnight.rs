//! A midnight at which very many customers are due, under a steady stream of events of others: the time
//! until these are visible before it, while its timers fire, and after it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Serialize;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::event::StageEntered;
use tidemark_schemas::{CustomerEvent, CustomerId, EventId, Instant as Moment, Payload};
use uuid::Uuid;

use super::arguments::Size;
use super::events::{self, TENANTS};
use super::publish::Filler;
use super::site::{Child, Place, Servers};
use super::stream::{self, Probe, Stream, Visible};
use super::{live, site};
use crate::it::support::read;
use crate::it::support::registry::Registry;

const EVENTS_PER_SECOND: u32 = 2_000;
/// The number of customers of the stream, none of whom is due.
const OTHERS: u32 = 100_000;
const HOURS: i64 = 48;
/// The time before the midnight that is measured, and the time after its last timer.
const STEADY: Duration = Duration::from_secs(30);
/// The time for folding the backlog of a stream that has just begun.
const WARM_UP: Duration = Duration::from_secs(10);
const FIRED: &str = "select min(fired_to) >= $1 from gen_1.progress";
const TOO_LONG: Duration = Duration::from_mins(30);

/// The measurements.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Midnight {
    customers_due: u32,
    events_per_second: u32,
    /// The time until events were visible that were published before it, while its timers fired, and
    /// after the last of them.
    before: Visible,
    during: Visible,
    after: Visible,
    /// The time until all timers had fired.
    timers_seconds: f64,
    timers_per_second: f64,
    memory_budget_bytes: u64,
    peak_rss_bytes: u64,
}

/// Measures a midnight of all customers, so many seconds from now.
pub(crate) async fn measure(servers: &Servers, size: &Size, due_after: u32) -> Midnight {
    let due = WallClock::System
        .now()
        .plus_micros(i64::from(due_after) * 1_000_000);
    let place = servers
        .site_of("bench_midnight", size.customers, &definitions())
        .await;
    publish_due(servers, &place, size.customers, due).await;
    let mut processor = Child::start(&place, size.memory_mib, &["process"]);
    let pool = place.pool().await;
    let ends = read::ends(servers.kafka, &place.topic).into_iter();
    let ends: Vec<i64> = ends.map(|(_, end)| end).collect();
    let rate = live::rate(&pool, &ends, || processor.assert_running()).await;
    site::quiesce(&pool).await;
    eprintln!("folded at {rate:.0}/s");
    let left = until(due).checked_sub(STEADY + WARM_UP);
    tokio::time::sleep(left.expect("folded in time: raise --due-after")).await;

    let (api, address) = stream::serve(&place, size.memory_mib, &mut processor).await;
    let fired = stream::watch(pool, FIRED, due.micros());
    let at_midnight = Instant::now() + until(due);
    let probes = publish_others(servers, &place, size, address, &fired).await;
    let all_fired = *fired.get().expect("the stream ends after the last timer");
    let steady = at_midnight.checked_sub(STEADY).unwrap();
    let of = |from, to| stream::visible(&probes, from, to);
    let took = (all_fired - at_midnight).as_secs_f64();
    let peak_rss_bytes = processor.peak_rss_bytes();
    processor.terminate();
    api.terminate();
    Midnight {
        customers_due: size.customers,
        events_per_second: EVENTS_PER_SECOND,
        before: of(Some(steady), Some(at_midnight)),
        during: of(Some(at_midnight), Some(all_fired)),
        after: of(Some(all_fired), None),
        timers_seconds: took.round(),
        timers_per_second: (f64::from(size.customers) / took).round(),
        memory_budget_bytes: size.memory_mib * 1024 * 1024,
        peak_rss_bytes,
    }
}

fn until(due: Moment) -> Duration {
    let left = due.micros() - WallClock::System.now().micros();
    Duration::from_micros(u64::try_from(left).unwrap_or(0))
}

fn definitions() -> String {
    let tenants = (0..TENANTS).map(|number| {
        format!(
            "tenant: {{ id: tenant-{number}, zone: Europe/Berlin, currency: EUR, \
             rates: {{ USD: '0.92' }} }}\nsegments:\n  - name: stuck\n    \
             when: {{ stage: {{ journey: sales, is: lead, in_for: {HOURS}h }} }}\n\
             journeys:\n  - {{ name: sales, stages: [lead, trial, customer] }}\n"
        )
    });
    tenants.collect::<Vec<_>>().join("---\n")
}

/// Publishes an event of each customer, by which it is due at this instant.
async fn publish_due(servers: &Servers, place: &Place, customers: u32, due: Moment) {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let linger = Duration::from_millis(50);
    let mut filler = Filler::new(servers.kafka, &place.topic, encoder, linger);
    let occurred_at = due.plus_micros(-HOURS * 3_600_000_000);
    let fill = move || {
        for number in 0..customers {
            filler.send(&CustomerEvent {
                event_id: EventId(Uuid::new_v4()),
                tenant_id: events::tenant(number % TENANTS),
                customer_id: CustomerId::new(format!("due-{number:07}")).unwrap(),
                source: "crm".into(),
                occurred_at,
                payload: Payload::StageEntered(StageEntered {
                    journey: "sales".into(),
                    stage: "lead".into(),
                }),
            });
        }
        filler.finish();
    };
    tokio::task::spawn_blocking(fill).await.unwrap();
}

/// Publishes events of others until a while after all timers have fired.
async fn publish_others(
    servers: &Servers,
    place: &Place,
    size: &Size,
    address: String,
    fired: &OnceLock<Instant>,
) -> Vec<Probe> {
    let others = Size {
        customers: OTHERS,
        ..*size
    };
    let mut stream = Stream::new(servers, place, &others, address).await;
    let begun = Instant::now();
    let is_done = || {
        assert!(begun.elapsed() < TOO_LONG, "the timers do not all fire");
        fired.get().is_some_and(|at| at.elapsed() >= STEADY)
    };
    stream.run(EVENTS_PER_SECOND, is_done).await;
    let probes = stream.probes().await;
    stream.finish();
    probes
}

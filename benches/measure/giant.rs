//! One customer with millions of events beside all others: the pace of folding without it, with it under
//! the default bound, and with it under a bound so large that its state grows.

use serde::Serialize;
use sqlx::PgPool;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::{CustomerEvent, CustomerId, EventId};
use uuid::Uuid;

use super::arguments::Size;
use super::events::Events;
use super::live;
use super::publish::Filler;
use super::site::{Place, Servers, quiesce};
use crate::it::support::read;
use crate::it::support::registry::Registry;

/// The largest bound that definitions may set.
const UNBOUNDED_KIB: u32 = 65_536;
/// The share of the events that the run without a bound has: it takes long.
const UNBOUNDED_SHARE: usize = 10;

/// The measurements.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Giant {
    pub(crate) customers: u32,
    /// Events per second over the others' live events alone.
    pub(crate) without: Pace,
    /// The same with the large customer among them, under the default bound.
    pub(crate) bounded: Pace,
    /// The same with a tenth of its events, under the largest bound.
    pub(crate) unbounded: Pace,
}

/// A run.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Pace {
    /// The events of the large customer.
    pub(crate) giant_events: usize,
    pub(crate) events_per_second: f64,
    /// The bytes of the large customer's state at the end.
    pub(crate) giant_bytes: i64,
    pub(crate) parked: i64,
}

/// Measures all three, on the histories of all customers.
pub(crate) async fn measure(servers: &Servers, size: &Size, giant_events: usize) -> Giant {
    let size = &Size {
        tenants: 1,
        ..*size
    };
    let fewer = giant_events / UNBOUNDED_SHARE;
    Giant {
        customers: size.customers,
        without: pace(servers, size, 0, None).await,
        bounded: pace(servers, size, giant_events, None).await,
        unbounded: pace(servers, size, fewer, Some(UNBOUNDED_KIB)).await,
    }
}

async fn pace(servers: &Servers, size: &Size, giant_events: usize, kib: Option<u32>) -> Pace {
    let bound = kib.map_or_else(String::new, |kib| format!(", max_customer_kib: {kib}"));
    let definitions = format!(
        "tenant: {{ id: tenant-0, zone: Europe/Berlin, currency: EUR{bound} }}\n\
         segments:\n  - {{ name: buyers, when: {{ orders: {{ count: {{ gte: 3 }} }} }} }}\n"
    );
    let name = "bench_giant";
    let mut place = servers.site_of(name, size.customers, &definitions).await;
    live::publish_histories(servers, &mut place, size).await;
    live::run(&place, size.memory_mib, &place.load_ends_at).await;
    publish(servers, &mut place, size, giant_events).await;
    let pool = place.pool().await;
    quiesce(&pool).await;
    let run = live::run(&place, size.memory_mib, &place.ends_at).await;
    let found = Pace {
        giant_events,
        events_per_second: run.events_per_second.round(),
        giant_bytes: number(
            &pool,
            "select coalesce(max(length(state)), 0)::bigint from gen_1.customer
             where customer_id = 'giant'",
        )
        .await,
        parked: number(&pool, "select count(*) from gen_1.parked").await,
    };
    pool.close().await;
    eprintln!("{found:?}");
    found
}

async fn number(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Publishes live events of all customers, and evenly between them those of the large one.
async fn publish(servers: &Servers, place: &mut Place, size: &Size, giant_events: usize) {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let linger = std::time::Duration::from_millis(50);
    let mut filler = Filler::new(servers.kafka, &place.topic, encoder, linger);
    let seed = size.seed + 1;
    let mut events = Events::new(&Size { seed, ..*size }, WallClock::System.now());
    let others = size.events;
    tokio::task::spawn_blocking(move || {
        let mut sent = 0;
        for number in 1..=others {
            filler.send(&events.live());
            while sent < giant_events * number / others {
                sent += 1;
                filler.send(&of_giant(events.live()));
            }
        }
        filler.finish();
    })
    .await
    .unwrap();
    place.live_events = (others + giant_events) as u64;
    let ends = read::ends(servers.kafka, &place.topic);
    place.ends_at = ends.into_iter().map(|(_, end)| end).collect();
}

/// Returns the event as one of the large customer.
fn of_giant(event: CustomerEvent) -> CustomerEvent {
    CustomerEvent {
        customer_id: CustomerId::new("giant").unwrap(),
        event_id: EventId(Uuid::new_v4()),
        ..event
    }
}

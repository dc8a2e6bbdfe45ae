//! A tenant that is halted, very many events of it that wait, and its return beside others: the time
//! until the others' events are visible, the growth of the database, and what the tenant holds in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::PgPool;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::{CustomerEvent, Payload, TenantId};

use super::arguments::Size;
use super::events::{self, Events};
use super::live;
use super::publish::Filler;
use super::site::{Child, Place, Servers, quiesce};
use super::stream::{self, Stream, Visible};
use crate::it::support::read;
use crate::it::support::registry::Registry;
use crate::it::support::wait::wait_for;

/// The number of the halted tenant; those before it are its neighbours.
const HALTED: u32 = 3;
/// The customers of the halted tenant.
const CUSTOMERS: u32 = 50_000;
/// The invalid events that halt it, the first 200 of each partition.
const INVALID: usize = 1_200;
/// The rate of the neighbours' events.
const EVENTS_PER_SECOND: u32 = 2_000;
const WARM_UP: Duration = Duration::from_secs(15);
/// The time for which the neighbours are measured while the tenant is halted, and after its return.
const STEADY: Duration = Duration::from_secs(30);
const TOO_LONG: Duration = Duration::from_mins(20);
const CAUGHT_UP: &str = "select count(*) = $1 from gen_1.deferral";
/// Every change up to an instant, and of every other row the customer, the content, and when it was last
/// evaluated.
const CHANGES: &str =
    "select id::text from gen_1.change where tenant_id = $1 and effective_at <= $2";
const CUSTOMER_ROWS: &str = "
    with members as (
        select customer_id, string_agg(concat_ws(' ', segment, since), ',' order by segment) as rows
        from gen_1.membership where tenant_id = $1 group by customer_id
    ), positions as (
        select customer_id, string_agg(concat_ws(' ', journey, stage, since), ',' order by journey) as rows
        from gen_1.position where tenant_id = $1 group by customer_id
    )
    select c.customer_id, c.evaluated_at, md5(concat(
        row(c.state, c.tracked, c.evaluated, c.band, c.value_minor, c.first_seen_at, c.last_seen_at),
        members.rows, positions.rows))
    from gen_1.customer c
    left join members using (customer_id)
    left join positions using (customer_id)
    where c.tenant_id = $1";
/// Sums over customers and events.
const SUMS: &str = "
    select concat_ws(' ', kind, name, partition) as name, value::text from gen_1.counter
    where tenant_id = $1 and value <> 0
    union all
    select concat_ws(' ', kind, subject, day, item, detail, currency, partition), value::text
    from gen_1.rollup where tenant_id = $1 and value <> 0
    union all
    select 'digest ' || partition, concat_ws(' ', customers, events, digest) from gen_1.digest
    where tenant_id = $1";

/// The measurements.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Halted {
    events_waiting: usize,
    neighbours_per_second: u32,
    /// The bytes by which the database grew while those events were passed over.
    database_grew_bytes: i64,
    /// The time until the neighbours' events were visible while the tenant was halted, while it caught
    /// up, and after it.
    visible_while_waiting: Visible,
    visible_while_catching_up: Visible,
    visible_after: Visible,
    catching_up_seconds: f64,
    /// The customers of the tenant that hold what a fold holds that never halted it, and those that time
    /// changed between the two.
    customers_equal: usize,
    customers_moved_by_time: usize,
    peak_rss_bytes: u64,
}

/// Measures a tenant with so many events that wait.
pub(crate) async fn measure(servers: &Servers, size: &Size, events_waiting: usize) -> Halted {
    let neighbours = &Size {
        tenants: HALTED,
        ..*size
    };
    let mut place = servers.site("bench_halted", size.customers).await;
    live::publish_histories(servers, &mut place, neighbours).await;
    let mut processor = Child::start(&place, size.memory_mib, &["process"]);
    let pool = place.pool().await;
    reach(servers, &mut place, &pool, &mut processor).await;
    publish(servers, &place, size, INVALID, invalid).await;
    reach(servers, &mut place, &pool, &mut processor).await;
    quiesce(&pool).await;
    let before = database_bytes(&pool).await;
    publish(servers, &place, size, events_waiting, |event| event).await;
    reach(servers, &mut place, &pool, &mut processor).await;
    quiesce(&pool).await;
    let database_grew_bytes = database_bytes(&pool).await - before;
    eprintln!("halted; the database grew by {database_grew_bytes} bytes");

    let (api, address) = stream::serve(&place, size.memory_mib, &mut processor).await;
    let mut stream = Stream::new(servers, &place, neighbours, address).await;
    stream.run_for(EVENTS_PER_SECOND, WARM_UP).await;
    stream.probes().await;
    stream.run_for(EVENTS_PER_SECOND, STEADY).await;
    let halted = stream::visible(&stream.probes().await, None, None);
    eprintln!("{halted:?}");
    let (resumed, done) = catch_up(&place, &pool, &mut stream).await;
    stream.run_for(EVENTS_PER_SECOND, STEADY).await;
    let probes = stream.probes().await;
    stream.finish();
    reach(servers, &mut place, &pool, &mut processor).await;
    let peak_rss_bytes = processor.peak_rss_bytes();
    processor.terminate();
    api.terminate();
    let visible_while_catching_up = stream::visible(&probes, Some(resumed), Some(done));
    let visible_after = stream::visible(&probes, Some(done), None);
    eprintln!(
        "{visible_while_catching_up:?}, after it {visible_after:?}; folding again to compare"
    );
    let (customers_equal, customers_moved_by_time) = compare(servers, &place, &pool, size).await;
    pool.close().await;
    Halted {
        events_waiting,
        neighbours_per_second: EVENTS_PER_SECOND,
        database_grew_bytes,
        visible_while_waiting: halted,
        visible_while_catching_up,
        visible_after,
        catching_up_seconds: (done - resumed).as_secs_f64().round(),
        customers_equal,
        customers_moved_by_time,
        peak_rss_bytes,
    }
}

fn tenant() -> TenantId {
    events::tenant(HALTED)
}

/// Returns the event as an invalid order.
fn invalid(event: CustomerEvent) -> CustomerEvent {
    let Payload::OrderPlaced(mut order) = event.payload else {
        return event;
    };
    order.amount_minor = -1;
    CustomerEvent {
        payload: Payload::OrderPlaced(order),
        ..event
    }
}

/// Publishes events of the tenant: with `change`, orders alone.
async fn publish(
    servers: &Servers,
    place: &Place,
    size: &Size,
    count: usize,
    change: fn(CustomerEvent) -> CustomerEvent,
) {
    let encoder = Registry::shared().encoder(&place.topic).await;
    let linger = Duration::from_millis(50);
    let mut filler = Filler::new(servers.kafka, &place.topic, encoder, linger);
    let size = Size {
        customers: CUSTOMERS,
        tenants: 1,
        seed: size.seed + 3,
        ..*size
    };
    let mut events = Events::new(&size, WallClock::System.now());
    let orders_alone = count == INVALID;
    let fill = move || {
        let mut sent = 0;
        while sent < count {
            let event = events.live();
            let is_order = matches!(event.payload, Payload::OrderPlaced(_));
            if orders_alone && !is_order {
                continue;
            }
            filler.send(&change(CustomerEvent {
                tenant_id: tenant(),
                ..event
            }));
            sent += 1;
        }
        filler.finish();
    };
    tokio::task::spawn_blocking(fill).await.unwrap();
}

/// Waits until everything that was published is folded or passed over.
async fn reach(servers: &Servers, place: &mut Place, pool: &PgPool, processor: &mut Child) {
    let ends = read::ends(servers.kafka, &place.topic).into_iter();
    place.ends_at = ends.map(|(_, end)| end).collect();
    fold_to_ends(place, pool, processor).await;
}

/// Waits until everything before the ends of a place is folded or passed over.
async fn fold_to_ends(place: &Place, pool: &PgPool, processor: &mut Child) {
    let end: i64 = place.ends_at.iter().sum();
    let folded = "select coalesce(sum(next_offset), 0)::bigint from gen_1.progress";
    wait_for(TOO_LONG, "the end of the topic", async || {
        processor.assert_running();
        match number(pool, folded).await {
            reached if reached == end => Ok(()),
            reached => Err(format!("{reached} of {end}")),
        }
    })
    .await;
}

async fn number(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

async fn database_bytes(pool: &PgPool) -> i64 {
    number(pool, "select pg_database_size(current_database())").await
}

/// Resumes the tenant under the stream; returns when, and when it had caught up in every partition.
async fn catch_up(place: &Place, pool: &PgPool, stream: &mut Stream) -> (Instant, Instant) {
    let partitions = number(pool, "select count(*) from gen_1.deferral").await;
    assert_eq!(partitions, i64::from(place.partitions), "it is halted");
    let place = place.clone();
    let resuming = tokio::task::spawn_blocking(move || resume(&place));
    let resumed = Instant::now();
    let caught_up = stream::watch(pool.clone(), CAUGHT_UP, 0);
    let is_done = || {
        assert!(resumed.elapsed() < TOO_LONG, "the tenant does not catch up");
        caught_up.get().is_some()
    };
    stream.run(EVENTS_PER_SECOND, is_done).await;
    resuming.await.unwrap();
    (resumed, *caught_up.get().unwrap())
}

/// Resumes the tenant until it has caught up: its invalid events halt it again on the way.
fn resume(place: &Place) {
    let tenant = tenant();
    let resume = ["deferred", "resume", "--tenant", tenant.as_str()];
    let resume = [&resume[..], &["--apply", "--wait", "5"]].concat();
    let begun = Instant::now();
    while !place.try_run(&resume).status.success() {
        assert!(begun.elapsed() < TOO_LONG, "the tenant does not catch up");
    }
}

/// Folds the topic into another database that never halts the tenant, and asserts that the tenant has the
/// same rows in both; returns the numbers of customers that are equal, and of those that are not compared
/// since time changed them after the first fold had ended.
async fn compare(servers: &Servers, place: &Place, pool: &PgPool, size: &Size) -> (usize, usize) {
    let other = servers.another_database(place, "bench_never_halted").await;
    let never = ["--set", "processor.halt_minimum=1000000000", "process"];
    let mut processor = Child::start(&other, size.memory_mib, &never);
    let other_pool = other.pool().await;
    fold_to_ends(&other, &other_pool, &mut processor).await;
    let fired_to = "select min(fired_to) from gen_1.progress";
    let until = number(pool, fired_to).await;
    wait_for(TOO_LONG, "the timers", async || {
        match number(&other_pool, fired_to).await {
            reached if reached >= until => Ok(()),
            reached => Err(reached.to_string()),
        }
    })
    .await;
    processor.terminate();
    for database in [pool, &other_pool] {
        // Nothing has analyzed the database that was just filled.
        sqlx::query("analyze").execute(database).await.unwrap();
    }

    let (found, wanted) = (customers(pool).await, customers(&other_pool).await);
    assert_eq!(found.len(), wanted.len(), "customers");
    let is_moved = |(_, (evaluated_at, _)): &(&String, &(i64, String))| *evaluated_at > until;
    let moved: BTreeSet<&String> = found
        .iter()
        .chain(&wanted)
        .filter(is_moved)
        .map(|it| it.0)
        .collect();
    let differing = found
        .keys()
        .filter(|id| !moved.contains(id) && found[*id] != wanted[*id]);
    assert_eq!(differing.count(), 0, "customers differ");
    assert_eq!(
        changes(pool, until).await,
        changes(&other_pool, until).await,
        "changes differ"
    );
    if moved.is_empty() {
        assert_eq!(sums(pool).await, sums(&other_pool).await, "sums differ");
    }
    other_pool.close().await;
    (found.len() - moved.len(), moved.len())
}

async fn customers(pool: &PgPool) -> BTreeMap<String, (i64, String)> {
    let rows = sqlx::query_as(CUSTOMER_ROWS).bind(tenant().to_string());
    let rows: Vec<(String, i64, String)> = rows.fetch_all(pool).await.unwrap();
    rows.into_iter()
        .map(|(id, at, row)| (id, (at, row)))
        .collect()
}

async fn changes(pool: &PgPool, until: i64) -> BTreeSet<String> {
    let ids = sqlx::query_scalar(CHANGES)
        .bind(tenant().to_string())
        .bind(until);
    let ids: Vec<String> = ids.fetch_all(pool).await.unwrap();
    assert!(!ids.is_empty(), "no changes to compare");
    ids.into_iter().collect()
}

async fn sums(pool: &PgPool) -> BTreeMap<String, String> {
    let rows = sqlx::query_as(SUMS).bind(tenant().to_string());
    let rows: Vec<(String, String)> = rows.fetch_all(pool).await.unwrap();
    rows.into_iter().collect()
}

//! Runs the parts, in order.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::arguments::{Arguments, Distribution, Part, Size};
use super::report::{Measurements, Uniform};
use super::site::{Place, Servers, quiesce};
use super::{api, consume, giant, halted, live, micro, midnight, peers, replay, segments, visible};

const API_SECONDS: u64 = 10;
const MIB: u64 = 1024 * 1024;
/// The number of customers for parts that need only a few.
const FEW: u32 = 10_000;

/// Runs the parts selected by the arguments.
pub(crate) async fn run(arguments: Arguments) {
    let size = arguments.size;
    match &arguments.part {
        None => {
            let measurements = everything(&size).await;
            measurements.print();
            if arguments.json {
                println!("{}", measurements.json());
            }
        }
        Some(Part::Micro) => println!("{}", json!(micro::measure(size.seed))),
        Some(Part::Topic) => topic(&size).await,
        Some(Part::Live { site }) => live_alone(&size, site).await,
        Some(Part::Visible) => {
            let (servers, mut place) = small(&size).await;
            live::publish_live(&servers, &mut place, &size).await;
            let run = live::run(&place, size.memory_mib, &place.ends_at).await;
            let live = run.events_per_second;
            let delay = visible::measure(&servers, &place, &size, live).await;
            println!("{}", json!(delay));
            servers.stop().await;
        }
        Some(Part::Segments) => {
            let servers = Servers::start().await;
            let segments = segments::measure(&servers, &size).await;
            println!("{}", json!(segments));
            servers.stop().await;
        }
        Some(Part::Midnight { due_after }) => {
            let servers = Servers::start().await;
            let midnight = midnight::measure(&servers, &size, *due_after).await;
            println!("{}", json!(midnight));
            servers.stop().await;
        }
        Some(Part::Halted { events_waiting }) => {
            let servers = Servers::start().await;
            let halted = halted::measure(&servers, &size, *events_waiting).await;
            println!("{}", json!(halted));
            servers.stop().await;
        }
        Some(Part::Giant { giant_events }) => {
            let servers = Servers::start().await;
            let giant = giant::measure(&servers, &size, *giant_events).await;
            println!("{}", json!(giant));
            servers.stop().await;
        }
        Some(Part::Peers(peers)) => peers::run(&size, peers, arguments.json).await,
        Some(Part::Api) => {
            let (servers, place) = small(&size).await;
            let measurements = api::measure(&place.database_url, API_SECONDS).await;
            println!("{}", json!(measurements));
            servers.stop().await;
        }
        Some(Part::Constant { port, bytes }) => api::serve_constant(*port, *bytes).await,
    }
}

/// Prints progress to stderr, with the time.
fn step(begun: Instant, what: &str) {
    eprintln!("[{:>4} s] {what}", begun.elapsed().as_secs());
}

async fn everything(size: &Size) -> Measurements {
    let begun = Instant::now();
    step(begun, "fold and decode");
    let seed = size.seed;
    let micro = tokio::task::spawn_blocking(move || micro::measure(seed));
    let micro = micro.await.unwrap();
    step(begun, &format!("{micro:.0?}; starting Kafka and Postgres"));
    let servers = Servers::start().await;
    let mut place = servers.site("bench", size.customers).await;
    step(begun, "publishing the customers' histories");
    live::publish_histories(&servers, &mut place, size).await;
    step(begun, "folding them");
    let load = live::run(&place, size.memory_mib, &place.load_ends_at).await;
    step(begun, &format!("{load:.0?}"));
    let state_bytes = settle(&place).await;
    let uniform = uniform(&servers, &mut place, size, begun).await;
    step(begun, "live, customers by Zipf's law");
    let by_zipf = Size {
        distribution: Distribution::Zipf,
        seed: size.seed + 7,
        ..*size
    };
    live::publish_live(&servers, &mut place, &by_zipf).await;
    settle(&place).await;
    let zipf = live::run(&place, size.memory_mib, &place.ends_at).await;
    step(begun, &format!("{zipf:.0?}; publish to visible"));
    settle(&place).await;
    let live = uniform.run.events_per_second;
    let delay = visible::measure(&servers, &place, size, live).await;
    step(begun, &format!("{delay:.0?}; the API"));
    let api = api::measure(&place.database_url, API_SECONDS).await;
    servers.stop().await;
    step(begun, &format!("{api:.2?}"));
    let runs = [load, uniform.run, zipf];
    Measurements {
        micro,
        load_events_per_second: load.events_per_second,
        uniform,
        zipf_events_per_second: zipf.events_per_second,
        state_bytes,
        delay,
        api,
        peak_rss_bytes: runs.iter().map(|run| run.peak_rss_bytes).max().unwrap(),
        memory_budget_bytes: size.memory_mib * MIB,
        customers: size.customers,
    }
}

/// Measures uniformly distributed events with the processor, (a) and (b).
async fn uniform(servers: &Servers, place: &mut Place, size: &Size, begun: Instant) -> Uniform {
    let (mut capture, mut replayed) = (place.clone(), place.clone());
    capture.database_url = servers.copy_database("bench", "bench_capture").await;
    replayed.database_url = servers.copy_database("bench", "bench_replay").await;
    step(begun, "live, customers drawn uniformly");
    let uniform = Size {
        distribution: Distribution::Uniform,
        ..*size
    };
    let from = place.ends_at.clone();
    live::publish_live(servers, place, &uniform).await;
    settle(place).await;
    let topic = place.clone();
    let consume_only = move || consume::events_per_second(&topic, &from, &topic.ends_at);
    let consume_only = tokio::task::spawn_blocking(consume_only).await.unwrap();
    let run = live::run(place, size.memory_mib, &place.ends_at).await;

    step(
        begun,
        &format!("(a) {consume_only:.0}/s, {run:.0?}; the same again, its batches kept"),
    );
    capture.ends_at.clone_from(&place.ends_at);
    settle(&capture).await;
    let captured = replay::capture(&capture, size.memory_mib).await;
    let rows_per_batch = captured.rows_per_batch();
    let again = captured.events_per_second;
    step(begun, &format!("it ran at {again:.0}/s; its batches alone"));
    settle(&replayed).await;
    let upsert_only_rows_per_second = replay::rows_per_second(&replayed, captured).await;
    step(
        begun,
        &format!("(b) {upsert_only_rows_per_second:.0} rows/s"),
    );
    for database in ["bench_capture", "bench_replay"] {
        servers.drop_database(database).await;
    }
    Uniform {
        run,
        consume_only_events_per_second: consume_only,
        upsert_only_rows_per_second,
        rows_per_batch,
    }
}

/// Makes Postgres and the disk write now what they would otherwise write during a measurement: copies
/// of databases alone leave gigabytes to write. Returns the mean size of a customer's state.
async fn settle(place: &Place) -> f64 {
    let pool = place.pool().await;
    let analyze = sqlx::query("vacuum analyze gen_1.customer").execute(&pool);
    analyze.await.unwrap();
    quiesce(&pool).await;
    let mean = sqlx::query_scalar(
        "select coalesce(avg(length(state)), 0)::float8 from gen_1.customer limit 1",
    );
    let bytes = mean.fetch_one(&pool).await.unwrap();
    pool.close().await;
    bytes
}

/// Returns a site with few customers, folded.
async fn small(size: &Size) -> (Servers, Place) {
    let size = Size {
        customers: size.customers.min(FEW),
        ..*size
    };
    let servers = Servers::start().await;
    let mut place = servers.site("bench", size.customers).await;
    live::publish_histories(&servers, &mut place, &size).await;
    live::run(&place, size.memory_mib, &place.load_ends_at).await;
    (servers, place)
}

async fn topic(size: &Size) {
    let servers = Servers::start().await;
    let mut place = servers.site("bench", size.customers).await;
    live::publish_histories(&servers, &mut place, size).await;
    live::publish_live(&servers, &mut place, size).await;
    println!("{}", json!(place));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .unwrap()
        .unwrap();
    servers.stop().await;
}

async fn live_alone(size: &Size, line: &Path) {
    let place: Place = serde_json::from_slice(&fs::read(line).unwrap()).unwrap();
    let begun = Instant::now();
    let run = live::whole_topic(&place, size.memory_mib).await;
    println!(
        "{}",
        json!({
            "load_events_per_second": run.load_events_per_second.round(),
            "live_events_per_second": run.live_events_per_second.round(),
            "peak_rss_bytes": run.peak_rss_bytes,
            "memory_budget_bytes": size.memory_mib * MIB,
            "elapsed_seconds": begun.elapsed().as_secs_f64(),
        })
    );
}

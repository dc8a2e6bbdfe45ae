//! Kafka Streams (`benches/peers/kafka-streams`) beside Tidemark: the same topic, broker, Postgres and
//! cores, one after the other in rounds that swap the order, and their results compared.

use std::path::Path;
use std::time::Instant;

use super::arguments::{PeersArguments, Size};
use super::live;
use super::site::{Child, Place, Servers, quiesce};
use agreement::Agreement;
use course::Course;
use delay::Delay;
use streams::Streams;

mod agreement;
mod course;
mod delay;
mod lines;
mod report;
mod streams;

/// The commit intervals: the longest for the highest throughput, and Streams' default for exactly once
/// for the lowest delay.
const COMMIT_FOR_RATE: u32 = 1_000;
const COMMIT_FOR_DELAY: u32 = 100;
const OURS: &str = "select next_offset from gen_1.progress order by partition";
const THEIRS: &str = "select next_offset from progress order by partition";

/// The run of one system over the whole topic.
#[derive(Debug, Clone, Copy)]
struct Run {
    course: Course,
    peak_rss_bytes: u64,
}

/// The measurements of both systems.
struct Measurements {
    ours: Vec<Run>,
    theirs: Vec<Run>,
    agreements: Vec<Agreement>,
    /// The delays of Tidemark and of Kafka Streams.
    delays: Option<[Delay; 2]>,
    our_lines: usize,
    their_lines: usize,
}

/// Runs the rounds, compares the results and prints the measurements.
pub(crate) async fn run(size: &Size, arguments: &PeersArguments, json: bool) {
    let begun = Instant::now();
    let say = |what: &str| eprintln!("[{:>4} s] {what}", begun.elapsed().as_secs());
    say("starting Kafka and Postgres, filling the topic");
    let servers = Servers::start().await;
    let mut place = servers.site("empty", size.customers).await;
    live::publish_histories(&servers, &mut place, size).await;
    live::publish_live(&servers, &mut place, size).await;

    let (mut ours, mut theirs, mut agreements) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        let (our_place, their_place) = databases(&servers, &place, round).await;
        for turn in 0..2 {
            if (round + turn) % 2 == 1 {
                say(&format!("round {round}: Tidemark"));
                ours.push(run_ours(&our_place, size.memory_mib).await);
            } else {
                say(&format!("round {round}: Kafka Streams"));
                theirs.push(run_theirs(&their_place, &arguments.jars, round).await);
            }
        }
        say("comparing their answers");
        agreements.push(agreement::compare(&our_place, &their_place).await);
        drop_databases(&servers, round).await;
    }
    let delays = match arguments.delay_seconds {
        0 => None,
        seconds => {
            say("from publishing to the row, one after the other");
            quiesce(&place.pool().await).await;
            Some(measure_delays(&servers, &place, size, arguments, seconds).await)
        }
    };
    servers.stop().await;
    say("done");
    let measurements = Measurements {
        ours,
        theirs,
        agreements,
        delays,
        our_lines: lines::ours(),
        their_lines: lines::theirs(),
    };
    measurements.print();
    if json {
        println!("{}", measurements.json(size));
    }
}

/// Creates an empty database for each system of a round.
async fn databases(servers: &Servers, place: &Place, round: u32) -> (Place, Place) {
    let (mut ours, mut theirs) = (place.clone(), place.clone());
    ours.database_url = servers
        .copy_database("empty", &format!("ours_{round}"))
        .await;
    let name = format!("theirs_{round}");
    servers.execute(&format!("create database {name}")).await;
    theirs.database_url = servers.url(&name);
    quiesce(&ours.pool().await).await;
    (ours, theirs)
}

async fn drop_databases(servers: &Servers, round: u32) {
    for name in ["ours", "theirs"] {
        let drop = format!("drop database {name}_{round} with (force)");
        servers.execute(&drop).await;
    }
}

async fn run_ours(place: &Place, memory_mib: u64) -> Run {
    let mut child = Child::start(place, memory_mib, &["process"]);
    let course = course::follow(place, OURS, || child.assert_running()).await;
    let peak_rss_bytes = child.peak_rss_bytes();
    child.terminate();
    Run {
        course,
        peak_rss_bytes,
    }
}

async fn run_theirs(place: &Place, jars: &Path, round: u32) -> Run {
    let application = format!("peer-{round}-{}", place.topic);
    let mut streams = Streams::start(place, jars, &application, COMMIT_FOR_RATE);
    let course = course::follow(place, THEIRS, || streams.assert_running()).await;
    let peak_rss_bytes = streams.peak_rss_bytes();
    streams.stop();
    Run {
        course,
        peak_rss_bytes,
    }
}

/// Measures the delays, each on an empty topic, so that no system has a backlog of the other's.
async fn measure_delays(
    servers: &Servers,
    place: &Place,
    size: &Size,
    arguments: &PeersArguments,
    seconds: u32,
) -> [Delay; 2] {
    let ours = servers.site("ours_delay", size.customers).await;
    let mut child = Child::start(&ours, size.memory_mib, &["process"]);
    let our_delay = delay::measure(servers, &ours, size, seconds, "gen_1.customer").await;
    child.assert_running();
    child.terminate();

    let mut theirs = servers.site("theirs_delay", size.customers).await;
    servers.execute("create database theirs_delay_rows").await;
    theirs.database_url = servers.url("theirs_delay_rows");
    let application = format!("peer-delay-{}", place.topic);
    let mut streams = Streams::start(&theirs, &arguments.jars, &application, COMMIT_FOR_DELAY);
    let their_delay = delay::measure(servers, &theirs, size, seconds, "customer").await;
    streams.assert_running();
    streams.stop();
    [our_delay, their_delay]
}

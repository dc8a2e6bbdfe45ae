//! All faults, one after the other, on three brokers and a separate Postgres with up to four
//! processes: each kind once in `make test`, repeatedly for ten minutes in `make soak`, in a random
//! order each time. Prints a line for each fault. At the very end come those after which the log is another one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom as _;

use super::faults::Fault;
use super::world::{Servers, World};

const SEED: u64 = 20_261_122;

/// The scale of the run.
struct Size {
    /// The duration in which all kinds repeat; without it, each occurs once.
    soak: Option<Duration>,
    customers: u32,
    per_second: usize,
    /// The longest pause between two faults.
    calm_millis: u64,
}

/// Reads the scale from the environment.
fn size() -> Size {
    match std::env::var("TIDEMARK_SOAK_SECONDS") {
        Ok(seconds) => Size {
            soak: Some(Duration::from_secs(seconds.parse().unwrap())),
            customers: 4_000,
            per_second: 1_000,
            calm_millis: 2_000,
        },
        Err(_) => Size {
            soak: None,
            customers: 400,
            per_second: 400,
            calm_millis: 300,
        },
    }
}

/// The number of faults so far by kind, and when the run began.
struct Log {
    begun: Instant,
    counts: BTreeMap<Fault, usize>,
}

impl Log {
    fn line(&self, text: &str) {
        println!("soak {:7.1} s  {text}", self.begun.elapsed().as_secs_f64());
    }

    async fn fault(&mut self, world: &mut World, fault: Fault) {
        let count = world.strike(fault).await;
        *self.counts.entry(fault).or_default() += count;
        let struck = self.begun.elapsed();
        world.caught_up().await;
        let caught_up = self.begun.elapsed().saturating_sub(struck);
        let folded = world.folded().await;
        self.line(&format!(
            "{:<15} {count}  caught up in {:5.1} s, {} events published, {folded} offsets folded, \
             {} processes",
            format!("{fault:?}"),
            caught_up.as_secs_f64(),
            world.published(),
            world.members.len(),
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_processes_servers_and_disks_keep_every_event_exactly_once() {
    // Given two processes that fold a stream of events
    let size = size();
    let mut world = World::own(Servers::start(3), SEED, size.customers).await;
    let mut log = Log {
        begun: Instant::now(),
        counts: BTreeMap::new(),
    };
    world.join();
    world.join();
    world.publish(size.per_second);
    world.all_joined().await;
    world.all_owned().await;

    // When all kinds of faults occur at random moments
    let mut faults = Fault::ALL;
    loop {
        faults.shuffle(&mut world.random);
        for fault in faults {
            log.fault(&mut world, fault).await;
            world.moment(size.calm_millis).await;
        }
        if size.soak.is_none_or(|length| log.begun.elapsed() >= length) {
            break;
        }
    }

    // Then the tables equal a fold in memory of the published events
    let end = world.assert_end(0).await;
    for (fault, count) in &log.counts {
        log.line(&format!("{:<15} {count} in total", format!("{fault:?}")));
    }
    log.line(&format!(
        "{} faults; {} events of {} customers in {} records; {} claims, {} commits; states, \
         digests, memberships, changes and the chain of commits are equal to the fold in memory, \
         nothing parked",
        log.counts.values().sum::<usize>(),
        end.events,
        end.customers,
        end.records,
        end.claims,
        end.commits,
    ));

    // And where the log itself is not the same any more, they end, and a new database is filled
    world.last_acts().await;
    log.line("partitions added and log created again: refused, and folded into a new database");
}

//! A flood by one tenant: the real `tidemark serve` over a real Postgres, with one tenant at fifty
//! times its limit and others just below theirs. No site of another test runs meanwhile, and quiet and
//! flooded seconds alternate, so that what else loads the machine affects both alike.

mod pour;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidemark_api::auth::Role;
use tokio::task::JoinSet;

use self::pour::Pour;
use crate::routes::{shop, world::World};
use crate::support::api::{SECRET, token};
use crate::support::guarded::Guarded;
use crate::support::ports::free_port;
use crate::support::quiet;
use crate::support::wait::wait_for;

/// The requests that each tenant may send in a second, unless `FLOOD_LIMIT` is set. A quiet machine
/// sustains a higher value.
const LIMIT: u32 = 5;
/// The multiple of the limit that the flood aims at, to reach fifty in practice.
const TIMES: u32 = 60;
const OTHERS: u32 = 16;
const SLICE: Duration = Duration::from_secs(1);
/// The start of a slice, in which the slice before may still have an effect.
const SETTLE: Duration = Duration::from_millis(150);
const PAIRS_OF_A_ROUND: usize = 10;
/// The most rounds, each measured by itself: a busy machine gets more attempts to show an undisturbed
/// round, while a limit that does not hold fails in each.
const ROUNDS: usize = 6;

fn limit() -> u32 {
    let said = std::env::var("FLOOD_LIMIT");
    said.map_or(LIMIT, |said| said.parse().expect("a number"))
}

struct Served {
    address: String,
    _process: Guarded,
    _folder: tempfile::TempDir,
}

async fn serve(world: &World) -> Served {
    let limit = limit();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let mut text = format!("[database]\nurl = \"{}\"\n", world.database.url);
    write!(
        text,
        "[api]\nlisten = \"{address}\"\nmetrics_listen = \"127.0.0.1:0\"\n\
         [api.auth]\nhs256_secret = \"{SECRET}\"\n\
         [api.limits]\ntenant_per_second = {limit}\ntenant_burst = {}\n",
        2 * limit
    )
    .unwrap();
    let file = folder.path().join("tidemark.toml");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEMARK_")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(&file).arg("serve");
    let log = folder.path().join("serve.log");
    let mut process = Guarded::spawn(&command, &log, folder.path());
    let ready = format!("http://{address}/readyz");
    wait_for(Duration::from_mins(1), "the API to be ready", async || {
        assert!(process.is_running(), "{}", process.log_tail());
        let answer = reqwest::get(&ready)
            .await
            .map_err(|error| error.to_string())?;
        let is_ready = answer.status().is_success();
        is_ready
            .then_some(())
            .ok_or_else(|| answer.status().to_string())
    })
    .await;
    Served {
        address,
        _process: process,
        _folder: folder,
    }
}

/// Reads a customer of another tenant at a steady pace and returns when each request began and how
/// long it took.
async fn read_steadily(
    address: String,
    tenant: String,
    end: Arc<AtomicBool>,
) -> Vec<(Instant, Duration)> {
    let (client, token) = (reqwest::Client::new(), token(&tenant, Role::Viewer));
    // Slightly slower than the limit.
    let mut pace = tokio::time::interval(Duration::from_millis(1_100) / limit());
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = Vec::new();
    while !end.load(Ordering::Relaxed) {
        pace.tick().await;
        let begun = Instant::now();
        let asked = client.get(format!("http://{address}/v1/customers/ann"));
        let answer = asked.bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{tenant} is within its limit");
        answer.bytes().await.unwrap();
        seen.push((begun, begun.elapsed()));
    }
    seen
}

fn other(number: u32) -> String {
    format!("other-{number}")
}

/// Latencies of the other tenants, in quiet and in flooded slices.
#[derive(Default)]
struct Seen {
    quiet: Vec<Duration>,
    flooded: Vec<Duration>,
}

impl Seen {
    async fn round(&mut self, served: &Served, pour: &Pour) {
        let end = Arc::new(AtomicBool::new(false));
        let mut others = JoinSet::new();
        for number in 0..OTHERS {
            others.spawn(read_steadily(
                served.address.clone(),
                other(number),
                Arc::clone(&end),
            ));
        }
        let begun = Instant::now();
        for slice in 0..2 * PAIRS_OF_A_ROUND {
            pour.open(slice % 2 == 1);
            let until = begun + SLICE * u32::try_from(slice + 1).unwrap();
            tokio::time::sleep_until(until.into()).await;
        }
        pour.open(false);
        end.store(true, Ordering::Relaxed);
        for (at, took) in others.join_all().await.into_iter().flatten() {
            let since = at.saturating_duration_since(begun);
            let within = Duration::from_nanos(u64::from(since.subsec_nanos()));
            // A request that begins at the end of a slice belongs to it, as its wait is caused
            // there.
            if within < SETTLE {
                continue;
            }
            if since.as_secs() % 2 == 1 {
                self.flooded.push(took);
            } else {
                self.quiet.push(took);
            }
        }
    }
}

fn p99(samples: &mut [Duration]) -> Duration {
    samples.sort_unstable();
    samples[samples.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_by_one_tenant_does_not_double_the_p99_of_others() {
    let mut world = World::new().await;
    let tenants = (0..OTHERS).map(other).chain(["flood".to_owned()]);
    for (tenant, number) in tenants.zip(1..) {
        world
            .define(i64::from(number), &shop::definitions(&tenant))
            .await;
        shop::fill(&mut world, &tenant, number * 1_000);
    }
    world.commit(shop::NOW).await;
    let served = serve(&world).await;
    let _quiet = quiet::measure().await;
    let pour = Pour::start(
        &served.address,
        &token("flood", Role::Viewer),
        limit() * TIMES,
    );

    let mut told = Vec::new();
    let mut holds = false;
    while !holds && told.len() < ROUNDS {
        let mut seen = Seen::default();
        seen.round(&served, &pour).await;
        assert!(seen.quiet.len() > 500 && seen.flooded.len() > 500);
        let (quiet, flooded) = (p99(&mut seen.quiet), p99(&mut seen.flooded));
        holds = flooded <= 2 * quiet;
        told.push(format!(
            "p99 of {} quiet requests {quiet:?}, of {} flooded requests {flooded:?}",
            seen.quiet.len(),
            seen.flooded.len()
        ));
    }
    let poured = pour.end();
    println!("{told:?}, {poured:?}");
    assert!(holds, "{told:?}, {poured:?}");
    // The flood reached its rate and was limited.
    let per_second = poured.answered / poured.open.as_secs_f64();
    assert!(per_second >= 50.0 * f64::from(limit()), "{poured:?}");
    assert!(poured.refused > 0.9 * poured.answered, "{poured:?}");
}

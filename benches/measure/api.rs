//! Cached responses of the read API beside axum with a constant response.
//!
//! Both are separate processes, speak HTTP/1.1 over the same kind of sockets, and receive requests of
//! the same client over the same number of keep-alive connections, in turns, so that other load of the
//! machine affects both. The constant has as many bytes as the API's response. The client writes a
//! request, reads the whole response, and checks only status and length; its share of the cores lowers
//! both rates and moves their ratio towards one. The difference is the API's own work: the token, the
//! limits, the key, the versions, the headers, the log.

mod client;
mod constant;
mod token;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use self::client::{Client, Target};
pub(crate) use self::constant::serve as serve_constant;
use self::token::Keys;
use crate::it::support::ports::free_port;

/// The number of turns; the median of their ratios is reported.
const ROUNDS: u32 = 7;
const CONNECTIONS: usize = 32;
/// The number of customers requested repeatedly.
const WARM: usize = 64;
/// The number of customers requested once each, one after the other.
const COLD: usize = 2_000;
const UP_WITHIN: Duration = Duration::from_mins(1);

/// The measurements of the API.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ApiMeasurements {
    /// The rate of cached responses, divided by that of constant responses.
    pub(crate) cached_ratio: f64,
    pub(crate) cached_per_second: f64,
    pub(crate) constant_per_second: f64,
    /// The 95th percentile of the time for one customer read from the database.
    pub(crate) uncached_p95_ms: f64,
}

/// Measures the API on the projections of a bench site, with no other load.
pub(crate) async fn measure(database_url: &str, seconds: u64) -> Option<ApiMeasurements> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let keys = Keys::new(folder.path());
    let api = start_api(database_url, &keys, folder.path()).await;
    let token = keys.token("tenant-0");
    let paths = customers(database_url, WARM + COLD).await;
    let (warm, cold) = paths.split_at(WARM.min(paths.len() / 2));

    let uncached_p95_ms = uncached_p95(&Target::new(api.port, cold, Some(&token))).await;
    let cached = Target::new(api.port, warm, Some(&token));
    let bytes = Client::connect(cached.port)
        .await
        .ask(&cached.requests[0])
        .await;
    let server = start_constant(bytes).await;
    let constant = Target::new(server.port, &["/constant".to_owned()], None);
    let turn = Duration::from_millis(seconds * 1_000 / u64::from(ROUNDS * 2));
    for target in [&cached, &constant] {
        client::rate(target, CONNECTIONS, turn).await; // until warm
    }
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let cached = client::rate(&cached, CONNECTIONS, turn).await;
        let constant = client::rate(&constant, CONNECTIONS, turn).await;
        rounds.push((cached / constant, cached, constant));
    }
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (cached_ratio, cached_per_second, constant_per_second) = rounds[rounds.len() / 2];
    assert_was_cached(api.metrics_port).await;
    Some(ApiMeasurements {
        cached_ratio,
        cached_per_second,
        constant_per_second,
        uncached_p95_ms,
    })
}

/// A process, stopped when dropped.
struct Server {
    process: Child,
    port: u16,
    metrics_port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn start_api(database_url: &str, keys: &Keys, folder: &Path) -> Server {
    let (port, metrics_port) = (free_port(), free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    let log = std::fs::File::create(folder.join("serve.log")).unwrap();
    command
        .current_dir(folder)
        .env("TIDEMARK_DATABASE__URL", database_url)
        .env("TIDEMARK_API__LISTEN", format!("127.0.0.1:{port}"))
        .env(
            "TIDEMARK_API__METRICS_LISTEN",
            format!("127.0.0.1:{metrics_port}"),
        )
        .envs(keys.settings())
        // The log of a service behind a proxy that logs requests: warnings and errors.
        .env("TIDEMARK_LOG__FILTER", "warn")
        .stderr(Stdio::from(log))
        .arg("serve");
    let process = command.spawn().unwrap();
    listening(Server {
        process,
        port,
        metrics_port,
    })
    .await
}

/// This program, as the constant server.
async fn start_constant(bytes: usize) -> Server {
    let port = free_port();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["constant", &port.to_string(), &bytes.to_string()]);
    let process = command.spawn().unwrap();
    listening(Server {
        process,
        port,
        metrics_port: 0,
    })
    .await
}

async fn listening(server: Server) -> Server {
    let begun = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", server.port))
        .await
        .is_err()
    {
        assert!(begun.elapsed() < UP_WITHIN, "the server does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server
}

/// Returns the paths of existing customers.
async fn customers(database_url: &str, at_most: usize) -> Vec<String> {
    let pool = sqlx::PgPool::connect(database_url).await.unwrap();
    let schema: i32 =
        sqlx::query_scalar("select id from tidemark.generation where state = 'active'")
            .fetch_one(&pool)
            .await
            .unwrap();
    let query = format!(
        "select customer_id from gen_{schema}.customer where tenant_id = 'tenant-0'
         order by customer_id limit {at_most}"
    );
    let ids: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .fetch_all(&pool)
        .await
        .unwrap();
    pool.close().await;
    ids.iter().map(|id| format!("/v1/customers/{id}")).collect()
}

async fn uncached_p95(target: &Target) -> f64 {
    let mut client = Client::connect(target.port).await;
    let mut took = Vec::new();
    for request in target.requests.iter() {
        let begun = Instant::now();
        client.ask(request).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[took.len() * 95 / 100].as_secs_f64() * 1_000.0
}

/// Checks that the responses came from the cache.
async fn assert_was_cached(metrics_port: u16) {
    let url = format!("http://127.0.0.1:{metrics_port}/metrics");
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let count = |outcome: &str| {
        let name = format!("tidemark_api_cache_requests_total{{outcome=\"{outcome}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap().parse::<u64>().unwrap()
    };
    let (hits, misses) = (count("hit"), count("miss") + count("bypass"));
    assert!(hits > misses * 3, "{hits} hits, {misses} misses");
}

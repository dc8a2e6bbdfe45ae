//! The read API while its database is unavailable, and after it is back.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tidemark::up::postgres::{Keep, PrivatePostgres};
use tidemark_api::auth::Role;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::routes::shop;
use crate::routes::world::{TOPIC, World};
use crate::support::api::{Answer, Api, SECRET, token};
use crate::support::guarded::Guarded;
use crate::support::ports::free_port;
use crate::support::postgres::Database;
use crate::support::site::Running;
use crate::support::wait::wait_for;

const SOON: Duration = Duration::from_mins(1);

/// A fixed address for a server that comes back on another port.
struct Address {
    here: SocketAddr,
    there: Arc<AtomicU16>,
}

impl Address {
    async fn new(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Self {
            here: listener.local_addr().unwrap(),
            there: Arc::new(AtomicU16::new(port(url))),
        };
        let (there, tasks) = (Arc::clone(&address.there), TaskTracker::new());
        TaskTracker::new().spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = ("127.0.0.1", there.load(Ordering::Acquire));
                tasks.spawn(async move {
                    // Without a server, the client's connection is closed.
                    if let Ok(mut server) = TcpStream::connect(server).await {
                        drop(copy_bidirectional(&mut client, &mut server).await);
                    }
                });
            }
        });
        address
    }

    fn moves_to(&self, url: &str) {
        self.there.store(port(url), Ordering::Release);
    }

    fn url(&self, url: &str) -> String {
        url.replace(
            &format!(":{}/", port(url)),
            &format!(":{}/", self.here.port()),
        )
    }
}

fn port(url: &str) -> u16 {
    let (_, place) = url.rsplit_once('@').unwrap();
    let (_, port) = place.split_once(':').unwrap();
    port.split_once('/').unwrap().0.parse().unwrap()
}

async fn world_in(url: &str) -> World {
    tidemark_processor::migrate::migrate(url).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1);
    let database = Database {
        url: url.to_owned(),
        pool: pool.connect(url).await.unwrap(),
    };
    shop::open_in(World::over(database).await).await
}

/// Starts a real `tidemark serve`.
async fn serve(database_url: &str, folder: &Path) -> Api {
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command
        .current_dir(folder)
        .env("TIDEMARK_API__AUTH__HS256_SECRET", SECRET)
        .env("TIDEMARK_DATABASE__URL", database_url)
        .env("TIDEMARK_API__LISTEN", &address)
        .env("TIDEMARK_API__METRICS_LISTEN", "127.0.0.1:0")
        .arg("serve");
    let process = Guarded::spawn(&command, &folder.join("serve.log"), folder);
    Api::new(Running::new(process), &address).await
}

async fn assert_answered_stale(api: &Api, path: &str, before: &Answer) {
    let stale = wait_for(SOON, "a stale response", async || {
        let answer = api.get("acme", path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let is_stale = answer.headers.contains_key("tidemark-stale");
        is_stale
            .then_some(answer)
            .ok_or_else(|| "the response is not stale yet".to_owned())
    })
    .await;
    assert_eq!(stale.body, before.body);
    assert_eq!(stale.headers["etag"], before.headers["etag"]);
    assert_eq!(
        stale.headers["tidemark-watermark"],
        before.headers["tidemark-watermark"]
    );
    let seconds = |name: &str| {
        stale.headers[name]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!(seconds("age") >= seconds("tidemark-stale"));
}

/// Asserts 503 for what is not in the cache, what must be audited, and a caller that the cache has
/// no response for.
async fn assert_all_else_is_unavailable(api: &Api) {
    let viewer = token("acme", Role::Viewer);
    for (token, path) in [
        (token("acme", Role::Admin), "/v1/customers/eve"),
        (token("acme", Role::Admin), "/v1/customers/ann"),
        (token("acme", Role::Admin), "/v1/status"),
        (token("globex", Role::Admin), "/v1/customers/bob"),
        (viewer, "/v1/customers/bob"),
    ] {
        let answer = api.get_as(Some(&token), path).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn cached_responses_are_served_with_their_age_while_the_database_is_unavailable() {
    // Given an API that served Bob, a list, and Ann with her personal attributes
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data = folder.path().join("postgres");
    std::fs::create_dir(&data).unwrap();
    let postgres = PrivatePostgres::start(&data, Keep::Everything, &[])
        .await
        .unwrap();
    let address = Address::new(postgres.url()).await;
    let world = world_in(postgres.url()).await;
    let api = serve(&address.url(postgres.url()), folder.path()).await;
    // Responses from before the API first followed the commits expire soon.
    let first = format!("{TOPIC}/0@0");
    let seen = api.get_after(&first, "acme", "/v1/status").await;
    assert_eq!(seen.status, 200);
    let kept = ["/v1/customers/bob", "/v1/customers?limit=2", "/v1/segments"];
    let mut before = Vec::new();
    for path in kept {
        before.push(api.get("acme", path).await);
    }
    assert_eq!(api.get("acme", "/v1/customers/ann").await.status, 200);

    // When Postgres stops
    world.database.pool.close().await;
    drop(world);
    postgres.stop().await.unwrap();

    // Then cached responses are served with their age, and all others are 503
    for (path, before) in kept.into_iter().zip(&before) {
        assert_answered_stale(&api, path, before).await;
    }
    assert_all_else_is_unavailable(&api).await;

    // When Postgres is back, then the API recovers without a restart
    let postgres = PrivatePostgres::start(&data, Keep::Everything, &[])
        .await
        .unwrap();
    address.moves_to(postgres.url());
    for path in kept
        .into_iter()
        .chain(["/v1/customers/ann", "/v1/customers/eve"])
    {
        wait_for(SOON, "a fresh response", async || {
            let answer = api.get("acme", path).await;
            let is_fresh = answer.status == 200 && !answer.headers.contains_key("tidemark-stale");
            is_fresh
                .then_some(())
                .ok_or_else(|| format!("{}: {}", answer.status, answer.body))
        })
        .await;
    }
    api.process.terminate();
    let cluster = postgres.directory().to_owned();
    postgres.stop().await.unwrap();
    std::fs::remove_dir_all(cluster).unwrap();
}

//! The service: start, socket limits and drain.

use std::time::{Duration, Instant};

use prometheus::Registry;
use tidemark_api::{ApiError, Service, metrics_router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::{Api, config};
use super::shop;
use super::world::World;

#[tokio::test]
async fn role_that_bypasses_row_level_security_is_rejected() {
    let world = World::new().await;
    let mut config = config(&world.database.url);
    config.role = None; // the login of the tests is a superuser
    let refused = Service::connect(config, &Registry::new()).await;
    assert!(
        matches!(refused, Err(ApiError::PrivilegedRole(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn start_without_a_database_fails_at_once() {
    let begun = Instant::now();
    let nowhere = config("postgres://127.0.0.1:1/nothing");
    let refused = Service::connect(nowhere, &Registry::new())
        .await
        .unwrap_err();
    assert!(matches!(refused, ApiError::Database(_)), "{refused}");
    let malformed = Service::connect(config("not a url"), &Registry::new())
        .await
        .unwrap_err();
    assert!(matches!(malformed, ApiError::DatabaseUrl(_)), "{malformed}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn idle_clients_do_not_delay_the_drain() {
    let world = World::new().await;
    let service = Service::connect(config(&world.database.url), &Registry::new())
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let running = TaskTracker::new().spawn(service.run(listener, stop.clone()));

    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut said = [0; 15];
    idle.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 200 OK");

    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
    ended
        .expect("a drain does not wait for idle clients")
        .unwrap()
        .unwrap();
    let mut rest = Vec::new();
    assert_eq!(silent.read_to_end(&mut rest).await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn slow_request_head_closes_the_connection() {
    let world = World::new().await;
    let mut config = config(&world.database.url);
    config.limits.head_timeout = Duration::from_millis(100);
    let api = Api::with(config).await;
    let address = api.url.trim_start_matches("http://");
    for begun in [&b""[..], &b"GET /healthz HTTP/1.1\r\nhost:"[..]] {
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(begun).await.unwrap();
        let mut said = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut said));
        closed
            .await
            .unwrap_or_else(|_| panic!("still open after {begun:?}"))
            .unwrap();
        assert!(!said.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn responses_are_counted_in_the_metrics() {
    let world = shop::open().await;
    let registry = Registry::new();
    let service = Service::connect(config(&world.database.url), &registry)
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let mut urls = Vec::new();
    for router in [service.router(), metrics_router(registry)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        urls.push(format!("http://{}", listener.local_addr().unwrap()));
        let stop = stop.clone();
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        TaskTracker::new().spawn(served.into_future());
    }
    for path in [
        "/healthz",
        "/v1/customers/ann",
        "/no/such/path",
        "/nor/this",
    ] {
        reqwest::get(format!("{}{path}", urls[0])).await.unwrap();
    }
    let text = reqwest::get(format!("{}/metrics", urls[1]))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        r#"tidemark_api_requests_total{route="/healthz",status="200"} 1"#,
        r#"tidemark_api_requests_total{route="/v1/customers/{id}",status="401"} 1"#,
        r#"tidemark_api_requests_total{route="unmatched",status="404"} 2"#,
        "tidemark_api_requests_in_flight 0",
        "tidemark_api_pool_connections",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    stop.cancel();
}

//! Tests of the drain: requests in flight are answered, on keep-alive connections too.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::limits;
use super::*;
use crate::http::serve;

#[tokio::test]
async fn a_request_in_flight_on_a_keep_alive_connection_is_answered_before_shutdown() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (has_begun, may_go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = async move || {
        has_begun.notify_one();
        may_go_on.notified().await;
        "at last"
    };
    let router = Router::new()
        .route("/slow", get(slow))
        .route("/quick", get(async || "quick"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let limits = limits();
    let serving =
        TaskTracker::new().spawn(async move { serve(router, listener, limits, stop).await });

    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"quick") {
        assert_ne!(client.read_buf(&mut said).await.unwrap(), 0);
    }
    client
        .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    begun.notified().await;
    shutdown.cancel();
    // From here on no connection is accepted, and the answer is still pending.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go_on.notify_one();
    let mut rest = String::new();
    let reading = client.read_to_string(&mut rest);
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .expect("the connection ends with its answer")
        .unwrap();
    assert!(
        rest.starts_with("HTTP/1.1 200") && rest.ends_with("at last"),
        "{rest}"
    );
    assert!(rest.to_lowercase().contains("connection: close"), "{rest}");
    serving.await.unwrap();
}

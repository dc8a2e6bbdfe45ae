//! Tests of connections whose clients are silent, slow, too many, or do not read.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::http::{LimitMetrics, PeerConnections, ServerLimits, serve};

const SOON: Duration = Duration::from_mins(1);
const HEAD: &[u8] = b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n";

/// Returns limits that no test reaches unless it lowers them.
pub(super) fn limits() -> ServerLimits {
    let metrics = LimitMetrics::register(&prometheus::Registry::new()).unwrap();
    ServerLimits {
        connections: 64,
        peers: PeerConnections::new(64, Vec::new(), metrics),
        first_head_timeout: SOON,
        write_timeout: SOON,
        head_timeout: SOON,
        drain_timeout: Duration::from_secs(15),
    }
}

/// A server of a short and a long response.
struct Server {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
}

impl Server {
    async fn start(limits: ServerLimits) -> Self {
        let router = Router::new()
            .route("/quick", get(async || "quick"))
            .route("/long", get(async || "x".repeat(64 * 1024 * 1024)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        TaskTracker::new().spawn(async move { serve(router, listener, limits, stop).await });
        Self { address, shutdown }
    }

    async fn connect(&self, sent: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        client.write_all(sent).await.ok(); // a refused client is reset
        client
    }

    /// Returns true if a client is answered.
    async fn answers(&self) -> bool {
        let mut client = self.connect(HEAD).await;
        let mut text = Vec::new();
        while !text.ends_with(b"quick") {
            match tokio::time::timeout(SOON, client.read_buf(&mut text)).await {
                Ok(Ok(read)) if read > 0 => {}
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Waits until the server closes a connection.
async fn closed(mut client: TcpStream) {
    let mut ignored = Vec::new();
    let end = tokio::time::timeout(SOON, client.read_to_end(&mut ignored)).await;
    assert!(end.is_ok(), "the connection stays open");
}

#[tokio::test]
async fn silent_connection_and_slow_head_are_closed_and_the_next_client_is_served() {
    let server = Server::start(ServerLimits {
        connections: 2,
        first_head_timeout: Duration::from_millis(200),
        ..limits()
    })
    .await;
    let silent = server.connect(b"").await;
    let slow = server.connect(b"GET /quick HTTP/1.1\r\nhos").await;
    assert!(server.answers().await);
    closed(silent).await;
    closed(slow).await;
}

#[tokio::test]
async fn connection_that_was_answered_stays_open_beyond_the_time_of_its_first_head() {
    let server = Server::start(ServerLimits {
        first_head_timeout: Duration::from_millis(200),
        ..limits()
    })
    .await;
    let mut client = server.connect(HEAD).await;
    let silent = server.connect(b"").await;
    closed(silent).await; // the time has passed
    client.write_all(HEAD).await.unwrap();
    let mut text = Vec::new();
    while String::from_utf8_lossy(&text).matches("quick").count() < 2 {
        assert_ne!(client.read_buf(&mut text).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn client_that_reads_nothing_is_closed() {
    let server = Server::start(ServerLimits {
        connections: 1,
        write_timeout: Duration::from_millis(200),
        ..limits()
    })
    .await;
    let _unread = server
        .connect(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert!(server.answers().await); // on the only connection
}

#[tokio::test]
async fn peer_with_too_many_connections_is_refused_at_once() {
    let metrics = LimitMetrics::register(&prometheus::Registry::new()).unwrap();
    let server = Server::start(ServerLimits {
        peers: PeerConnections::new(2, Vec::new(), metrics),
        ..limits()
    })
    .await;
    let first = server.connect(b"").await;
    let _second = server.connect(b"").await;
    closed(TcpStream::connect(server.address).await.unwrap()).await;
    drop(first);
    let freed = async {
        while !server.answers().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, freed).await.unwrap();
}

#[tokio::test]
async fn body_that_never_arrives_does_not_keep_a_connection() {
    let server = Server::start(limits()).await;
    let head = b"GET /quick HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
    closed(server.connect(head).await).await;
}

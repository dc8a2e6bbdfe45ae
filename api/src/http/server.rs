//! The accept loop, and the drain of connections at shutdown.
//!
//! axum's own `serve` limits neither the time to receive the head of a request nor the time of a
//! drain, so one silent client could block a shutdown for ever. A connection that sends no request
//! in time or does not read its responses is closed, and one peer has a share of the connections.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::limits::{Peer, PeerConnection, PeerConnections};

/// The size of the head of a request, in bytes. It is the minimum that hyper supports.
const HEAD_BYTES: usize = 32 * 1024;
/// The pause after a failed accept (such as for lack of file descriptors), to avoid a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits of a server.
#[derive(Debug, Clone)]
pub(crate) struct ServerLimits {
    /// The number of open connections. Further clients wait to be accepted.
    pub(crate) connections: usize,
    /// The number of open connections of each peer. Further ones are closed at once.
    pub(crate) peers: PeerConnections,
    /// The time to receive the head of the first request of a connection.
    pub(crate) first_head_timeout: Duration,
    /// The time within which a client reads some of a response that waits for it.
    pub(crate) write_timeout: Duration,
    /// The time to receive the head of a later request, and so also to wait for it on an idle connection.
    pub(crate) head_timeout: Duration,
    /// The time to answer the requests in progress after shutdown began.
    pub(crate) drain_timeout: Duration,
}

/// Serves until `shutdown`, then drains the connections.
pub(crate) async fn serve(
    router: Router,
    listener: TcpListener,
    limits: ServerLimits,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let server = server(&limits);
    while let Some((stream, peer, slot)) = accept(&listener, &slots, &shutdown).await {
        let Some(share) = limits.peers.open(peer) else {
            continue; // the stream is dropped, and so closed
        };
        let connection = Connection {
            peer,
            first_head_timeout: limits.first_head_timeout,
            write_timeout: limits.write_timeout,
            server: server.clone(),
            router: router.clone(),
            shutdown: shutdown.clone(),
            _slot: slot,
            _share: share,
        };
        connections.spawn(connection.run(stream));
    }
    drop(listener); // new clients are refused from here on
    connections.close();
    if tokio::time::timeout(limits.drain_timeout, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "connections were still open after the drain timeout"
        );
    }
}

/// Configures HTTP/1.1 alone. To detect HTTP/2 without TLS, hyper waits for the first bytes of a
/// client without a time limit. Proxies that terminate TLS offer HTTP/2 to clients themselves.
fn server(limits: &ServerLimits) -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES);
    server
}

/// Accepts the next client, once a slot is free; `None` at shutdown.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let next = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, address)) => return Some((stream, address.ip(), slot)),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        next = next => next,
        () = shutdown.cancelled() => None,
    }
}

/// The connection of one client.
struct Connection {
    server: Builder<TokioExecutor>,
    router: Router,
    shutdown: CancellationToken,
    peer: IpAddr,
    first_head_timeout: Duration,
    write_timeout: Duration,
    _slot: OwnedSemaphorePermit,
    _share: PeerConnection,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Responses are small and written at once, so Nagle's algorithm would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "setting nodelay failed");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.write_timeout));
        let peer = Peer(self.peer);
        let first_head = Arc::new(Notify::new());
        let arrived = Arc::clone(&first_head);
        let router = self
            .router
            .map_request(move |mut request: Request<Incoming>| {
                arrived.notify_one();
                request.extensions_mut().insert(peer);
                request
            });
        let service = TowerToHyperService::new(router);
        let stream = TokioIo::new(Box::pin(stream));
        let mut connection = std::pin::pin!(self.server.serve_connection(stream, service));
        let silence = async {
            let arrival = tokio::time::timeout(self.first_head_timeout, first_head.notified());
            if arrival.await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = silence => {
                tracing::debug!("a connection was closed: no request arrived in time");
                return;
            }
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

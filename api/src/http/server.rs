//! The accept loop, and the drain of connections at shutdown.
//!
//! axum's own `serve` limits neither the time to receive the head of a request nor the time of a
//! drain, so one silent client could block a shutdown for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::limits::Peer;

/// The size of the head of a request, in bytes. It is the minimum that hyper supports.
const HEAD_BYTES: usize = 32 * 1024;
/// The pause after a failed accept (such as for lack of file descriptors), to avoid a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerLimits {
    /// The number of open connections. Further clients wait to be accepted.
    pub(crate) connections: usize,
    /// The time to receive the head of a request, and so also to wait for it on an idle connection.
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
    let server = server(limits);
    while let Some((stream, slot)) = accept(&listener, &slots, &shutdown).await {
        let connection = Connection {
            server: server.clone(),
            router: router.clone(),
            shutdown: shutdown.clone(),
            _slot: slot,
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
fn server(limits: ServerLimits) -> Builder<TokioExecutor> {
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
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, slot)),
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
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Responses are small and written at once, so Nagle's algorithm would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "setting nodelay failed");
        }
        let peer = stream.peer_addr().ok().map(|address| Peer(address.ip()));
        let router = self
            .router
            .map_request(move |mut request: Request<Incoming>| {
                if let Some(peer) = peer {
                    request.extensions_mut().insert(peer);
                }
                request
            });
        let service = TowerToHyperService::new(router);
        let mut connection =
            std::pin::pin!(self.server.serve_connection(TokioIo::new(stream), service));
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
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

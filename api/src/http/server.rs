//! The accept loop: sockets in, answers out, until told to stop; then the last answers, in time.
//!
//! axum's own `serve` neither limits how long a client may take to send a request's head nor how
//! long a drain lasts, so one silent client could hold it open for ever.

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

use crate::Limits;
use crate::limits::Peer;

/// Bytes of a request's head; also the least hyper takes.
const HEAD_BYTES: usize = 32 * 1024;
/// After an accept failed (out of file descriptors): trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then drains within the limit.
pub(crate) async fn serve(
    router: Router,
    listener: TcpListener,
    limits: &Limits,
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
            "connections still open after the drain timeout"
        );
    }
}

/// HTTP/1.1 alone: telling HTTP/2 without TLS apart means waiting for a client's first bytes, for
/// which there is no time limit. Proxies that end TLS speak HTTP/2 to clients and this to us.
fn server(limits: &Limits) -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES);
    server
}

/// The next client, once a slot is free; `None` at shutdown.
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

/// One client's connection.
struct Connection {
    server: Builder<TokioExecutor>,
    router: Router,
    shutdown: CancellationToken,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Answers are small and written at once: waiting to fill a packet only delays them.
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

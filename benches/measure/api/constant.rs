//! The server that the API is compared with: axum with a constant response and the API's settings.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// Serves until killed.
pub(crate) async fn serve(port: u16, bytes: usize) {
    let body = Bytes::from(vec![b' '; bytes]);
    let answer = async move || ([(header::CONTENT_TYPE, "application/json")], body);
    let router = Router::new().route("/constant", get(answer));
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(75))
        .max_buf_size(32 * 1024);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let connections = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (server, router) = (server.clone(), router.clone());
        connections.spawn(async move {
            let service = TowerToHyperService::new(router);
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

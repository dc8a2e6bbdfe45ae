//! A schema registry with faults: the development registry, with injected responses for chosen
//! schema ids.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tidemark_schemas::Partitioner;
use tidemark_schemas::codec::{Encoder, SCHEMA};
use tidemark_schemas::development_registry;
use tidemark_schemas::registry::{RegistryClient, RegistryConfig};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::kafka::Kafka;
use super::publish::Publisher;
use super::shared;
use super::site::Site;

/// The response to a lookup of a schema id, in place of the true one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Status 404: there is no such schema.
    Missing,
    /// Status 200 with this text as the schema.
    Schema(&'static str),
    /// Status 200 with an HTML page.
    Html,
    /// Status 500.
    ServerError,
    /// No response until the fault is removed.
    Silence,
}

#[derive(Clone)]
struct Faults {
    by_id: watch::Sender<BTreeMap<u32, Fault>>,
    lookups: Arc<AtomicUsize>,
}

/// A running registry with faults.
pub(crate) struct FaultyRegistry {
    pub(crate) url: String,
    router: Router,
    faults: Faults,
}

impl FaultyRegistry {
    /// Starts a registry without faults on a free port.
    pub(crate) async fn start() -> Self {
        let faults = Faults {
            by_id: watch::channel(BTreeMap::new()).0,
            lookups: Arc::default(),
        };
        let router =
            development_registry::router().layer(from_fn_with_state(faults.clone(), respond));
        let url = serve(router.clone(), 0).await;
        Self {
            url,
            router,
            faults,
        }
    }

    /// Serves the same schemas on another port too, which was free until now.
    pub(crate) async fn also_listen_on(&self, port: u16) {
        serve(self.router.clone(), port).await;
    }

    /// Returns the registry's URL as a setting of the command line.
    pub(crate) fn setting(&self) -> String {
        format!("registry.url={}", self.url)
    }

    /// Replaces the faults: these ids get these responses, all others the true ones.
    pub(crate) fn inject(&self, faults: impl IntoIterator<Item = (u32, Fault)>) {
        self.faults.by_id.send_replace(faults.into_iter().collect());
    }

    /// Returns how many lookups by schema id the registry received.
    pub(crate) fn lookups(&self) -> usize {
        self.faults.lookups.load(Ordering::SeqCst)
    }

    /// Registers a variant of the current schema, distinguished by its documentation, and returns
    /// its id.
    pub(crate) async fn register(&self, topic: &str, number: usize) -> u32 {
        let mut schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        schema["doc"] = format!("Variant {number}").into();
        let config = RegistryConfig {
            url: self.url.clone(),
            ..RegistryConfig::default()
        };
        RegistryClient::new(&config)
            .unwrap()
            .register(&format!("{topic}-value"), &schema.to_string())
            .await
            .unwrap()
    }

    /// Returns a producer whose records name this schema id.
    pub(crate) fn publisher(site: &Site, schema: u32) -> Publisher {
        let kafka: &Kafka = site.kafka;
        Publisher::new(
            kafka,
            &site.topic,
            Partitioner::Murmur2,
            Encoder::new(schema),
        )
    }
}

/// Serves on a port, and returns the URL.
async fn serve(router: Router, port: u16) -> String {
    // Bound on the runtime that serves it: a test that waits for a command runs no other task.
    let bind = shared::runtime().spawn(TcpListener::bind(("127.0.0.1", port)));
    let listener = bind.await.unwrap().unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    shared::runtime().spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn respond(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let Some(id) = request.uri().path().strip_prefix("/schemas/ids/") else {
        return next.run(request).await;
    };
    let id: u32 = id.parse().unwrap();
    faults.lookups.fetch_add(1, Ordering::SeqCst);
    let by_id = {
        let mut changes = faults.by_id.subscribe();
        let without_silence = changes
            .wait_for(|by_id| by_id.get(&id) != Some(&Fault::Silence))
            .await;
        without_silence.unwrap().clone()
    };
    match by_id.get(&id) {
        None | Some(Fault::Silence) => next.run(request).await,
        Some(Fault::Missing) => {
            let body = json!({ "error_code": 40403, "message": "Schema not found" });
            (StatusCode::NOT_FOUND, body.to_string()).into_response()
        }
        Some(Fault::Schema(schema)) => json!({ "schema": schema }).to_string().into_response(),
        Some(Fault::Html) => (
            [(header::CONTENT_TYPE, "text/html")],
            "<html>Welcome</html>",
        )
            .into_response(),
        Some(Fault::ServerError) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "stack trace").into_response()
        }
    }
}

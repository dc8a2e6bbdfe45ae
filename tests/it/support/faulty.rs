//! A schema registry that lies when it is told to: the development registry behind a door that gives
//! other answers for some ids.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// What is answered for an id instead of the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lie {
    /// No such schema.
    Missing,
    /// Success, with this as the schema.
    Schema(&'static str),
    /// Success, with a page for people.
    Html,
    /// A fault of its own.
    ServerError,
    /// No answer until the lie is taken back.
    Silence,
}

#[derive(Clone)]
struct Door {
    lies: watch::Sender<BTreeMap<u32, Lie>>,
    asked: Arc<AtomicUsize>,
}

/// See the module.
pub(crate) struct FaultyRegistry {
    pub(crate) url: String,
    door: Door,
}

impl FaultyRegistry {
    /// Truthful at first.
    pub(crate) async fn start() -> Self {
        Self::listen_on(0).await
    }

    /// On a port that was nobody's until now.
    pub(crate) async fn listen_on(port: u16) -> Self {
        // On the runtime it is served on: a test that waits for a command runs nothing meanwhile.
        let bind = shared::runtime().spawn(TcpListener::bind(("127.0.0.1", port)));
        let listener = bind.await.unwrap().unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let door = Door {
            lies: watch::channel(BTreeMap::new()).0,
            asked: Arc::default(),
        };
        let router = development_registry::router().layer(from_fn_with_state(door.clone(), answer));
        shared::runtime().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, door }
    }

    /// As a setting of the command line.
    pub(crate) fn setting(&self) -> String {
        format!("registry.url={}", self.url)
    }

    /// From now on these ids are lied about, and no others.
    pub(crate) fn lie(&self, lies: impl IntoIterator<Item = (u32, Lie)>) {
        self.door.lies.send_replace(lies.into_iter().collect());
    }

    /// How often a schema was asked for by id.
    pub(crate) fn asked(&self) -> usize {
        self.door.asked.load(Ordering::SeqCst)
    }

    /// Registers our schema, told apart from others by its documentation; answers its id.
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

    /// A producer that names a schema by its id.
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

async fn answer(State(door): State<Door>, request: Request, next: Next) -> Response {
    let Some(id) = request.uri().path().strip_prefix("/schemas/ids/") else {
        return next.run(request).await;
    };
    let id: u32 = id.parse().unwrap();
    door.asked.fetch_add(1, Ordering::SeqCst);
    let lies = {
        let mut changes = door.lies.subscribe();
        let spoken = changes
            .wait_for(|lies| lies.get(&id) != Some(&Lie::Silence))
            .await;
        spoken.unwrap().clone()
    };
    match lies.get(&id) {
        None | Some(Lie::Silence) => next.run(request).await,
        Some(Lie::Missing) => {
            let body = json!({ "error_code": 40403, "message": "Schema not found" });
            (StatusCode::NOT_FOUND, body.to_string()).into_response()
        }
        Some(Lie::Schema(schema)) => json!({ "schema": schema }).to_string().into_response(),
        Some(Lie::Html) => (
            [(header::CONTENT_TYPE, "text/html")],
            "<html>Welcome</html>",
        )
            .into_response(),
        Some(Lie::ServerError) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "stack trace").into_response()
        }
    }
}

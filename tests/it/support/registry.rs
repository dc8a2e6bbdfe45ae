//! A schema registry for the run: the development registry, on a loopback port.

use std::sync::{Arc, OnceLock};

use tidemark_schemas::codec::{Encoder, schema};
use tidemark_schemas::development_registry;
use tidemark_schemas::registry::{RegistryClient, RegistryConfig};
use tokio::net::TcpListener;

use super::shared;

/// A running registry.
pub(crate) struct Registry {
    pub(crate) url: String,
}

impl Registry {
    /// Returns the registry of all tests of this run. Subjects are named after topics, which are
    /// unique.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Registry> = OnceLock::new();
        SHARED.get_or_init(|| shared::block_on(Self::start()))
    }

    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        shared::runtime().spawn(async move {
            axum::serve(listener, development_registry::router())
                .await
                .unwrap();
        });
        Self { url }
    }

    /// Returns a new client, whose connections live as long as the runtime of the test.
    pub(crate) fn client(&self) -> Arc<RegistryClient> {
        let config = RegistryConfig {
            url: self.url.clone(),
            username: None,
            password: None,
            ca_file: None,
        };
        Arc::new(RegistryClient::new(&config).unwrap())
    }

    /// Registers the current schema for a topic, as a producer does.
    pub(crate) async fn encoder(&self, topic: &str) -> Encoder {
        let text = serde_json::to_string(schema()).unwrap();
        let id = self
            .client()
            .register(&format!("{topic}-value"), &text)
            .await
            .unwrap();
        Encoder::new(id)
    }
}

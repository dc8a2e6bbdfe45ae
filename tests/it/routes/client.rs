//! The API over a world's database on a real socket, with a client.

use prometheus::Registry;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tidemark_api::auth::{Claims, Role, issue_token};
use tidemark_api::{AuthConfig, Config, Service};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::world::{World, tenant};
use crate::support::described;

pub(crate) const SECRET: &str = "a secret for tests, long enough for HS256";

/// A served API, stopped on drop.
pub(crate) struct Api {
    pub(crate) url: String,
    client: reqwest::Client,
    _stop: DropGuard,
}

/// A response of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Returns a production configuration with few connections.
pub(crate) fn config(database_url: &str) -> Config {
    let auth = AuthConfig::new("tidemark", "tidemark-api", SECRET);
    let mut config = Config::new(database_url, auth);
    config.connections = 3;
    config
}

impl Api {
    pub(crate) async fn over(world: &World) -> Self {
        Self::with(config(&world.database.url)).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::counted(config, &Registry::new()).await
    }

    /// Connects a service that counts into this registry.
    pub(crate) async fn counted(config: Config, registry: &Registry) -> Self {
        let service = Service::connect(config, registry).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        TaskTracker::new().spawn(service.run(listener, stop.clone()));
        Self {
            url,
            client: reqwest::Client::new(),
            _stop: stop.drop_guard(),
        }
    }

    /// Sends a request as an analyst of the tenant.
    pub(crate) async fn get(&self, tenant_id: &str, path: &str) -> Answer {
        self.get_as(&token(tenant_id, Role::Analyst), path).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.ask(token, path, &[]).await
    }

    /// Sends a request with headers. The body of a response without one is null.
    pub(crate) async fn ask(&self, token: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self
            .client
            .get(format!("{}{path}", self.url))
            .header("x-request-id", "the-request")
            .bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        described::check(path, status, &headers, &body);
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Returns the body of a response, which must be 200.
    #[track_caller]
    pub(crate) fn ok(&self, tenant_id: &str, path: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.get(tenant_id, path).await;
            assert_eq!(
                answer.status, 200,
                "{path}, requested at {caller}: {}",
                answer.body
            );
            answer.body
        }
    }

    /// Returns the ids of a list, page by page, with the number of pages.
    pub(crate) async fn ids(&self, tenant_id: &str, path: &str) -> (Vec<String>, usize) {
        let (mut ids, mut pages, mut next) = (Vec::new(), 0, path.to_owned());
        loop {
            let body = self.ok(tenant_id, &next).await;
            pages += 1;
            let items = body["items"].as_array().unwrap();
            ids.extend(items.iter().map(|item| text(&item["customer_id"])));
            let Some(cursor) = body["next"].as_str() else {
                return (ids, pages);
            };
            let separator = if path.contains('?') { '&' } else { '?' };
            next = format!("{path}{separator}cursor={cursor}");
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn claims(tenant_id: &str, role: Role) -> Claims {
    let now = jsonwebtoken::get_current_timestamp();
    Claims {
        iss: "tidemark".to_owned(),
        aud: "tidemark-api".to_owned(),
        sub: "ada".to_owned(),
        iat: now,
        exp: now + 600,
        nbf: None,
        tenant: tenant(tenant_id),
        role,
    }
}

pub(crate) fn token(tenant_id: &str, role: Role) -> String {
    issue_token(SECRET, &claims(tenant_id, role)).unwrap()
}

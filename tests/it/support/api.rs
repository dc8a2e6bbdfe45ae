//! The read API of a running `tidemark serve`, and tokens for it.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use tidemark_api::auth::{Claims, Role, issue_token};
use tidemark_processor::clock::WallClock;
use tidemark_schemas::TenantId;

use super::described;
use super::site::Running;
use super::wait::wait_for;

/// The key that signs the tokens of every test.
pub(crate) const SECRET: &str = "a secret for tests, long enough for HS256";

/// A running API.
pub(crate) struct Api {
    pub(crate) process: Running,
    url: String,
    client: Client,
}

/// A response of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Api {
    pub(crate) async fn new(process: Running, address: &str) -> Self {
        let mut api = Self {
            process,
            url: format!("http://{address}"),
            client: Client::new(),
        };
        wait_for(Duration::from_secs(30), "the API to be ready", async || {
            assert!(api.process.is_running(), "the API ended");
            let answer = api.client.get(format!("{}/readyz", api.url)).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(format!("its status is {}", answer.status())),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        api
    }

    /// Sends a request as an administrator of the tenant.
    pub(crate) async fn get(&self, tenant: &str, path: &str) -> Answer {
        self.get_as(Some(&token(tenant, Role::Admin)), path).await
    }

    /// Sends a request as an administrator, with `Tidemark-Wait` for these positions.
    pub(crate) async fn get_after(&self, positions: &str, tenant: &str, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.url));
        let request = request.bearer_auth(token(tenant, Role::Admin));
        answered(request.header("tidemark-wait", positions)).await
    }

    /// Sends a request with this token, or without one.
    pub(crate) async fn get_as(&self, token: Option<&str>, path: &str) -> Answer {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        answered(request).await
    }

    /// Returns every item of a list, page by page.
    pub(crate) async fn all(&self, tenant: &str, path: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut next = path.to_owned();
        loop {
            let answer = self.get(tenant, &next).await;
            assert_eq!(answer.status, StatusCode::OK, "{next}: {:?}", answer.body);
            items.extend(answer.body["items"].as_array().unwrap().iter().cloned());
            let Some(cursor) = answer.body["next"].as_str() else {
                return items;
            };
            next = format!("{path}{separator}cursor={cursor}");
        }
    }
}

async fn answered(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let path = response.url().path().to_owned();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    described::check(&path, status.as_u16(), &headers, &body);
    Answer {
        status,
        headers,
        body,
    }
}

/// Returns a token that is valid for an hour.
pub(crate) fn token(tenant: &str, role: Role) -> String {
    let now = u64::try_from(WallClock::System.now().micros() / 1_000_000).unwrap();
    let claims = Claims {
        iss: "tidemark".to_owned(),
        aud: "tidemark".to_owned(),
        sub: "a test".to_owned(),
        iat: now,
        exp: now + 3_600,
        nbf: None,
        tenant: TenantId::new(tenant).unwrap(),
        role,
    };
    issue_token(SECRET, &claims).unwrap()
}

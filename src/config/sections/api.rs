//! `[api]`, `[api.auth]`, `[api.limits]` and `[api.cache]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use crate::config::Secret;

/// `[api]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// The address of the API.
    pub listen: SocketAddr,
    /// The address of the API's `/metrics`.
    pub metrics_listen: SocketAddr,
    /// The number of connections to Postgres.
    pub connections: u32,
    /// Whether a proxy terminates TLS in front of the API: responses then have HSTS.
    pub behind_tls: bool,
    /// Allowed CORS origins, such as `https://dashboard.example.com`.
    #[serde(deserialize_with = "list")]
    pub allowed_origins: Vec<String>,
    /// Authentication: the accepted tokens.
    pub auth: Auth,
    /// Rate limits and bounds on requests.
    pub limits: ApiLimits,
    /// The longest wait for the position in `Tidemark-Wait`, in milliseconds.
    pub wait_ms: u64,
    /// The response cache.
    pub cache: Cache,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], 9465)),
            connections: 16,
            behind_tls: false,
            allowed_origins: Vec::new(),
            auth: Auth::default(),
            limits: ApiLimits::default(),
            wait_ms: 5_000,
            cache: Cache::default(),
        }
    }
}

/// `[api.cache]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// The size of the response cache in MiB; 0 turns it off.
    pub mib: u64,
    /// The oldest response served while the database is unavailable, in seconds.
    pub stale_seconds: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            mib: 64,
            stale_seconds: 600,
        }
    }
}

/// `[api.auth]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The expected `iss` of tokens.
    pub issuer: String,
    /// The expected `aud` of tokens.
    pub audience: String,
    /// The URL of an identity provider's JSON Web Key Set, fetched regularly.
    pub jwks_url: Option<String>,
    /// The file of certificates (PEM) to trust for that URL instead of the system's.
    pub jwks_ca_file: Option<PathBuf>,
    /// The file of a JSON Web Key Set, reloaded when it changes.
    pub jwks_file: Option<PathBuf>,
    /// The time between two fetches of `jwks_url`, in seconds.
    pub jwks_refresh_seconds: u64,
    /// The shortest time between two fetches that tokens with unknown keys cause, in seconds.
    pub jwks_cooldown_seconds: u64,
    /// The key of HS256 tokens, for development: at least 32 bytes.
    pub hs256_secret: Option<Secret>,
    /// The file of the key of HS256 tokens.
    pub hs256_secret_file: Option<PathBuf>,
    /// The tolerated difference of clocks, in seconds.
    pub leeway_seconds: u64,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            issuer: "tidemark".to_owned(),
            audience: "tidemark".to_owned(),
            jwks_url: None,
            jwks_ca_file: None,
            jwks_file: None,
            jwks_refresh_seconds: 300,
            jwks_cooldown_seconds: 30,
            hs256_secret: None,
            hs256_secret_file: None,
            leeway_seconds: 30,
        }
    }
}

/// `[api.limits]`: rates are in costs, see docs/OPERATIONS.md; a rate of 0 sets no limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiLimits {
    /// The cost per second of a tenant, over all its tokens.
    pub tenant_per_second: u32,
    /// The cost of a tenant's burst after a pause.
    pub tenant_burst: u32,
    /// The cost per second of one token.
    pub token_per_second: u32,
    /// The cost of a token's burst after a pause.
    pub token_burst: u32,
    /// The number of unknown tokens per second of one peer.
    pub peer_per_second: u32,
    /// The number of unknown tokens of a peer's burst after a pause.
    pub peer_burst: u32,
    /// Proxies (addresses or networks) trusted to set `X-Forwarded-For`.
    #[serde(deserialize_with = "list")]
    pub trusted_proxies: Vec<String>,
    /// The share of `api.connections` that one tenant may use at once, in percent.
    pub tenant_share_percent: usize,
    /// The most concurrent requests; further ones get 503.
    pub concurrent_requests: usize,
    /// The most open connections of clients; further ones wait to be accepted.
    pub connections: usize,
    /// The most open connections of one peer; further ones are closed at once. Trusted proxies are exempt.
    pub connections_per_peer: usize,
    /// The timeout of a request, in seconds.
    pub request_timeout_seconds: u64,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// The longest time for the last requests at shutdown, in seconds.
    pub drain_seconds: u64,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            tenant_per_second: 500,
            tenant_burst: 2_500,
            token_per_second: 200,
            token_burst: 1_000,
            peer_per_second: 20,
            peer_burst: 200,
            trusted_proxies: Vec::new(),
            tenant_share_percent: 50,
            concurrent_requests: 512,
            connections: 4_096,
            connections_per_peer: 512,
            request_timeout_seconds: 10,
            body_bytes: 64 * 1024,
            drain_seconds: 15,
        }
    }
}

/// Reads a list or, as variables and flags are text, its items separated by commas.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Setting {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Setting::deserialize(deserializer)? {
        Setting::List(items) => items,
        Setting::Text(text) => {
            let items = text.split(',').map(str::trim);
            let items = items.filter(|item| !item.is_empty());
            items.map(str::to_owned).collect()
        }
    })
}

//! `[api]`, `[api.auth]`, `[api.limits]` and `[api.cache]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Secret;

/// `[api]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Where `/metrics` of the API is served.
    pub metrics_listen: SocketAddr,
    /// Connections to Postgres.
    pub connections: u32,
    /// Whether clients come by TLS, which a proxy in front ends: then HSTS is sent.
    pub behind_tls: bool,
    /// Origins whose pages may call, such as `https://dashboard.example.com`.
    pub allowed_origins: Vec<String>,
    /// Whose tokens are believed.
    pub auth: Auth,
    /// How much may be asked.
    pub limits: ApiLimits,
    /// How long a request waits for the position its `Tidemark-Wait` names, in milliseconds.
    pub wait_ms: u64,
    /// What is kept of what was answered.
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
    /// Answers kept, in MiB at most; 0 keeps none.
    pub mib: u64,
    /// While the database is away, answers are given that were read at most so long ago.
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
    /// Expected in `iss`.
    pub issuer: String,
    /// Expected in `aud`.
    pub audience: String,
    /// A JSON Web Key Set of an identity provider, asked for again and again.
    pub jwks_url: Option<String>,
    /// Certificates (PEM) to trust there instead of the system's.
    pub jwks_ca_file: Option<PathBuf>,
    /// A JSON Web Key Set in a file, read again when it changes.
    pub jwks_file: Option<PathBuf>,
    /// How often `jwks_url` is asked.
    pub jwks_refresh_seconds: u64,
    /// How long after a token with an unknown key the next one makes us ask again.
    pub jwks_cooldown_seconds: u64,
    /// The key of HS256 tokens, for development: at least 32 bytes.
    pub hs256_secret: Option<Secret>,
    /// Holds that key.
    pub hs256_secret_file: Option<PathBuf>,
    /// How far clocks may differ.
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

/// `[api.limits]`: rates are in costs, see docs/OPERATIONS.md; a rate of 0 is without limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiLimits {
    /// What a tenant may ask in a second, with all its tokens.
    pub tenant_per_second: u32,
    /// What a tenant may ask at once after a pause.
    pub tenant_burst: u32,
    /// What may be asked in a second with one token.
    pub token_per_second: u32,
    /// What may be asked at once with one token after a pause.
    pub token_burst: u32,
    /// How many tokens not seen before one peer may show in a second.
    pub peer_per_second: u32,
    /// How many of them at once after a pause.
    pub peer_burst: u32,
    /// Proxies (addresses or networks) whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// What one tenant may have of `api.connections` at once, in percent.
    pub tenant_share_percent: usize,
    /// Requests under way at once; more are answered 503.
    pub concurrent_requests: usize,
    /// Open connections of clients; more wait to be accepted.
    pub connections: usize,
    /// How long a request may take.
    pub request_timeout_seconds: u64,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// How long the last requests may take at the end.
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
            request_timeout_seconds: 10,
            body_bytes: 64 * 1024,
            drain_seconds: 15,
        }
    }
}

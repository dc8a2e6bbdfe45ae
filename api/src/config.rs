//! The configuration of the API, as data. The composition root reads files and the environment.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tidemark_schemas::Instant;

use crate::http::{Network, Rate};

/// The configuration of a [`Service`](crate::Service).
///
/// ```
/// use tidemark_api::{AuthConfig, Config};
///
/// let auth = AuthConfig::new("tidemark", "tidemark-api", "a secret of at least 32 bytes ...");
/// let config = Config::new("postgres://localhost/tidemark", auth);
/// assert_eq!(config.role.as_deref(), Some("tidemark_api"));
/// ```
#[derive(Clone)]
pub struct Config {
    /// The URL, `postgres://…`, with a login role that can `set role` to `role`.
    pub database_url: String,
    /// The role to set after connecting; `None` keeps the login role. It must be subject to row-level
    /// security: the API refuses to start as a superuser.
    pub role: Option<String>,
    /// The size of the connection pool, and so the number of concurrent reads.
    pub connections: u32,
    /// The verification of tokens.
    pub auth: AuthConfig,
    /// A fixed instant in place of the wall clock, from which the age of the data is measured. Tokens
    /// still expire by real time.
    pub clock: Option<Instant>,
    /// The limits of clients, requests and connections.
    pub limits: Limits,
    /// True if a proxy in front terminates TLS. Responses then carry HSTS.
    pub is_behind_tls: bool,
    /// The origins of pages that may call the API, such as `https://dashboard.example.com`.
    pub allowed_origins: Vec<String>,
    /// The response cache.
    pub cache: CacheConfig,
}

impl Config {
    /// Returns a configuration with the role `tidemark_api`, ten connections and the default limits.
    pub fn new(database_url: impl Into<String>, auth: AuthConfig) -> Self {
        Self {
            database_url: database_url.into(),
            role: Some("tidemark_api".to_owned()),
            connections: 10,
            auth,
            clock: None,
            limits: Limits::default(),
            is_behind_tls: false,
            allowed_origins: Vec::new(),
            cache: CacheConfig::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("database_url", &"***") // may hold a password
            .field("role", &self.role)
            .field("connections", &self.connections)
            .field("auth", &self.auth)
            .field("clock", &self.clock)
            .field("limits", &self.limits)
            .field("is_behind_tls", &self.is_behind_tls)
            .field("allowed_origins", &self.allowed_origins)
            .field("cache", &self.cache)
            .finish()
    }
}

/// The verification of tokens.
#[derive(Clone)]
pub struct AuthConfig {
    /// The required `iss` of every token.
    pub issuer: String,
    /// The required `aud` of every token, or one of its audiences.
    pub audience: String,
    /// The source of the keys that verify signatures.
    pub keys: KeySource,
    /// The clock skew that is allowed when `exp` and `nbf` are checked; at most
    /// [`MAX_LEEWAY_SECONDS`](crate::auth::MAX_LEEWAY_SECONDS).
    pub leeway_seconds: u64,
    /// The interval at which keys are fetched from a URL.
    pub refresh: Duration,
    /// The time after a fetch for an unknown key before the next one.
    pub cool_down: Duration,
}

/// The source of the keys. A changed file is read again.
#[derive(Clone)]
pub enum KeySource {
    /// A shared secret for HS256, of at least [`MIN_SECRET_BYTES`](crate::auth::MIN_SECRET_BYTES).
    /// It is for development, because a secret that verifies tokens can also issue them.
    Secret(String),
    /// A file with a shared secret.
    SecretFile(PathBuf),
    /// A file with a JSON Web Key Set, with keys for RS256, ES256 and `EdDSA`.
    JwksFile(PathBuf),
    /// The URL of a JSON Web Key Set at an identity provider.
    JwksUrl {
        /// The URL. It should be https, unless the provider is on the same machine.
        url: String,
        /// A file with certificates (PEM) to trust instead of those of the system.
        ca_file: Option<PathBuf>,
    },
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret(***)"),
            Self::SecretFile(path) => f.debug_tuple("SecretFile").field(path).finish(),
            Self::JwksFile(path) => f.debug_tuple("JwksFile").field(path).finish(),
            Self::JwksUrl { url, .. } => f.debug_tuple("JwksUrl").field(url).finish(),
        }
    }
}

impl AuthConfig {
    /// Returns a configuration with a shared secret, for development, and a leeway of 30 seconds.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        hs256_secret: impl Into<String>,
    ) -> Self {
        Self::with_keys(issuer, audience, KeySource::Secret(hs256_secret.into()))
    }

    /// Returns a configuration with a leeway of 30 seconds, a refresh every five minutes, and a
    /// cool-down of 30 seconds after a fetch for an unknown key.
    pub fn with_keys(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        keys: KeySource,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            keys,
            leeway_seconds: 30,
            refresh: Duration::from_mins(5),
            cool_down: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthConfig")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("keys", &self.keys)
            .field("leeway_seconds", &self.leeway_seconds)
            .field("refresh", &self.refresh)
            .field("cool_down", &self.cool_down)
            .finish()
    }
}

/// The size of the response cache, and its use while the database is unavailable.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// The size of the cache, in bytes; zero disables it.
    pub bytes: u64,
    /// The greatest age of the responses that are served while the database is unavailable.
    pub stale_for: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            stale_for: Duration::from_mins(10),
        }
    }
}

/// The limits that protect the process and its tenants from overload.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The number of concurrent requests. Further requests are answered 503 at once.
    pub concurrent_requests: usize,
    /// The share of the connections to Postgres that one tenant may use at once, in percent. Further
    /// requests of the tenant queue.
    pub tenant_share_percent: usize,
    /// The rate limit of one tenant with all its tokens, in costs; see docs/OPERATIONS.md.
    pub tenant_rate: Rate,
    /// The rate limit of one token, in costs.
    pub token_rate: Rate,
    /// The rate limit of one peer, in requests with a token that is not cached, valid or not.
    pub peer_rate: Rate,
    /// The proxies with a trusted `X-Forwarded-For`.
    pub trusted_proxies: Vec<Network>,
    /// The number of open connections. Further clients wait to be accepted.
    pub connections: usize,
    /// The number of open connections of one peer. Further ones are closed at once. Trusted proxies are
    /// exempt.
    pub connections_per_peer: usize,
    /// The time limit to receive the head of the first request of a connection.
    pub first_head_timeout: Duration,
    /// The time within which a client reads some of a response that waits for it.
    pub write_timeout: Duration,
    /// The time limit of a request, after which it is answered 503.
    pub request_timeout: Duration,
    /// The time limit of one SQL statement, enforced by Postgres. It is less than `request_timeout`,
    /// so that abandoned work ends soon after.
    pub statement_timeout: Duration,
    /// The time limit for the positions in `Tidemark-Wait`. It is less than `request_timeout`, so that
    /// there is time to answer.
    pub wait_timeout: Duration,
    /// The time limit to acquire a database connection.
    pub acquire_timeout: Duration,
    /// The time limit to receive the head of a request, and so also for idle connections. It is longer
    /// than a proxy in front keeps idle connections; otherwise the proxy may send a request on a
    /// connection that is just being closed.
    pub head_timeout: Duration,
    /// The size of a request's body, in bytes.
    pub body_bytes: usize,
    /// The time limit of requests in progress after shutdown begins.
    pub drain_timeout: Duration,
    /// The age of the slowest partition's clock, by that of the database, above which `/readyz` fails; `None` never
    /// fails. `None` suits a fixed clock, and services where a stale response is better than none.
    pub ready_staleness: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_requests: 512,
            tenant_share_percent: 50,
            tenant_rate: Rate {
                per_second: 500,
                burst: 2_500,
            },
            token_rate: Rate {
                per_second: 200,
                burst: 1_000,
            },
            peer_rate: Rate {
                per_second: 20,
                burst: 200,
            },
            trusted_proxies: Vec::new(),
            connections: 4_096,
            connections_per_peer: 512,
            first_head_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(5),
            wait_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(2),
            head_timeout: Duration::from_secs(75),
            body_bytes: 64 * 1024,
            drain_timeout: Duration::from_secs(15),
            ready_staleness: None,
        }
    }
}

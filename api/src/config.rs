//! What the API must be told. Reads no file and no environment: that is the root's.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tidemark_schemas::Instant;

use crate::http::{Network, Rate};

/// Everything a [`Service`](crate::Service) needs to know.
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
    /// `postgres://…` of a login role that may take on `role`.
    pub database_url: String,
    /// Role to take on after connecting. It must be subject to row-level security: the API refuses
    /// to start as a superuser. `None` keeps the login role.
    pub role: Option<String>,
    /// Connections at most; also how many requests can read at once.
    pub connections: u32,
    /// Whom to believe.
    pub auth: AuthConfig,
    /// A fixed instant that stands in for the wall clock: the age of the data is measured by it.
    /// Tokens expire by real time all the same.
    pub clock: Option<Instant>,
    /// How much one client may ask.
    pub limits: Limits,
    /// Whether clients come by TLS (which something in front of us ends): browsers are then told
    /// never to come without it again.
    pub is_behind_tls: bool,
    /// Origins whose pages may call, such as `https://dashboard.example.com`.
    pub allowed_origins: Vec<String>,
    /// How much is kept of what was answered.
    pub cache: CacheConfig,
}

impl Config {
    /// The usual role, ten connections, the default limits.
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

/// Which tokens are believed.
#[derive(Clone)]
pub struct AuthConfig {
    /// The `iss` every token must have.
    pub issuer: String,
    /// The `aud` every token must have (or have among its audiences).
    pub audience: String,
    /// What signatures are checked with.
    pub keys: KeySource,
    /// How far clocks may differ when `exp` and `nbf` are checked; at most
    /// [`MAX_LEEWAY_SECONDS`](crate::auth::MAX_LEEWAY_SECONDS).
    pub leeway_seconds: u64,
    /// How often a URL is asked for its keys.
    pub refresh: Duration,
    /// How long after a token with an unknown key the next one makes us ask again.
    pub cool_down: Duration,
}

/// Where the keys come from. Files are read again when they change.
#[derive(Clone)]
pub enum KeySource {
    /// Shared secret of HS256, of at least [`MIN_SECRET_BYTES`](crate::auth::MIN_SECRET_BYTES):
    /// for development, since whoever checks tokens with it can also make them.
    Secret(String),
    /// The same, in a file.
    SecretFile(PathBuf),
    /// A JSON Web Key Set with keys of RS256, ES256 and `EdDSA`.
    JwksFile(PathBuf),
    /// The same, from an identity provider.
    JwksUrl {
        /// By https, unless it is on the same machine.
        url: String,
        /// Certificates (PEM) to trust instead of the system's.
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
    /// With a shared secret, for development, and a leeway of 30 seconds.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        hs256_secret: impl Into<String>,
    ) -> Self {
        Self::with_keys(issuer, audience, KeySource::Secret(hs256_secret.into()))
    }

    /// With a leeway of 30 seconds; a URL is asked every five minutes, and for the sake of unknown
    /// keys twice a minute at most.
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

/// How much is kept of what was answered, and how long.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// Bytes of answers at most; zero keeps none.
    pub bytes: u64,
    /// While the database is away, answers are given that were read at most so long ago.
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

/// How much is accepted before the process would suffer.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests under way at once; more are answered 503 at once.
    pub concurrent_requests: usize,
    /// What one tenant may have of the connections to Postgres at once, in percent; more of its
    /// requests wait in line.
    pub tenant_share_percent: usize,
    /// What one tenant may ask, with all its tokens, in costs: see docs/OPERATIONS.md.
    pub tenant_rate: Rate,
    /// What may be asked with one token, in costs.
    pub token_rate: Rate,
    /// How many tokens not seen before, good or bad, one peer may show.
    pub peer_rate: Rate,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Open connections; more wait to be accepted.
    pub connections: usize,
    /// How long a request may take until it is answered 503.
    pub request_timeout: Duration,
    /// How long one SQL statement may take: Postgres ends it. Less than `request_timeout`, so that
    /// abandoned work ends soon after.
    pub statement_timeout: Duration,
    /// How long a request waits for the position its `Tidemark-Wait` names. Less than
    /// `request_timeout`, so that there is time to answer.
    pub wait_timeout: Duration,
    /// How long a request waits for a database connection.
    pub acquire_timeout: Duration,
    /// How long a client may take to send the head of a request, and so also how long a connection
    /// may be idle between two. Longer than a proxy in front keeps idle connections, else it may
    /// send a request on one that is just being closed.
    pub head_timeout: Duration,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// How long the last requests may take after shutdown began.
    pub drain_timeout: Duration,
    /// `/readyz` fails when the watermark is further than this behind the database's clock; `None`
    /// (right with a fixed clock, and where answers that say they are old beat none) never does.
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

//! What the API must be told. Reads no file and no environment: that is the root's.

use std::fmt;
use std::time::Duration;

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
    /// How much one client may ask.
    pub limits: Limits,
}

impl Config {
    /// The usual role, ten connections, the default limits.
    pub fn new(database_url: impl Into<String>, auth: AuthConfig) -> Self {
        Self {
            database_url: database_url.into(),
            role: Some("tidemark_api".to_owned()),
            connections: 10,
            auth,
            limits: Limits::default(),
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
            .field("limits", &self.limits)
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
    /// Shared secret of HS256, of at least [`MIN_SECRET_BYTES`](crate::auth::MIN_SECRET_BYTES).
    pub hs256_secret: String,
    /// How far clocks may differ when `exp` and `nbf` are checked; at most
    /// [`MAX_LEEWAY_SECONDS`](crate::auth::MAX_LEEWAY_SECONDS).
    pub leeway_seconds: u64,
}

impl AuthConfig {
    /// With a leeway of 30 seconds.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        hs256_secret: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            hs256_secret: hs256_secret.into(),
            leeway_seconds: 30,
        }
    }
}

impl fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthConfig")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("hs256_secret", &"***")
            .field("leeway_seconds", &self.leeway_seconds)
            .finish()
    }
}

/// How much is accepted before the process would suffer.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests under way at once; more are answered 503 at once.
    pub concurrent_requests: usize,
    /// Open connections; more wait to be accepted.
    pub connections: usize,
    /// How long a request may take until it is answered 503.
    pub request_timeout: Duration,
    /// How long one SQL statement may take: Postgres ends it. Less than `request_timeout`, so that
    /// abandoned work ends soon after.
    pub statement_timeout: Duration,
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
            connections: 4_096,
            request_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(2),
            head_timeout: Duration::from_secs(75),
            body_bytes: 64 * 1024,
            drain_timeout: Duration::from_secs(15),
            ready_staleness: None,
        }
    }
}

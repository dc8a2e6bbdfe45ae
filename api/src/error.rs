//! Errors of the API as a component. The error of one request is a
//! [`Problem`](crate::http::Problem).

use crate::http::SmallBurst;

/// The reason why the API cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The HS256 secret is short enough to be guessed.
    #[error("the HS256 secret has {bytes} bytes; at least {minimum} are required")]
    ShortSecret {
        /// The length of the secret.
        bytes: usize,
        /// The required length.
        minimum: usize,
    },
    /// The issuer or audience is empty.
    #[error("auth.{0} is empty")]
    EmptyClaim(&'static str),
    /// The leeway would accept expired tokens for too long.
    #[error("auth.leeway_seconds is {seconds}; at most {maximum} are allowed")]
    LongLeeway {
        /// The configured leeway.
        seconds: u64,
        /// The greatest leeway that is allowed.
        maximum: u64,
    },
    /// The keys that verify tokens cannot be read at the start.
    #[error("reading the keys that verify tokens failed: {0}")]
    Keys(String),
    /// A burst is smaller than the greatest cost of a request.
    #[error(transparent)]
    SmallBurst(#[from] SmallBurst),
    /// An allowed origin is malformed.
    #[error("{0:?} is not an origin such as https://dashboard.example.com")]
    Origin(String),
    /// A limit is zero, which would refuse every request.
    #[error("{0} must be greater than zero")]
    Zero(&'static str),
    /// Signing a token failed.
    #[error("signing the token failed: {0}")]
    Signing(#[source] jsonwebtoken::errors::Error),
    /// The database URL is malformed.
    #[error("the database url is malformed: {0}")]
    DatabaseUrl(#[source] sqlx::Error),
    /// Postgres is unavailable, or refuses the connection.
    #[error("connecting to Postgres failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The database role bypasses row-level security.
    #[error(
        "the database role {0:?} bypasses row-level security (it is a superuser, or has bypassrls): \
         configure a role that does not, such as tidemark_api"
    )]
    PrivilegedRole(String),
    /// The database role reads the rows of all tenants.
    #[error(
        "the database role {0:?} has the privileges of tidemark_processor, whose policies show the rows of \
         all tenants: set database.api_role to tidemark_api"
    )]
    ProcessorRole(String),
    /// Registering a metric failed.
    #[error("registering metrics failed: {0}")]
    Metrics(#[from] prometheus::Error),
}

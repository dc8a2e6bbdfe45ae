//! Why the API cannot start or go on. What goes wrong for one request is a
//! [`Problem`](crate::http::problem::Problem), not this.

/// Why the API cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The HS256 secret can be guessed.
    #[error("the HS256 secret has {bytes} bytes; at least {minimum} are needed")]
    ShortSecret {
        /// How long it is.
        bytes: usize,
        /// How long it must be.
        minimum: usize,
    },
    /// An issuer or audience that every token would have to lack.
    #[error("auth.{0} is empty")]
    EmptyClaim(&'static str),
    /// Expired tokens would be accepted for too long.
    #[error("auth.leeway_seconds is {seconds}; at most {maximum} are allowed")]
    LongLeeway {
        /// What was asked for.
        seconds: u64,
        /// What is allowed.
        maximum: u64,
    },
    /// The keys for tokens could not be read at the start.
    #[error("keys for tokens: {0}")]
    Keys(String),
    /// A bucket that no dear request would ever find full enough.
    #[error("limits.{limit}_burst is {burst}; at least {least} is needed, which one list costs")]
    SmallBurst {
        /// `tenant`, `token` or `peer`.
        limit: &'static str,
        /// What was asked for.
        burst: u32,
        /// What is needed.
        least: u32,
    },
    /// An origin that no browser would send.
    #[error("{0:?} is not an origin such as https://dashboard.example.com")]
    Origin(String),
    /// A limit of zero would refuse everything.
    #[error("{0} must be greater than zero")]
    Zero(&'static str),
    /// The token could not be signed.
    #[error("signing the token failed: {0}")]
    Signing(#[source] jsonwebtoken::errors::Error),
    /// The database address is not one.
    #[error("the database url is malformed: {0}")]
    DatabaseUrl(#[source] sqlx::Error),
    /// Postgres is not there, or refuses us.
    #[error("connecting to Postgres failed: {0}")]
    Database(#[source] sqlx::Error),
    /// Row-level security would not hold.
    #[error(
        "the database role {0:?} bypasses row-level security (it is a superuser, or has bypassrls): \
         configure a role that does not, such as tidemark_api"
    )]
    PrivilegedRole(String),
    /// Two components registered the same metric.
    #[error("registering metrics failed: {0}")]
    Metrics(#[from] prometheus::Error),
}

//! The writer connections.
//!
//! Not sqlx's pool: a connection returns here only when its work ended well, so that a future
//! dropped in the middle, a timeout or an error never hands on a connection with an open transaction
//! or an answer that is still on its way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::{Fault, StoreError};

/// The time limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit for a piece of work. The server ends it sooner (`statement_timeout`);
/// this bound is for a network that loses the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// The time that a statement waits for a row held by another session. A commit holds its row for
/// milliseconds; a session that holds it longer is stalled.
const LOCK_TIMEOUT: (&str, &str) = ("lock_timeout", "5s");

/// Settings of every writer session, unless the URL's `options` names them.
///
/// All statements find their rows by key, so one plan serves every batch; but it may have been made
/// while a table was empty, when reading all of it looks cheapest, and live on until statistics are
/// next gathered. Pages follow the order of an index: to read all that is left of a table and sort it
/// would make the effort of a walk through it grow with its square.
const SESSION: &[(&str, &str)] = &[
    LOCK_TIMEOUT,
    ("statement_timeout", "60s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("jit", "off"),
];

/// Reads a database URL.
pub(crate) fn parse_url(url: &str) -> Result<PgConnectOptions, StoreError> {
    // The driver would take any scheme.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(StoreError::Setup(
            "its URL does not begin with postgres://".to_owned(),
        ));
    }
    url.parse()
        .map_err(|error: sqlx::Error| StoreError::Setup(format!("its URL is not one: {error}")))
}

/// Adds the settings of a writer session to what the URL says.
pub(super) fn writer_options(
    mut options: PgConnectOptions,
    role: Option<&str>,
) -> PgConnectOptions {
    let given = options.get_options().unwrap_or_default().to_owned();
    for (name, value) in SESSION {
        if !given.contains(name) {
            options = options.options([(name, value)]);
        }
    }
    if let Some(role) = role {
        // As a start-up option `set role` costs no round trip and cannot be forgotten.
        options = options.options([("role", role)]);
    }
    if options.get_application_name().is_none() {
        options = options.application_name("tidemark-processor");
    }
    options
}

/// Connects; the error names the address.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    // No transaction is open yet, so cutting this short is harmless.
    let connecting = PgConnection::connect_with(options);
    let result = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(result) => result,
        Err(elapsed) => Err(sqlx::Error::Io(elapsed.into())),
    };
    result.map_err(|error| match error {
        sqlx::Error::Io(error) => StoreError::Unavailable(sqlx::Error::Io(std::io::Error::new(
            error.kind(),
            format!("cannot connect to {}: {error}", address(options)),
        ))),
        other => other.into(),
    })
}

fn address(options: &PgConnectOptions) -> String {
    options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| socket.display().to_string(),
    )
}

/// The options with which every connection of a database is made. Its password may change.
#[derive(Debug)]
pub(super) struct Login(ArcSwap<PgConnectOptions>);

impl Login {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self(ArcSwap::from_pointee(options))
    }

    /// Makes new connections with this password; those that exist stay open.
    pub(super) fn set_password(&self, password: &str) {
        let options = PgConnectOptions::clone(&self.0.load());
        self.0.store(options.password(password).into());
    }
}

/// A pool of connections to one schema, opened when needed and kept while they work.
#[derive(Debug)]
pub(super) struct Connections {
    login: Arc<Login>,
    schema: String,
    idle: Mutex<Vec<PgConnection>>,
    permits: Semaphore,
}

impl Connections {
    pub(super) fn new(login: Arc<Login>, schema: String, limit: u32) -> Self {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        Self {
            login,
            schema,
            idle: Mutex::default(),
            permits: Semaphore::new(limit),
        }
    }

    /// Makes the first connection, so that an error says why none can be made.
    pub(super) async fn connect_first(&self) -> Result<(), StoreError> {
        let connection = self.connect().await?;
        self.idle().push(connection);
        Ok(())
    }

    /// Returns a connection of the caller's own, as soon as one is free.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<'_>, StoreError> {
        let permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await.map_err(as_unavailable)?,
        };
        Ok(PooledConnection {
            connection,
            connections: self,
            _permit: permit,
        })
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let login = PgConnectOptions::clone(&self.login.0.load());
        connect(&login.options([("search_path", &self.schema)])).await
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login that was accepted at the start and is refused later waits: its password is being changed,
/// and will be read from its file before long.
fn as_unavailable(error: StoreError) -> StoreError {
    match error {
        StoreError::Authentication(error) => StoreError::Unavailable(error),
        other => other,
    }
}

/// Bounds work on a pooled connection. Cutting a transaction short is harmless here, because
/// [`PooledConnection::settle`] then closes the connection.
pub(super) async fn answered<T, E: Into<StoreError>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWER_TIMEOUT, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(elapsed) => Err(sqlx::Error::Io(elapsed.into()).into()),
    }
}

/// A connection that is closed when dropped, and kept when [`PooledConnection::settle`]d with a success.
#[derive(Debug)]
pub(super) struct PooledConnection<'a> {
    connection: PgConnection,
    connections: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl PooledConnection<'_> {
    /// The connection.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Ends the use of the connection: keeps it if all went well, else closes it.
    pub(super) fn settle<T, E: Into<StoreError>>(
        self,
        result: Result<T, E>,
    ) -> Result<T, StoreError> {
        let result = result.map_err(Into::into);
        match &result {
            Ok(_) => {
                let mut connection = self.connection;
                // A large batch must not leave its buffer behind on every connection.
                connection.shrink_buffers();
                self.connections.idle().push(connection);
            }
            // Where one connection broke, the idle ones most likely did too.
            Err(StoreError::Unavailable(error)) if Fault::from_error(error) == Fault::Lost => {
                self.connections.idle().clear();
            }
            Err(_) => {}
        }
        result
    }
}

//! The API as a component: made of a [`Config`], run on a listener, stopped by a token.

use std::sync::Arc;

use axum::Router;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Verifier;
use crate::database::Database;
use crate::metrics::{Metrics, PoolCollector};
use crate::{ApiError, Config, Limits, routes, serve};

/// The read API. Cheap to clone: every clone is the same service.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemark_api::{AuthConfig, Config, Service};
/// use tokio_util::sync::CancellationToken;
///
/// let auth = AuthConfig::new("tidemark", "tidemark-api", "a secret of at least 32 bytes ...");
/// let config = Config::new("postgres://localhost/tidemark", auth);
/// let service = Service::connect(config, &prometheus::Registry::new()).await?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// service.run(listener, CancellationToken::new()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    verifier: Verifier,
    metrics: Metrics,
    limits: Limits,
    admission: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Service {
    /// Checks the configuration, connects to Postgres and registers metrics.
    pub async fn connect(config: Config, registry: &Registry) -> Result<Self, ApiError> {
        let verifier = Verifier::new(&config.auth)?;
        let limits = [
            ("connections", config.connections == 0),
            (
                "limits.concurrent_requests",
                config.limits.concurrent_requests == 0,
            ),
            ("limits.connections", config.limits.connections == 0),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(ApiError::Zero(name));
        }
        let database = Database::connect(&config).await?;
        Self::new(config, database, verifier, registry)
    }

    fn new(
        config: Config,
        database: Database,
        verifier: Verifier,
        registry: &Registry,
    ) -> Result<Self, ApiError> {
        let metrics = Metrics::register(registry)?;
        PoolCollector::register(database.pool().clone(), registry)?;
        Ok(Self(Arc::new(Inner {
            database,
            verifier,
            metrics,
            admission: Arc::new(Semaphore::new(config.limits.concurrent_requests)),
            tasks: TaskTracker::new(),
            limits: config.limits,
        })))
    }

    /// Without a database: for tests of what stands around the routes.
    #[cfg(test)]
    pub(crate) fn without_database(config: Config) -> Result<Self, ApiError> {
        let database = Database::away(&config);
        let verifier = Verifier::new(&config.auth)?;
        Self::new(config, database, verifier, &Registry::new())
    }

    /// Every route, for a listener or a test.
    pub fn router(&self) -> Router {
        routes::router(self)
    }

    /// Serves until `shutdown`; then answers what is under way, within the drain limit, and closes
    /// its connections to Postgres.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ApiError> {
        serve::serve(self.router(), listener, &self.0.limits, shutdown).await;
        self.0.tasks.close();
        let drained = tokio::time::timeout(self.0.limits.statement_timeout, self.0.tasks.wait());
        if drained.await.is_err() {
            tracing::warn!(
                left = self.0.tasks.len(),
                "requests still under way at the end"
            );
        }
        // Waits for connections in use, so it needs a limit too.
        let closed = self.0.database.pool().close();
        if tokio::time::timeout(self.0.limits.statement_timeout, closed)
            .await
            .is_err()
        {
            tracing::warn!("connections to Postgres were still in use at the end");
        }
        Ok(())
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Permits of requests under way.
    pub(crate) fn admission(&self) -> &Arc<Semaphore> {
        &self.0.admission
    }

    /// The tasks requests run in.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }
}

//! The API as a component: made of a [`Config`], run on a listener, stopped by a token.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{KeyRing, Verifier};
use crate::database::Database;
use crate::http::server::serve;
use crate::limits::{RateLimits, Shares};
use crate::metrics::{AdmissionMetrics, Metrics, PoolCollector};
use crate::query::Reader;
use crate::response_cache::{Follower, ResponseCache};
use crate::{ApiError, Config, Limits, auth, routes};

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
    database: Arc<Database>,
    ring: Arc<KeyRing>,
    cache: Arc<ResponseCache>,
    reader: Reader,
    verifier: Verifier,
    rates: RateLimits,
    shares: Shares,
    metrics: Metrics,
    admission_metrics: AdmissionMetrics,
    limits: Limits,
    is_behind_tls: bool,
    allowed_origins: Vec<HeaderValue>,
    admission: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Service {
    /// Checks the configuration, connects to Postgres and registers metrics.
    pub async fn connect(config: Config, registry: &Registry) -> Result<Self, ApiError> {
        auth::check_config(&config.auth)?;
        let limits = [
            ("connections", config.connections == 0),
            (
                "limits.concurrent_requests",
                config.limits.concurrent_requests == 0,
            ),
            ("limits.connections", config.limits.connections == 0),
            (
                "limits.request_timeout_seconds",
                config.limits.request_timeout.is_zero(),
            ),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(ApiError::Zero(name));
        }
        let database = Database::connect(&config).await?;
        Self::new(config, database, registry).await
    }

    async fn new(
        config: Config,
        database: Database,
        registry: &Registry,
    ) -> Result<Self, ApiError> {
        let metrics = Metrics::register(registry)?;
        let admission_metrics = AdmissionMetrics::register(registry)?;
        let ring = Arc::new(KeyRing::open(&config.auth, admission_metrics.clone()).await?);
        let of_ring = Arc::clone(&ring);
        let verifier = Verifier::new(&config.auth, of_ring, admission_metrics.clone())?;
        PoolCollector::register(database.pool().clone(), registry)?;
        let database = Arc::new(database);
        let wait_timeout = config.limits.wait_timeout;
        let cache = ResponseCache::new(&config.cache, wait_timeout, registry)?;
        let cache = Arc::new(cache);
        let reader = Reader::new(
            Arc::clone(&database),
            Arc::clone(&cache),
            metrics.audited.clone(),
        );
        Ok(Self(Arc::new(Inner {
            database,
            ring,
            cache,
            reader,
            verifier,
            rates: RateLimits::new(&config.limits)?,
            shares: Shares::new(config.connections, &config.limits),
            is_behind_tls: config.is_behind_tls,
            allowed_origins: origins(&config.allowed_origins)?,
            metrics,
            admission_metrics,
            admission: Arc::new(Semaphore::new(config.limits.concurrent_requests)),
            tasks: TaskTracker::new(),
            limits: config.limits,
        })))
    }

    /// Without a database: for tests of what stands around the routes.
    #[cfg(test)]
    pub(crate) async fn without_database(config: Config) -> Result<Self, ApiError> {
        let database = Database::away(&config);
        Self::new(config, database, &Registry::new()).await
    }

    /// Connections to Postgres made from now on use this password; those there are stay in.
    pub fn set_database_password(&self, password: &str) {
        self.0.database.set_password(password);
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
        let serving = serve(self.router(), listener, &self.0.limits, shutdown.clone());
        let stop = CancellationToken::new();
        let follower = Follower::new(Arc::clone(&self.0.database), Arc::clone(&self.0.cache));
        let following = follower.run(stop.clone());
        // Until the last request is answered: one may wait for a position.
        let serving = async {
            serving.await;
            stop.cancel();
        };
        tokio::join!(serving, following, self.0.ring.keep(shutdown));
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

    pub(crate) fn cache(&self) -> &ResponseCache {
        &self.0.cache
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    pub(crate) fn ring(&self) -> &KeyRing {
        &self.0.ring
    }

    pub(crate) fn rates(&self) -> &RateLimits {
        &self.0.rates
    }

    pub(crate) fn shares(&self) -> &Shares {
        &self.0.shares
    }

    pub(crate) fn admission_metrics(&self) -> &AdmissionMetrics {
        &self.0.admission_metrics
    }

    pub(crate) fn is_behind_tls(&self) -> bool {
        self.0.is_behind_tls
    }

    pub(crate) fn allowed_origins(&self) -> &[HeaderValue] {
        &self.0.allowed_origins
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

impl FromRef<Service> for Reader {
    fn from_ref(service: &Service) -> Self {
        service.0.reader.clone()
    }
}

/// A wildcard would let every page of the world in, which nobody means who lists pages.
fn origins(texts: &[String]) -> Result<Vec<HeaderValue>, ApiError> {
    let parse = |text: &String| {
        let refused = || ApiError::Origin(text.clone());
        let host = text.strip_prefix("https://");
        let host = host.or_else(|| text.strip_prefix("http://"));
        let host = host.ok_or_else(refused)?;
        if host.is_empty() || host.contains(['/', '*', ' ', ',']) {
            return Err(refused());
        }
        HeaderValue::from_str(text).map_err(|_| refused())
    };
    texts.iter().map(parse).collect()
}

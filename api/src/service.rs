//! The API as a component: built from a [`Config`], run on a listener, stopped by a token.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::{AuthMetrics, Authenticator, KeyRing, Verifier};
use crate::database::Database;
use crate::http::{
    ConcurrencyLimits, Guard, GuardLimits, HttpMetrics, LimitMetrics, PeerConnections, Peers,
    RequestMiddleware, ServerLimits, serve,
};
use crate::layers::{AuthenticatedLayer, Layers};
use crate::query::Reader;
use crate::rate_limits::{MAX_COST, RateLimits};
use crate::readiness::ReadinessCheck;
use crate::response_cache::{Follower, ResponseCache};
use crate::routes::{self, RouteState};
use crate::{ApiError, Config, Limits, auth};

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
    keys: Arc<KeyRing>,
    cache: Arc<ResponseCache>,
    layers: Layers,
    peer_connections: PeerConnections,
    routes: RouteState,
    limits: Limits,
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
                "limits.connections_per_peer",
                config.limits.connections_per_peer == 0,
            ),
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
        database.register_metrics(registry)?;
        let database = Arc::new(database);
        let auth_metrics = AuthMetrics::register(registry)?;
        let keys = Arc::new(KeyRing::open(&config.auth, auth_metrics.clone()).await?);
        let verifier = Verifier::new(&config.auth, Arc::clone(&keys), auth_metrics)?;
        let wait_timeout = config.limits.wait_timeout;
        let cache = Arc::new(ResponseCache::new(&config.cache, wait_timeout, registry)?);
        let limit_metrics = LimitMetrics::register(registry)?;
        let peer_connections = PeerConnections::new(
            config.limits.connections_per_peer,
            config.limits.trusted_proxies.clone(),
            limit_metrics.clone(),
        );
        let metrics = (HttpMetrics::register(registry)?, limit_metrics);
        let layers = layers(&config, verifier, Arc::clone(&cache), metrics)?;
        let reader = Reader::new(Arc::clone(&database), Arc::clone(&cache), registry)?;
        let readiness = ReadinessCheck::new(
            Arc::clone(&keys),
            Arc::clone(&database),
            config.limits.ready_staleness,
        );
        Ok(Self(Arc::new(Inner {
            database,
            keys,
            cache,
            layers,
            peer_connections,
            routes: RouteState { reader, readiness },
            limits: config.limits,
        })))
    }

    /// Returns a service without a database, for tests of the layers around the routes.
    #[cfg(test)]
    pub(crate) async fn without_database(config: Config) -> Result<Self, ApiError> {
        let database = Database::unavailable(&config)?;
        Self::new(config, database, &Registry::new()).await
    }

    #[cfg(test)]
    pub(crate) fn layers(&self) -> &Layers {
        &self.0.layers
    }

    #[cfg(test)]
    pub(crate) fn http_metrics(&self) -> &HttpMetrics {
        self.0.layers.guard.metrics()
    }

    #[cfg(test)]
    pub(crate) fn auth_metrics(&self) -> &AuthMetrics {
        self.0.layers.authenticated.authenticator.metrics()
    }

    /// Uses this password for new connections to Postgres. Open connections stay open.
    pub fn set_database_password(&self, password: &str) {
        self.0.database.set_password(password);
    }

    /// Returns the router of all routes, for a listener or a test.
    pub fn router(&self) -> Router {
        routes::router(&self.0.layers, self.0.routes.clone())
    }

    /// Serves until `shutdown`, then answers the requests in progress, within the drain timeout,
    /// and closes the connections to Postgres.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ApiError> {
        let limits = &self.0.limits;
        let server = ServerLimits {
            connections: limits.connections,
            peers: self.0.peer_connections.clone(),
            first_head_timeout: limits.first_head_timeout,
            write_timeout: limits.write_timeout,
            head_timeout: limits.head_timeout,
            drain_timeout: limits.drain_timeout,
        };
        let readiness = &self.0.routes.readiness;
        readiness.check(&mut None).await; // so that the first response is a result
        let checking = readiness.run(shutdown.clone());
        let serving = serve(self.router(), listener, server, shutdown.clone());
        let stop = CancellationToken::new();
        let follower = Follower::new(Arc::clone(&self.0.database), Arc::clone(&self.0.cache));
        let following = follower.run(stop.clone());
        // The follower outlives the last request, which may wait for a position.
        let serving = async {
            serving.await;
            stop.cancel();
        };
        let refreshing = self.0.keys.refresh_until(shutdown);
        tokio::join!(serving, following, checking, refreshing);
        let tasks = self.0.layers.guard.tasks();
        tasks.close();
        let drained = tokio::time::timeout(limits.statement_timeout, tasks.wait());
        if drained.await.is_err() {
            tracing::warn!(
                left = tasks.len(),
                "requests were still in progress at the end"
            );
        }
        // Closing waits for connections in use, so it has a time limit too.
        let closed = self.0.database.close();
        if tokio::time::timeout(limits.statement_timeout, closed)
            .await
            .is_err()
        {
            tracing::warn!("connections to Postgres were still in use at the end");
        }
        Ok(())
    }
}

/// Builds the layers.
fn layers(
    config: &Config,
    verifier: Verifier,
    cache: Arc<ResponseCache>,
    (http_metrics, limit_metrics): (HttpMetrics, LimitMetrics),
) -> Result<Layers, ApiError> {
    let limits = &config.limits;
    let peers = Arc::new(Peers::new(
        limits.peer_rate,
        MAX_COST,
        limits.trusted_proxies.clone(),
        limit_metrics.clone(),
    )?);
    let guard_limits = GuardLimits {
        body_bytes: limits.body_bytes,
        concurrent_requests: limits.concurrent_requests,
        request_timeout: limits.request_timeout,
    };
    let guard = Guard::new(guard_limits, http_metrics.clone());
    let authenticated = AuthenticatedLayer {
        authenticator: Authenticator::new(verifier, Arc::clone(&peers)),
        rates: RateLimits::new(limits.tenant_rate, limits.token_rate, limit_metrics.clone())?,
        cache,
        concurrency: Arc::new(ConcurrencyLimits::new(
            config.connections,
            limits.tenant_share_percent,
            limit_metrics,
        )),
        guard: guard.clone(),
    };
    Ok(Layers {
        middleware: RequestMiddleware::new(config.is_behind_tls, http_metrics),
        allowed_origins: parse_origins(&config.allowed_origins)?,
        body_bytes: limits.body_bytes,
        peers,
        guard,
        authenticated: Arc::new(authenticated),
    })
}

/// Parses origins. A wildcard is an error, because it would allow every page.
fn parse_origins(texts: &[String]) -> Result<Vec<HeaderValue>, ApiError> {
    let parse = |text: &String| {
        let invalid = || ApiError::Origin(text.clone());
        let host = text.strip_prefix("https://");
        let host = host.or_else(|| text.strip_prefix("http://"));
        let host = host.ok_or_else(invalid)?;
        if host.is_empty() || host.contains(['/', '*', ' ', ',']) {
            return Err(invalid());
        }
        HeaderValue::from_str(text).map_err(|_| invalid())
    };
    texts.iter().map(parse).collect()
}

//! The long-running parts: made from the configuration, run together, stopped together.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tidemark_api::{ApiError, KeySource, Service};
use tidemark_processor::clock::WallClock;
use tidemark_processor::migrate::{GenerationSpec, ensure_generation, migrate};
use tidemark_processor::store::StoreConfig;
use tidemark_processor::{HaltLimit, Processor, ProcessorError, Progress};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{ApiLimits, Auth, Config};
use crate::database;
use crate::failure::Usage;
use crate::kafka::events::registry_config;

/// Returns the configuration of the processor.
fn processor_config(
    config: &Config,
    clock: WallClock,
) -> Result<tidemark_processor::Config, Usage> {
    let limits = &config.processor;
    Ok(tidemark_processor::Config {
        kafka: config.kafka.connection(),
        registry: registry_config(&config.registry),
        store: StoreConfig {
            url: database::url(&config.database)?,
            role: Some(config.database.processor_role.clone()),
            writers: config.database.writers,
            synchronous_commit: config.database.synchronous_commit,
        },
        clock,
        limits: tidemark_processor::Limits {
            batch_events: limits.batch_events,
            batch_bytes: limits.batch_bytes,
            linger: Duration::from_millis(limits.linger_ms),
            memory_bytes: limits.memory_mib.saturating_mul(1024 * 1024),
            drain: Duration::from_secs(limits.drain_seconds),
            stalled: Duration::from_secs(limits.stalled_seconds),
            halt: HaltLimit {
                share: limits.halt_share,
                window: limits.halt_window,
                minimum: limits.halt_minimum,
            },
            parked_quota_bytes: limits.parked_quota_bytes(),
        },
    })
}

/// Returns the configuration of the API.
pub(crate) fn api_config(
    config: &Config,
    clock: Option<tidemark_schemas::Instant>,
) -> Result<tidemark_api::Config, Usage> {
    let api = &config.api;
    Ok(tidemark_api::Config {
        database_url: database::url(&config.database)?,
        role: Some(config.database.api_role.clone()),
        connections: api.connections,
        auth: tidemark_api::AuthConfig {
            issuer: api.auth.issuer.clone(),
            audience: api.auth.audience.clone(),
            keys: key_source(&api.auth)?,
            leeway_seconds: api.auth.leeway_seconds,
            refresh: Duration::from_secs(api.auth.jwks_refresh_seconds.max(1)),
            cool_down: Duration::from_secs(api.auth.jwks_cooldown_seconds),
        },
        clock,
        limits: tidemark_api::Limits {
            wait_timeout: Duration::from_millis(api.wait_ms),
            ..api_limits(&api.limits)?
        },
        is_behind_tls: api.behind_tls,
        allowed_origins: api.allowed_origins.clone(),
        cache: tidemark_api::CacheConfig {
            bytes: api.cache.mib.saturating_mul(1024 * 1024),
            stale_for: Duration::from_secs(api.cache.stale_seconds),
        },
    })
}

/// Returns the one source of keys. Two are refused: the weaker one would decide.
fn key_source(auth: &Auth) -> Result<KeySource, Usage> {
    let secret = match (&auth.hs256_secret_file, &auth.hs256_secret) {
        (Some(path), _) => Some(KeySource::SecretFile(path.clone())),
        (None, Some(secret)) => Some(KeySource::Secret(secret.reveal().to_owned())),
        (None, None) => None,
    };
    let file = auth.jwks_file.clone().map(KeySource::JwksFile);
    let url = auth.jwks_url.clone().map(|url| KeySource::JwksUrl {
        url,
        ca_file: auth.jwks_ca_file.clone(),
    });
    let mut sources = [secret, file, url].into_iter().flatten();
    match (sources.next(), sources.next()) {
        (Some(source), None) => Ok(source),
        (None, _) => Err(Usage::new(
            "no key to check tokens with: set api.auth.jwks_url or api.auth.jwks_file, or for \
             development api.auth.hs256_secret_file or TIDEMARK_API__AUTH__HS256_SECRET",
        )),
        (Some(_), Some(_)) => Err(Usage::new(
            "more than one place for keys to check tokens with: set one of api.auth.jwks_url, \
             api.auth.jwks_file and api.auth.hs256_secret",
        )),
    }
}

fn api_limits(limits: &ApiLimits) -> Result<tidemark_api::Limits, Usage> {
    let rate = |per_second, burst| tidemark_api::Rate { per_second, burst };
    let trusted_proxies = limits.trusted_proxies.iter().map(|text| text.parse());
    let trusted_proxies = trusted_proxies
        .collect::<Result<_, _>>()
        .map_err(|error| Usage::new(format!("api.limits.trusted_proxies: {error}")))?;
    let defaults = tidemark_api::Limits::default();
    let request_timeout = Duration::from_secs(limits.request_timeout_seconds);
    Ok(tidemark_api::Limits {
        concurrent_requests: limits.concurrent_requests,
        tenant_share_percent: limits.tenant_share_percent,
        tenant_rate: rate(limits.tenant_per_second, limits.tenant_burst),
        token_rate: rate(limits.token_per_second, limits.token_burst),
        peer_rate: rate(limits.peer_per_second, limits.peer_burst),
        trusted_proxies,
        connections: limits.connections,
        connections_per_peer: limits.connections_per_peer,
        request_timeout,
        // The statement of a request that timed out must end soon after it.
        statement_timeout: defaults.statement_timeout.min(request_timeout / 2),
        body_bytes: limits.body_bytes,
        drain_timeout: Duration::from_secs(limits.drain_seconds),
        ..defaults
    })
}

/// Connects the API; an error names the setting to change.
pub(crate) async fn connect_api(
    config: &Config,
    api: tidemark_api::Config,
    registry: &prometheus::Registry,
) -> anyhow::Result<Service> {
    let connected = Service::connect(api, registry).await;
    connected.map_err(|error| match error {
        ApiError::ShortSecret { .. }
        | ApiError::EmptyClaim(_)
        | ApiError::LongLeeway { .. }
        | ApiError::Zero(_)
        | ApiError::SmallBurst { .. }
        | ApiError::Origin(_)
        | ApiError::Keys(_)
        | ApiError::DatabaseUrl(_) => Usage::new(format!("api: {error}")).into(),
        ApiError::Database(_) => anyhow!(
            "{error} ({}){}",
            database::place(&config.database),
            database::advice(&error.to_string())
        ),
        other => other.into(),
    })
}

/// Starts the processor; an error names the setting to change.
pub(crate) async fn start_processor(
    config: &Config,
    clock: WallClock,
    registry: &prometheus::Registry,
) -> anyhow::Result<Processor> {
    let started = Processor::start(processor_config(config, clock)?, registry).await;
    started.map_err(|error| match error {
        ProcessorError::Property(_) => Usage::new(error.to_string()).into(),
        ProcessorError::Store(_) => anyhow!("{error}{}", database::advice(&error.to_string())),
        other => other.into(),
    })
}

/// Creates what is missing in the database, and returns the active generation.
pub(crate) async fn prepare_database(
    url: &str,
    config: &Config,
    partitions: i32,
) -> anyhow::Result<i32> {
    migrate(url).await?;
    let spec = GenerationSpec {
        topic: config.kafka.topic.clone(),
        partitions,
        partitioner: config.kafka.partitioner,
    };
    Ok(ensure_generation(url, &spec).await?)
}

/// Returns the fixed clock of `--clock`, or the system's.
pub(crate) fn wall_clock(fixed: Option<tidemark_schemas::Instant>) -> WallClock {
    fixed.map_or(WallClock::System, WallClock::Fixed)
}

/// Binds a listener; an error names the setting to change.
pub(crate) async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                anyhow!(
                    "{address} is in use by another process: choose another port with {setting}"
                )
            }
            _ => anyhow!("cannot listen on {address} ({setting}): {error}"),
        })
}

/// Serves `/metrics`, and `/healthz` while the process lives: 503 while a partition of the processor,
/// if one runs here, stands still.
pub(crate) async fn serve_metrics(
    listener: TcpListener,
    registry: prometheus::Registry,
    progress: Option<Progress>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let health = async move || health(progress.as_ref());
    let router = tidemark_api::metrics_router(registry).route("/healthz", get(health));
    serve(listener, router, shutdown)
        .await
        .context("serving metrics")
}

fn health(progress: Option<&Progress>) -> (StatusCode, String) {
    let stalled = progress.map(Progress::stalled).unwrap_or_default();
    if stalled.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let lines = stalled.iter().map(|partition| format!("{partition}\n"));
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}

/// Serves a router until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

/// Parts that run until one of them fails or the process is interrupted.
#[derive(Debug)]
pub(crate) struct Parts {
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
    shutdown: CancellationToken,
    interrupts: Interrupts,
}

impl Parts {
    /// Listens for signals, with no part running yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            running: JoinSet::new(),
            shutdown: CancellationToken::new(),
            interrupts: Interrupts::new()?,
        })
    }

    /// Returns the token that stops every part.
    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Starts a part, which must end on shutdown.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.running.spawn(async move { (name, part.await) });
    }

    /// Returns when a part has ended by itself, which is always an error, or on an interrupt, which
    /// is none.
    pub(crate) async fn watch(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            () = self.interrupts.next() => Ok(()),
            Some(ended) = self.running.join_next() => match ended {
                Ok((name, Ok(()))) => Err(anyhow!("the {name} ended without an error or a request")),
                Ok((_, Err(error))) => Err(error),
                Err(panic) => Err(anyhow!("a part of the process panicked: {panic}")),
            },
        }
    }

    /// Stops every part and waits for it. A second interrupt ends the wait.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        loop {
            tokio::select! {
                () = self.interrupts.next() => {
                    self.running.abort_all();
                    bail!("interrupted again before everything was drained");
                }
                ended = self.running.join_next() => match ended {
                    None => return Ok(()),
                    Some(Ok((_, Ok(())))) => {}
                    Some(Ok((name, Err(error)))) => {
                        tracing::error!("stopping the {name}: {error:#}");
                    }
                    Some(Err(panic)) => tracing::error!("while stopping: {panic}"),
                },
            }
        }
    }

    /// Runs until a part fails or the process is interrupted, then stops every part.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let ended = self.watch().await;
        let stopped = self.stop().await;
        ended.and(stopped)
    }
}

/// The signals SIGINT (Ctrl-C) and SIGTERM.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Returns when the process is interrupted.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

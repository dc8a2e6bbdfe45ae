//! All parts of `tidemark up`: starts them in order, and stops them in the reverse order.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use tidemark_kafka::broker::EmbeddedBroker;
use tidemark_kafka::topics;
use tidemark_processor::ProcessorError;
use tidemark_processor::clock::WallClock;
use tidemark_projections::definitions::Bundle;
use tidemark_schemas::TenantId;
use tokio::net::TcpListener;

use super::postgres::{Keep, PrivatePostgres};
use super::random_secret;
use super::token_file::TokenFile;
use super::tokens::Signer;
use crate::config::{Config, Secret};
use crate::database::Projections;
use crate::definitions_log::DefinitionsLog;
use crate::kafka::events;
use crate::services::{
    Interrupts, Parts, api_config, connect_api, listen, prepare_database, serve, serve_metrics,
    start_processor, wall_clock,
};
use crate::up_file::{DataDirLock, UpFile, remove_file, write_private};

/// The file that holds the key of an `up`'s tokens.
const KEY_FILE: &str = "hs256.key";

/// The parts to start, and where.
#[derive(Debug, Clone)]
pub(crate) struct StackOptions {
    pub(crate) data_dir: PathBuf,
    /// The port of the API; 0 takes a free one.
    pub(crate) port: u16,
    /// The number of partitions of the events' topic, if it is created.
    pub(crate) partitions: i32,
    /// A real broker instead of the embedded one.
    pub(crate) kafka: Option<String>,
    /// A real schema registry instead of the development one.
    pub(crate) registry: Option<String>,
    pub(crate) clock: Option<tidemark_schemas::Instant>,
    /// The tenants that have tokens from the beginning.
    pub(crate) tenants: Vec<TenantId>,
    /// The definitions to apply where there are none yet.
    pub(crate) first_definitions: Option<Bundle>,
}

/// The running parts.
pub(crate) struct Stack {
    /// The configuration with the addresses of the started parts.
    pub(crate) config: Config,
    /// The content of `up.json`.
    pub(crate) up: UpFile,
    data_dir: PathBuf,
    parts: Parts,
    postgres: PrivatePostgres,
    /// Dropped after every client of the broker.
    _broker: Option<EmbeddedBroker>,
    /// Dropped last, which releases the data directory.
    _lock: DataDirLock,
}

/// The listeners, bound before anything else starts, so that a port in use is reported at once.
struct Listeners {
    api: TcpListener,
    metrics: TcpListener,
    registry: Option<TcpListener>,
}

impl Listeners {
    async fn bind(options: &StackOptions) -> anyhow::Result<Self> {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self {
            api: listen(loopback(options.port), "--port").await?,
            metrics: listen(loopback(0), "metrics").await?,
            registry: match options.registry {
                Some(_) => None,
                None => Some(listen(loopback(0), "registry").await?),
            },
        })
    }
}

fn url_of(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

impl Stack {
    /// Starts all parts in the order of their dependencies.
    pub(crate) async fn start(options: StackOptions, mut config: Config) -> anyhow::Result<Self> {
        let lock = DataDirLock::take(&options.data_dir)?;
        let data_dir = std::fs::canonicalize(&options.data_dir)?;
        let listeners = Listeners::bind(&options).await?;
        let keep = if options.kafka.is_some() {
            Keep::Everything
        } else {
            Keep::Nothing
        };
        let broker = start_broker(&options, &mut config).await?;
        let postgres = PrivatePostgres::start(&data_dir, keep, &[]).await?;
        let secret_file = write_key(&data_dir, &mut config)?;
        postgres.url().clone_into(&mut config.database.url);
        config.database.password = None;
        let up = UpFile {
            api_url: url_of(&listeners.api)?,
            embedded_broker: broker.is_some(),
            kafka_bootstrap: config.kafka.bootstrap_servers.clone(),
            registry_url: match (&options.registry, &listeners.registry) {
                (Some(url), _) => url.clone(),
                (None, Some(listener)) => url_of(listener)?,
                (None, None) => config.registry.url.clone(),
            },
            database_url: config.database.url.clone(),
            metrics_url: format!("{}/metrics", url_of(&listeners.metrics)?),
            topic: config.kafka.topic.clone(),
            definitions_topic: config.kafka.definitions_topic.clone(),
            hs256_secret_file: secret_file.display().to_string(),
            pid: std::process::id(),
            tokens: BTreeMap::new(),
        };
        config.registry.url.clone_from(&up.registry_url);
        let mut stack = Self {
            config,
            up,
            data_dir,
            parts: Parts::new()?,
            postgres,
            _broker: broker,
            _lock: lock,
        };
        let clock = wall_clock(options.clock);
        // Before this, an interrupt ends the process at once, and Postgres with it.
        let mut interrupts = Interrupts::new()?;
        let started = tokio::select! {
            started = stack.start_parts(&options, listeners, clock) => started,
            () = interrupts.next() => Err(anyhow!("interrupted while starting")),
        };
        match started {
            Ok(()) => Ok(stack),
            Err(error) => {
                stack.stop().await?;
                Err(error)
            }
        }
    }

    async fn start_parts(
        &mut self,
        options: &StackOptions,
        listeners: Listeners,
        clock: WallClock,
    ) -> anyhow::Result<()> {
        let config = &self.config;
        if let Some(listener) = listeners.registry {
            let router = tidemark_schemas::development_registry::router();
            let shutdown = self.parts.shutdown();
            self.parts.spawn("schema registry", async move {
                serve(listener, router, shutdown)
                    .await
                    .context("serving the schema registry")
            });
        }
        let partitions = {
            let kafka = config.kafka.connection();
            tokio::task::spawn_blocking(move || topics::require_partitions(&kafka, &kafka.topic))
                .await??
        };
        prepare_database(&config.database.url, config, partitions).await?;
        events::register_schema(&config.registry, &config.kafka.topic).await?;

        let metrics = prometheus::Registry::new();
        let processor = start_processor(config, clock, &metrics).await?;
        let progress = processor.progress();
        let shutdown = self.parts.shutdown();
        self.parts.spawn(
            "processor",
            async move { Ok(processor.run(shutdown).await?) },
        );
        let service = connect_api(config, api_config(config, options.clock)?, &metrics).await?;
        let shutdown = self.parts.shutdown();
        self.parts.spawn("API", async move {
            Ok(service.run(listeners.api, shutdown).await?)
        });
        let shutdown = self.parts.shutdown();
        self.parts.spawn(
            "metrics server",
            serve_metrics(listeners.metrics, metrics, Some(progress), shutdown),
        );
        if let Some(bundle) = &options.first_definitions {
            define_first(config, bundle.clone()).await?;
        }
        self.write_up_file(&options.tenants).await
    }

    /// Writes `up.json`, and keeps it current as tenants are defined.
    async fn write_up_file(&mut self, tenants: &[TenantId]) -> anyhow::Result<()> {
        let signer = Signer::new(&self.config.api.auth)?;
        let mut file = TokenFile {
            data_dir: self.data_dir.clone(),
            up: self.up.clone(),
            signer,
        };
        for tenant in tenants {
            file.add(tenant)?;
        }
        file.write()?;
        self.up = file.up.clone();
        let projections = Projections::connect(&self.config.database).await?;
        let shutdown = self.parts.shutdown();
        self.parts
            .spawn("writer of up.json", file.follow(projections, shutdown));
        Ok(())
    }

    /// Returns the path of up.json.
    pub(crate) fn up_file(&self) -> PathBuf {
        UpFile::path(&self.data_dir)
    }

    /// Returns the data directory.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Returns when a part has failed or the process is interrupted.
    pub(crate) async fn watch(&mut self) -> anyhow::Result<()> {
        let ended = tokio::select! {
            ended = self.parts.watch() => ended,
            error = self.postgres.ended() => Err(error),
        };
        ended.map_err(|error| match error.downcast_ref() {
            Some(ProcessorError::LogTrimmed { .. }) if self.up.embedded_broker => error.context(
                "the embedded broker keeps 5 MiB and 100,000 records of a partition, and records \
                 were dropped before they were folded: publish with --up, which waits for the \
                 processor, or use a real broker with --kafka",
            ),
            _ => error,
        })
    }

    /// Stops all parts in the reverse order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        UpFile::remove(&self.data_dir);
        remove_file(&self.data_dir.join(KEY_FILE));
        let stopped = self.parts.stop().await;
        let down = self.postgres.stop().await;
        stopped.and(down)
    }
}

/// Applies definitions if there are none yet.
async fn define_first(config: &Config, bundle: Bundle) -> anyhow::Result<()> {
    let kafka = config.kafka.connection();
    let log = tokio::task::spawn_blocking(move || DefinitionsLog::read(&kafka)).await??;
    if log.definitions.version.is_none() {
        log.append(&bundle).await?;
    }
    Ok(())
}

/// Writes the key of this `up`'s tokens to a file, so that `tidemark token --up` can sign too.
fn write_key(data_dir: &Path, config: &mut Config) -> anyhow::Result<PathBuf> {
    let path = data_dir.join(KEY_FILE);
    let secret = random_secret();
    write_private(&path, secret.as_bytes())?;
    config.api.auth.hs256_secret = Some(Secret::new(secret));
    Ok(path)
}

/// Starts the embedded broker, or creates the topics on the real one.
async fn start_broker(
    options: &StackOptions,
    config: &mut Config,
) -> anyhow::Result<Option<EmbeddedBroker>> {
    if let Some(bootstrap_servers) = &options.kafka {
        config.kafka.bootstrap_servers.clone_from(bootstrap_servers);
        let kafka = config.kafka.connection();
        let asked = kafka.clone();
        let existing = tokio::task::spawn_blocking(move || topics::existing(&asked)).await??;
        topics::create_missing(&kafka, existing, options.partitions).await?;
        return Ok(None);
    }
    let broker = EmbeddedBroker::start(&config.kafka.connection(), options.partitions)?;
    config.kafka.bootstrap_servers = broker.bootstrap_servers();
    // Settings for a real broker (TLS, passwords) do not fit the embedded one.
    config.kafka.properties.clear();
    Ok(Some(broker))
}

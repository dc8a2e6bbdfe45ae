//! The key ring: the source of keys, and their refresh while the API runs.
//!
//! A file is read every two seconds. A URL is fetched every few minutes, and at once if a token
//! names an unknown key: one fetch serves all waiting requests, and a cool-down follows, so that
//! invented key ids cannot flood the identity provider. If a refresh fails, the keys stay as they
//! are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use reqwest::{Certificate, Client, redirect};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::check_secret;
use super::keys::{InvalidSet, Keys};
use super::metrics::AuthMetrics;
use crate::{ApiError, AuthConfig, KeySource};

const FILE_INTERVAL: Duration = Duration::from_secs(2);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_SET_BYTES: usize = 1024 * 1024;

/// The current keys, and their source.
pub(crate) struct KeyRing {
    keys: ArcSwapOption<Keys>,
    source: Source,
    /// The interval of regular refreshes.
    interval: Duration,
    cool_down: Duration,
    /// The start of the last refresh for an unknown key. The lock is held during such a refresh.
    last_forced: Mutex<Option<Instant>>,
    metrics: AuthMetrics,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("keys", &self.keys.load())
            .finish_non_exhaustive()
    }
}

enum Source {
    /// A secret from the configuration, which never changes.
    Fixed,
    SecretFile(PathBuf),
    SetFile(PathBuf),
    SetUrl {
        url: String,
        client: Client,
    },
}

/// The reason why keys cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("reading {} failed: {error}", path.display())]
    File {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{0}")]
    Secret(ApiError),
    #[error("fetching {url} failed: {reason}")]
    Fetch { url: String, reason: String },
    #[error("{place}: {error}")]
    Set { place: String, error: InvalidSet },
}

impl KeyRing {
    /// Reads the keys. A file must be valid from the start. An identity provider may be unavailable:
    /// requests with a token are then answered 503 until it responds.
    pub(crate) async fn open(config: &AuthConfig, metrics: AuthMetrics) -> Result<Self, ApiError> {
        let (source, keys, interval) = match &config.keys {
            KeySource::Secret(secret) => {
                check_secret(secret)?;
                let keys = Keys::from_secret(secret);
                (Source::Fixed, Some(Arc::new(keys)), FILE_INTERVAL)
            }
            KeySource::SecretFile(path) => (Source::SecretFile(path.clone()), None, FILE_INTERVAL),
            KeySource::JwksFile(path) => (Source::SetFile(path.clone()), None, FILE_INTERVAL),
            KeySource::JwksUrl { url, ca_file } => {
                let client = client(url, ca_file.as_deref())?;
                let url = url.clone();
                (Source::SetUrl { url, client }, None, config.refresh)
            }
        };
        let ring = Self {
            keys: ArcSwapOption::new(keys),
            source,
            interval,
            cool_down: config.cool_down,
            last_forced: Mutex::new(None),
            metrics,
        };
        match ring.read().await {
            Ok(Some(keys)) => ring.replace(keys),
            Ok(None) => {}
            Err(error) if matches!(ring.source, Source::SetUrl { .. }) => ring.report(&error),
            Err(error) => return Err(ApiError::Keys(error.to_string())),
        }
        Ok(ring)
    }

    /// Returns the current keys; `None` before the first successful read.
    pub(super) fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.load_full()
    }

    /// Returns true once keys were read.
    pub(crate) fn is_ready(&self) -> bool {
        self.keys.load().is_some()
    }

    /// Refreshes the keys regularly until `shutdown`.
    pub(crate) async fn refresh_until(&self, shutdown: CancellationToken) {
        if matches!(self.source, Source::Fixed) {
            return;
        }
        loop {
            // Without keys no request is authenticated, so the first read is retried sooner.
            let interval = if self.is_ready() {
                self.interval
            } else {
                self.interval.min(FILE_INTERVAL)
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => self.refresh().await,
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Refreshes the keys because a token names an unknown key, which may be new. Concurrent calls
    /// share one refresh.
    pub(super) async fn refresh_for_unknown_key(&self) {
        if !matches!(self.source, Source::SetUrl { .. } | Source::SetFile(_)) {
            return;
        }
        // A call that waited here finds the start of the refresh that it waited for.
        let mut last_forced = self.last_forced.lock().await;
        if last_forced.is_some_and(|then| then.elapsed() < self.cool_down) {
            return;
        }
        *last_forced = Some(Instant::now());
        self.refresh().await;
    }

    pub(super) async fn refresh(&self) {
        match self.read().await {
            Ok(Some(keys)) => self.replace(keys),
            Ok(None) => {}
            Err(error) => self.report(&error),
        }
    }

    fn replace(&self, keys: Keys) {
        let is_different = self.keys().is_none_or(|known| !known.is_same(&keys));
        if is_different {
            tracing::info!(keys = keys.len(), "the keys that verify tokens changed");
            self.keys.store(Some(Arc::new(keys)));
        }
    }

    fn report(&self, error: &Unreadable) {
        self.metrics.key_failures.inc();
        tracing::warn!(%error, "reading the keys that verify tokens failed, the current keys stay in use");
    }

    async fn read(&self) -> Result<Option<Keys>, Unreadable> {
        match &self.source {
            Source::Fixed => Ok(None),
            Source::SecretFile(path) => {
                let text = read_file(path).await?;
                let text = String::from_utf8_lossy(&text);
                let secret = text.trim_end_matches(['\r', '\n']);
                check_secret(secret).map_err(Unreadable::Secret)?;
                Ok(Some(Keys::from_secret(secret)))
            }
            Source::SetFile(path) => {
                let place = path.display().to_string();
                let keys = Keys::from_set(&read_file(path).await?);
                keys.map(Some)
                    .map_err(|error| Unreadable::Set { place, error })
            }
            Source::SetUrl { url, client } => {
                let text = fetch(client, url).await.map_err(|reason| {
                    let url = url.clone();
                    Unreadable::Fetch { url, reason }
                })?;
                let place = url.clone();
                let keys = Keys::from_set(&text);
                keys.map(Some)
                    .map_err(|error| Unreadable::Set { place, error })
            }
        }
    }
}

async fn read_file(path: &Path) -> Result<Vec<u8>, Unreadable> {
    tokio::fs::read(path)
        .await
        .map_err(|error| Unreadable::File {
            path: path.to_owned(),
            error,
        })
}

/// Returns a client that trusts the certificates in `ca_file` instead of those of the system. It
/// follows no redirect, because keys come from the configured URL alone.
fn client(url: &str, ca_file: Option<&Path>) -> Result<Client, ApiError> {
    let is_plain = url.starts_with("http://");
    if !is_plain && !url.starts_with("https://") {
        let reason = format!("auth.jwks_url {url:?} is not an http or https URL");
        return Err(ApiError::Keys(reason));
    }
    let mut builder = Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("tidemark/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let fail = |error: &dyn fmt::Display| {
            ApiError::Keys(format!("auth.jwks_ca_file {}: {error}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|error| fail(&error))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| fail(&error))?;
        if certificates.is_empty() {
            return Err(fail(&"the file contains no certificate"));
        }
        builder = builder.tls_certs_only(certificates);
    } else if is_plain {
        tracing::warn!(
            url,
            "auth.jwks_url is not https: an attacker on the network can replace the keys and issue tokens"
        );
        builder = builder.tls_certs_only([]);
    }
    builder
        .build()
        .map_err(|error| ApiError::Keys(error.to_string()))
}

async fn fetch(client: &Client, url: &str) -> Result<Vec<u8>, String> {
    let response = client.get(url).send().await;
    let mut response = response.map_err(|error| chain(&error))?;
    if !response.status().is_success() {
        return Err(format!("the response is {}", response.status()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error))? {
        if text.len() + chunk.len() > MAX_SET_BYTES {
            return Err(format!("the response has more than {MAX_SET_BYTES} bytes"));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// Returns an error with its sources, because the text of reqwest hides the reason.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

//! Where keys come from, and how they change while we run.
//!
//! A file is read again every two seconds. A URL is asked every few minutes, and at once when a
//! token names a key that is not known: by one request for all who wait, and not again within a
//! cool-down, so that invented names cannot make us flood the identity provider. Whatever cannot be
//! read or makes no sense leaves the keys as they are.

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
use crate::metrics::AdmissionMetrics;
use crate::{ApiError, AuthConfig, KeySource};

const FILE_INTERVAL: Duration = Duration::from_secs(2);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_SET_BYTES: usize = 1024 * 1024;

/// The keys in force, and how to get newer ones.
pub(crate) struct KeyRing {
    keys: ArcSwapOption<Keys>,
    source: Source,
    /// Between two reads by the clock.
    interval: Duration,
    cool_down: Duration,
    /// When the last read because of an unknown key began; held while one is under way.
    last_asked: Mutex<Option<Instant>>,
    metrics: AdmissionMetrics,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("keys", &self.keys.load())
            .finish_non_exhaustive()
    }
}

enum Source {
    /// Never changes.
    Fixed,
    SecretFile(PathBuf),
    SetFile(PathBuf),
    SetUrl {
        url: String,
        client: Client,
    },
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("reading {} failed: {error}", path.display())]
    File {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{0}")]
    Secret(ApiError),
    #[error("context {url} failed: {reason}")]
    Fetch { url: String, reason: String },
    #[error("{place}: {error}")]
    Set { place: String, error: InvalidSet },
}

impl KeyRing {
    /// Reads the keys. Files must be good from the start; an identity provider that is away must
    /// not keep us from starting, so until it answers every token is answered 503.
    pub(crate) async fn open(
        config: &AuthConfig,
        metrics: AdmissionMetrics,
    ) -> Result<Self, ApiError> {
        let (source, keys, interval) = match &config.keys {
            KeySource::Secret(secret) => {
                check_secret(secret)?;
                let keys = Keys::of_secret(secret);
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
            last_asked: Mutex::new(None),
            metrics,
        };
        match ring.read().await {
            Ok(Some(keys)) => ring.take(keys),
            Ok(None) => {}
            Err(error) if matches!(ring.source, Source::SetUrl { .. }) => ring.complain(&error),
            Err(error) => return Err(ApiError::Keys(error.to_string())),
        }
        Ok(ring)
    }

    /// The keys in force; `None` until the first were read.
    pub(super) fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.load_full()
    }

    /// Whether any key was ever read.
    pub(crate) fn is_ready(&self) -> bool {
        self.keys.load().is_some()
    }

    /// Keeps the keys up to date until `shutdown`.
    pub(crate) async fn keep(&self, shutdown: CancellationToken) {
        if matches!(self.source, Source::Fixed) {
            return;
        }
        loop {
            // Without any key nobody gets in, so that one is tried for sooner.
            let pause = if self.is_ready() {
                self.interval
            } else {
                self.interval.min(FILE_INTERVAL)
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => self.refresh().await,
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// A token names a key that is not known: perhaps it is new. Returns once it is worth looking
    /// again.
    pub(super) async fn look_again(&self) {
        if !matches!(self.source, Source::SetUrl { .. } | Source::SetFile(_)) {
            return;
        }
        // Whoever waits here finds the time of the request it waited for.
        let mut last_asked = self.last_asked.lock().await;
        if last_asked.is_some_and(|then| then.elapsed() < self.cool_down) {
            return;
        }
        *last_asked = Some(Instant::now());
        self.refresh().await;
    }

    pub(super) async fn refresh(&self) {
        match self.read().await {
            Ok(Some(keys)) => self.take(keys),
            Ok(None) => {}
            Err(error) => self.complain(&error),
        }
    }

    fn take(&self, keys: Keys) {
        let is_news = self.keys().is_none_or(|known| !known.is_same(&keys));
        if is_news {
            tracing::info!(keys = keys.len(), "keys for tokens changed");
            self.keys.store(Some(Arc::new(keys)));
        }
    }

    fn complain(&self, error: &Unreadable) {
        self.metrics.key_failures.inc();
        tracing::warn!(%error, "keys for tokens stay as they are");
    }

    async fn read(&self) -> Result<Option<Keys>, Unreadable> {
        match &self.source {
            Source::Fixed => Ok(None),
            Source::SecretFile(path) => {
                let text = read_file(path).await?;
                let text = String::from_utf8_lossy(&text);
                let secret = text.trim_end_matches(['\r', '\n']);
                check_secret(secret).map_err(Unreadable::Secret)?;
                Ok(Some(Keys::of_secret(secret)))
            }
            Source::SetFile(path) => {
                let place = path.display().to_string();
                let keys = Keys::of_set(&read_file(path).await?);
                keys.map(Some)
                    .map_err(|error| Unreadable::Set { place, error })
            }
            Source::SetUrl { url, client } => {
                let text = fetch(client, url).await.map_err(|reason| {
                    let url = url.clone();
                    Unreadable::Fetch { url, reason }
                })?;
                let place = url.clone();
                let keys = Keys::of_set(&text);
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

/// Trusts the certificates in `ca_file` instead of the system's. Follows no redirect: keys come
/// from where the operator said.
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
            return Err(fail(&"it holds no certificate"));
        }
        builder = builder.tls_certs_only(certificates);
    } else if is_plain {
        tracing::warn!(
            url,
            "keys come unprotected: who changes them on the way makes tokens"
        );
        builder = builder.tls_certs_only([]);
    }
    builder
        .build()
        .map_err(|error| ApiError::Keys(error.to_string()))
}

async fn fetch(client: &Client, url: &str) -> Result<Vec<u8>, String> {
    let answer = client.get(url).send().await;
    let mut answer = answer.map_err(|error| chain(&error))?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| chain(&error))? {
        if text.len() + chunk.len() > MAX_SET_BYTES {
            return Err(format!("it answers more than {MAX_SET_BYTES} bytes"));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// reqwest's own text hides what happened.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

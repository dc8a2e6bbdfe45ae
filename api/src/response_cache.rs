//! The response cache: responses by key, valid for as long as no commit invalidates them.
//!
//! A response is cached as the bytes that are sent. Its key is the tenant, whether the caller may
//! see personal attributes, and path and query as sent. It is valid while the [version] of its
//! [dependency] is unchanged, and for 30 seconds at most. The [follower](follow) advances versions
//! from the commits themselves. A version is taken before the snapshot is opened, so a response
//! may be newer than its version, never older.
//!
//! - Concurrent misses of one key are coalesced into one read.
//! - A response with personal attributes is never cached: each such read is audited, in the
//!   transaction that reads.
//! - Errors are never cached.
//! - If the follower has not succeeded for a second, no cached response is valid. If the reason is
//!   that the database is unavailable, cached responses are served with their age, and every
//!   other request is answered 503.

mod dependency;
mod entry;
mod follow;
mod metrics;
mod position;
mod version;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use prometheus::Registry;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use self::dependency::{Dependency, Subject};
use self::entry::Entry;
pub(crate) use self::entry::{CachedResponse, Key};
pub(crate) use self::follow::Follower;
use self::metrics::{Metrics, SizeCollector};
use self::position::{Invalidated, Positions};
use self::version::{Version, Versions};
pub(crate) use self::wait::AwaitedPositions;
use crate::CacheConfig;
use crate::auth::Caller;
use crate::freshness::Staleness;
use crate::http::Problem;

/// The greatest time for which a response is valid, whatever its version.
const VALID_FOR: Duration = Duration::from_secs(30);
/// The time for which versions are trusted after the follower last succeeded.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// The number of reads that are coalesced at a time; further ones run on their own.
const COALESCED_READS: u64 = 10_000;

/// Reads under way, shared by all requests with the same key and version.
type Reads = moka::future::Cache<(Key, Version), Arc<CachedResponse>>;

/// Cached responses, and the positions and versions that tell whether they are valid.
#[derive(Debug)]
pub(crate) struct ResponseCache {
    entries: moka::sync::Cache<Key, Arc<Entry>>,
    reads: Reads,
    versions: Versions,
    positions: watch::Sender<Option<Arc<Positions>>>,
    /// The follower could not reach the database.
    database_is_unavailable: AtomicBool,
    /// The time limit for the positions in a `Tidemark-Wait` header.
    wait_timeout: Duration,
    metrics: Metrics,
}

impl ResponseCache {
    pub(crate) fn new(
        config: &CacheConfig,
        wait_timeout: Duration,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let entries = moka::sync::Cache::builder()
            .max_capacity(config.bytes)
            .weigher(|key: &Key, entry: &Arc<Entry>| entry.weight(key))
            .time_to_live(config.stale_for.max(VALID_FOR))
            .build();
        let reads = Reads::builder()
            .max_capacity(COALESCED_READS)
            .time_to_live(TRUSTED_FOR)
            .build();
        SizeCollector::register(entries.clone(), registry)?;
        Ok(Self {
            entries,
            reads,
            versions: Versions::default(),
            positions: watch::Sender::new(None),
            database_is_unavailable: AtomicBool::new(false),
            wait_timeout,
            metrics: Metrics::register(registry)?,
        })
    }

    /// Returns the cached response to an authenticated request, if there is a valid one. Waits
    /// first for the positions that the request names; the cache is then bypassed.
    pub(crate) async fn lookup(
        &self,
        request: &mut Request,
        caller: &Caller,
    ) -> Result<Option<Response>, Problem> {
        if let Some(awaited) = AwaitedPositions::from_headers(request.headers())? {
            awaited.wait(&self.positions, self.wait_timeout).await?;
            return Ok(None);
        }
        // The router serves HEAD as GET with an empty body.
        if request.method() != Method::GET {
            return Ok(None);
        }
        let target = request.uri().path_and_query();
        let key = target.map(|target| Key::new(caller, target.as_str()));
        Ok(key.and_then(|key| self.find(&key)))
    }

    /// Returns the cached response with this key if it is valid or, while the database is
    /// unavailable, if it is not known to be wrong.
    fn find(&self, key: &Key) -> Option<Response> {
        let entry = self.entries.get(key)?;
        let now = Instant::now();
        // Positions are read before versions, which are then at least as new.
        let Some(positions) = self.trusted_positions(now) else {
            let is_unavailable = self.database_is_unavailable.load(Ordering::Acquire);
            return is_unavailable
                .then(|| self.stale_response(&entry, now))
                .flatten();
        };
        let is_valid = now < entry.response.read_at + VALID_FOR
            && self.versions.get(&entry.subject) == entry.version;
        if !is_valid {
            return None;
        }
        self.metrics.hits.inc();
        let freshness = positions.freshness_of(&entry.response.freshness);
        Some(entry.response.with_freshness(&freshness, None))
    }

    /// Returns the positions that the follower saw last, unless that was too long ago.
    fn trusted_positions(&self, now: Instant) -> Option<Arc<Positions>> {
        let positions = self.positions.borrow();
        positions
            .as_ref()
            .filter(|seen| now < seen.requested_at + TRUSTED_FOR)
            .cloned()
    }

    /// Returns the response with its age, unless the definitions, which mask attributes, may have
    /// changed since, or the database may have been rewound.
    fn stale_response(&self, entry: &Entry, now: Instant) -> Option<Response> {
        let version = self.versions.get(&entry.subject);
        if version.base != entry.version.base {
            return None;
        }
        self.metrics.stale.inc();
        let (response, seen) = (&entry.response, self.positions.borrow().clone());
        let seen = seen.filter(|_| version == entry.version);
        // An unchanged version proves that the response was valid when the follower last looked.
        let (freshness, valid_until) = match seen {
            Some(seen) => (
                seen.freshness_of(&response.freshness),
                seen.requested_at.max(response.read_at),
            ),
            None => (response.freshness, response.read_at),
        };
        let staleness = Staleness {
            age: now - response.read_at,
            stale_for: now - valid_until,
        };
        Some(response.with_freshness(&freshness, Some(staleness)))
    }

    /// Returns the stale response that replaces a read which failed because the database is
    /// unavailable.
    pub(crate) fn find_stale(&self, key: &Key) -> Option<Response> {
        let entry = self.entries.get(key)?;
        self.stale_response(&entry, Instant::now())
    }

    /// Returns the current version of a subject, to be taken before its rows are read.
    pub(crate) fn version(&self, subject: &Subject) -> Version {
        self.versions.get(subject)
    }

    /// Caches a response that was read after the version was taken, unless the read was audited.
    pub(crate) fn insert(
        &self,
        key: &Key,
        subject: Subject,
        version: Version,
        response: &Arc<CachedResponse>,
    ) {
        if response.is_audited {
            return;
        }
        let entry = Entry {
            response: Arc::clone(response),
            subject,
            version,
        };
        self.entries.insert(key.clone(), Arc::new(entry));
    }

    /// Runs a read, or waits for the outcome of one under way with the same key and version.
    pub(crate) async fn coalesce(
        &self,
        key: &Key,
        version: Version,
        read: impl Future<Output = Result<Arc<CachedResponse>, Problem>>,
    ) -> Result<Arc<CachedResponse>, Problem> {
        self.metrics.misses.inc();
        let key = (key.clone(), version);
        let outcome = self.reads.try_get_with_by_ref(&key, read).await;
        self.reads.invalidate(&key).await;
        outcome.map_err(|problem| Problem::clone(&problem))
    }

    /// Counts a request that bypasses the cache.
    pub(crate) fn count_bypass(&self) {
        self.metrics.bypasses.inc();
    }

    /// Applies one look of the follower. Versions are advanced before positions are published, so
    /// no request sees new positions with old versions.
    fn advance(&self, positions: Positions, invalidated: &Invalidated) {
        self.versions.advance(invalidated);
        self.database_is_unavailable.store(false, Ordering::Release);
        self.positions.send_replace(Some(Arc::new(positions)));
    }

    /// Records that the follower could not reach the database.
    fn lose_database(&self) {
        self.database_is_unavailable.store(true, Ordering::Release);
    }
}

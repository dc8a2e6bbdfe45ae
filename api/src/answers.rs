//! Answers kept: whose they are, how long they hold, and what is done without them.
//!
//! An answer is kept as the bytes that are sent, by tenant, by whether its reader sees personal
//! attributes, and by path and query as they were asked. It holds while the [version] of what it
//! was made of stands still, which the [follower](follow) advances from the commits themselves,
//! and for 30 seconds at most. The version is taken before the snapshot is opened, so an answer
//! can be newer than it says, never older.
//!
//! - Who misses together reads together: one flight a key.
//! - An answer that shows personal attributes to somebody is never kept: each such read is
//!   recorded, and the record is in the transaction that read.
//! - No error is kept.
//! - Where the follower has not been heard of for a second, nothing kept is believed any more. If
//!   that is because the database is away, what is kept is given out with its age; the rest is 503.

mod asking;
mod conditional;
mod follow;
mod kept;
mod layer;
mod metrics;
mod position;
mod version;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::response::Response;
use prometheus::Registry;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use self::asking::Asking;
pub(crate) use self::conditional::Condition;
pub(crate) use self::follow::follow;
pub(crate) use self::kept::Answer;
use self::kept::{Entry, Key};
pub(crate) use self::layer::from_cache;
use self::metrics::Metrics;
use self::position::Positions;
pub(crate) use self::version::{Depends, Subject};
use self::version::{Version, Versions};
use crate::CacheConfig;
use crate::freshness::Staleness;
use crate::problem::Problem;

/// The backstop: an answer is read again after this, whatever its version says.
const HOLDS_FOR: Duration = Duration::from_secs(30);
/// Versions are believed for so long after they were last advanced.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// Flights under way at once; beyond them everybody flies alone.
const FLIGHTS: u64 = 10_000;

/// Reads under way, for who asks the same meanwhile.
type Flights = moka::future::Cache<(Key, Version), Arc<Answer>>;

/// Everything kept, and what is known of its freshness.
#[derive(Debug)]
pub(crate) struct Answers {
    kept: moka::sync::Cache<Key, Arc<Entry>>,
    flights: Flights,
    versions: Versions,
    positions: watch::Sender<Option<Arc<Positions>>>,
    /// The follower found no database.
    is_away: AtomicBool,
    metrics: Metrics,
}

impl Answers {
    pub(crate) fn new(
        config: &CacheConfig,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let kept = moka::sync::Cache::builder()
            .max_capacity(config.bytes)
            .weigher(|key: &Key, entry: &Arc<Entry>| entry.weight(key))
            .time_to_live(config.stale_for.max(HOLDS_FOR))
            .build();
        let flights = Flights::builder()
            .max_capacity(FLIGHTS)
            .time_to_live(BELIEVED_FOR)
            .build();
        metrics::KeptCollector::register(kept.clone(), registry)?;
        Ok(Self {
            kept,
            flights,
            versions: Versions::default(),
            positions: watch::Sender::new(None),
            is_away: AtomicBool::new(false),
            metrics: Metrics::register(registry)?,
        })
    }

    /// The kept answer to this question, if it holds; while the database is away, also if it may
    /// not hold any more.
    fn find(&self, key: &Key) -> Option<Response> {
        let entry = self.kept.get(key)?;
        let now = Instant::now();
        // Positions first: versions read after them are at least as new.
        let Some(positions) = self.believed(now) else {
            let is_away = self.is_away.load(Ordering::Acquire);
            return is_away.then(|| self.stale(&entry, now)).flatten();
        };
        let holds = now < entry.answer.read_at + HOLDS_FOR
            && self.versions.of(&entry.subject) == entry.version;
        if !holds {
            return None;
        }
        self.metrics.hits.inc();
        let freshness = positions.freshness_of(&entry.answer.freshness);
        Some(entry.answer.respond(&freshness, None))
    }

    /// What the follower last saw, if that was not long ago.
    fn believed(&self, now: Instant) -> Option<Arc<Positions>> {
        let positions = self.positions.borrow();
        positions
            .as_ref()
            .filter(|seen| now < seen.asked_at + BELIEVED_FOR)
            .cloned()
    }

    /// The answer with its age, unless what hides personal attributes may have changed since, or
    /// the database had gone back behind it.
    fn stale(&self, entry: &Entry, now: Instant) -> Option<Response> {
        let version = self.versions.of(&entry.subject);
        if version.base != entry.version.base {
            return None;
        }
        self.metrics.stale.inc();
        let (answer, seen) = (&entry.answer, self.positions.borrow().clone());
        let seen = seen.filter(|_| version == entry.version);
        // Where nothing had moved when we last looked, it was right until then.
        let (freshness, right_until) = match seen {
            Some(seen) => (
                seen.freshness_of(&answer.freshness),
                seen.asked_at.max(answer.read_at),
            ),
            None => (answer.freshness, answer.read_at),
        };
        let staleness = Staleness {
            age: now - answer.read_at,
            stale_for: now - right_until,
        };
        Some(answer.respond(&freshness, Some(staleness)))
    }

    /// In the place of a read that failed because the database is away.
    pub(crate) fn instead(&self, asking: &Asking) -> Option<Response> {
        let entry = self.kept.get(&asking.key)?;
        self.stale(&entry, Instant::now())
    }

    /// What the answer depends on as it stands now: to be taken before it is read.
    pub(crate) fn version(&self, subject: &Subject) -> Version {
        self.versions.of(subject)
    }

    /// Keeps an answer read after the version was taken.
    pub(crate) fn keep(
        &self,
        asking: &Asking,
        subject: Subject,
        version: Version,
        answer: &Arc<Answer>,
    ) {
        if answer.is_recorded {
            return;
        }
        let entry = Entry {
            answer: Arc::clone(answer),
            subject,
            version,
        };
        self.kept.insert(asking.key.clone(), Arc::new(entry));
    }

    /// Reads, or waits for who is reading the same already.
    pub(crate) async fn fly(
        &self,
        asking: &Asking,
        version: Version,
        read: impl Future<Output = Result<Arc<Answer>, Problem>>,
    ) -> Result<Arc<Answer>, Problem> {
        self.metrics.misses.inc();
        let flight = (asking.key.clone(), version);
        let landed = self.flights.try_get_with_by_ref(&flight, read).await;
        self.flights.invalidate(&flight).await;
        landed.map_err(Problem::Shared)
    }

    /// Counts an answer that asked for more than the cache may give.
    pub(crate) fn passed_by(&self) {
        self.metrics.bypasses.inc();
    }

    /// What the follower saw: versions move first, so that who sees the positions sees them moved.
    fn advance(&self, positions: Positions, moved: &position::Moves) {
        self.versions.advance(moved);
        self.is_away.store(false, Ordering::Release);
        self.positions.send_replace(Some(Arc::new(positions)));
    }

    /// The follower could not look.
    fn lost(&self) {
        self.is_away.store(true, Ordering::Release);
    }
}

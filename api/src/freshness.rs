//! How fresh an answer is: said in the headers of everything read from the tables.

use std::cell::RefCell;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use tidemark_schemas::Instant;

const GENERATION: HeaderName = HeaderName::from_static("tidemark-generation");
const WATERMARK: HeaderName = HeaderName::from_static("tidemark-watermark");
const LAG: HeaderName = HeaderName::from_static("tidemark-lag");
const DEFINITIONS: HeaderName = HeaderName::from_static("tidemark-definitions");
const STALE: HeaderName = HeaderName::from_static("tidemark-stale");

/// The position of the snapshot an answer was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// Which generation of projections.
    pub(crate) generation: i32,
    /// The least clock over all partitions: everything appended before it is in the answer.
    /// `None` until every partition has a clock.
    pub(crate) watermark: Option<Instant>,
    /// Records of all partitions seen in the log and not yet folded.
    pub(crate) lag: i64,
    /// Version of the tenant's definitions in force; `None` for a tenant not yet defined.
    pub(crate) definitions: Option<i64>,
}

impl Freshness {
    /// Adds the headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(GENERATION, HeaderValue::from(self.generation));
        headers.insert(LAG, HeaderValue::from(self.lag));
        if let Some(version) = self.definitions {
            headers.insert(DEFINITIONS, HeaderValue::from(version));
        }
        if let Some(watermark) = self.watermark.and_then(written) {
            headers.insert(WATERMARK, watermark);
        }
    }
}

/// A clock as a header. It moves ten times a second, and is sent with every kept answer.
fn written(clock: Instant) -> Option<HeaderValue> {
    thread_local! {
        static LAST: RefCell<Option<(Instant, HeaderValue)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        if let Some((_, value)) = last.as_ref().filter(|(held, _)| *held == clock) {
            return Some(value.clone());
        }
        let value = HeaderValue::try_from(clock.to_string()).ok()?;
        *last = Some((clock, value.clone()));
        Some(value)
    })
}

/// Of an answer given while the database is away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staleness {
    /// Since it was read.
    pub(crate) age: Duration,
    /// Since it was last known to hold.
    pub(crate) stale_for: Duration,
}

impl Staleness {
    /// Adds the headers, in whole seconds.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(header::AGE, HeaderValue::from(self.age.as_secs()));
        headers.insert(STALE, HeaderValue::from(self.stale_for.as_secs()));
    }
}

/// What was read, with how fresh it is.
#[derive(Debug)]
pub(crate) struct Fresh<T> {
    pub(crate) body: T,
    pub(crate) freshness: Freshness,
}

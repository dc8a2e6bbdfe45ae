//! Freshness: the position of the log that a response reflects, as headers.

use std::cell::RefCell;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use tidemark_schemas::Instant;

use crate::http::Problem;

const GENERATION: HeaderName = HeaderName::from_static("tidemark-generation");
const WATERMARK: HeaderName = HeaderName::from_static("tidemark-watermark");
const LAG: HeaderName = HeaderName::from_static("tidemark-lag");
const LAG_AS_OF: HeaderName = HeaderName::from_static("tidemark-lag-as-of");
const DEFINITIONS: HeaderName = HeaderName::from_static("tidemark-definitions");
const STALE: HeaderName = HeaderName::from_static("tidemark-stale");

/// The position of the snapshot that a response was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// The generation of projections.
    pub(crate) generation: i32,
    /// The instant up to which every partition has fired its timers: everything appended before it, and
    /// everything that time changed before it, is in the response. `None` until every partition has a clock.
    pub(crate) watermark: Option<Instant>,
    /// Whether the tenant is deferred as a whole in a partition: the watermark stands still then.
    pub(crate) is_deferred: bool,
    /// The number of records that are seen in the log and not folded, over all partitions.
    pub(crate) lag: i64,
    /// The instant at which the end of the log was last seen, in the partition where that is longest
    /// ago. `None` unless it was seen in every partition: the lag may then be greater.
    pub(crate) lag_as_of: Option<Instant>,
    /// The version of the tenant's definitions in force; `None` before its first.
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
        thread_local! {
            static LAST_WATERMARK: LastValue = const { RefCell::new(None) };
            static LAST_LAG_AS_OF: LastValue = const { RefCell::new(None) };
        }
        for (name, instant, last) in [
            (WATERMARK, self.watermark, &LAST_WATERMARK),
            (LAG_AS_OF, self.lag_as_of, &LAST_LAG_AS_OF),
        ] {
            let value = instant.and_then(|instant| last.with(|last| header_value(instant, last)));
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }

    /// Returns a problem that was found in this snapshot, with the headers added.
    pub(crate) fn added_to(&self, mut problem: Problem) -> Problem {
        self.write(problem.headers_mut());
        problem
    }
}

/// The last value of a header with an instant.
type LastValue = RefCell<Option<(Instant, HeaderValue)>>;

/// Returns an instant as a header value. The last value is reused, because it is sent with every
/// cached response and changes ten times a second.
fn header_value(instant: Instant, last: &LastValue) -> Option<HeaderValue> {
    let mut last = last.borrow_mut();
    if let Some((_, value)) = last.as_ref().filter(|(held, _)| *held == instant) {
        return Some(value.clone());
    }
    let value = HeaderValue::try_from(instant.to_string()).ok()?;
    *last = Some((instant, value.clone()));
    Some(value)
}

/// The staleness of a response that is sent while the database is unavailable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staleness {
    /// The time since it was read.
    pub(crate) age: Duration,
    /// The time since it was last known to be valid.
    pub(crate) stale_for: Duration,
}

impl Staleness {
    /// Adds the headers, in whole seconds.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(header::AGE, HeaderValue::from(self.age.as_secs()));
        headers.insert(STALE, HeaderValue::from(self.stale_for.as_secs()));
    }
}

/// A body, with the freshness of the snapshot that it was read from.
#[derive(Debug)]
pub(crate) struct Fresh<T> {
    /// The body.
    pub(crate) body: T,
    /// The freshness of the snapshot.
    pub(crate) freshness: Freshness,
}

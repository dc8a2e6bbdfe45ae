//! Limits of clients: rates, in token buckets, and concurrent requests of each tenant.
//!
//! Each client has a bucket that fills at a steady rate, and a request draws its cost from it. A
//! bucket that is full and unused is evicted, so memory follows the clients that are active.

mod buckets;
mod concurrency;
mod connections;
mod metrics;
mod peers;

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub(crate) use self::buckets::Buckets;
pub use self::buckets::SmallBurst;
pub(crate) use self::concurrency::ConcurrencyLimits;
pub(crate) use self::connections::{PeerConnection, PeerConnections};
pub(crate) use self::metrics::LimitMetrics;
pub use self::peers::{InvalidNetwork, Network};
pub(crate) use self::peers::{Peer, Peers};
use super::problem::Problem;

/// A rate limit, in costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The long-term rate; 0 disables the limit.
    pub per_second: u32,
    /// The capacity of the bucket, which can be drawn at once.
    pub burst: u32,
}

/// The state of one rate limit after a request drew from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    name: &'static str,
    burst: u32,
    /// The time in which an empty bucket fills, in seconds.
    window: u64,
    remaining: u32,
    /// The time until the bucket is full, in seconds.
    reset: u64,
}

/// A rate limit that is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// The name of the limit.
    pub(crate) limit: &'static str,
    /// The time after which a retry succeeds, unless other requests draw meanwhile.
    pub(crate) wait: Duration,
}

impl Exceeded {
    /// 429, with the state of the limits and the time after which to retry.
    pub(crate) fn into_problem(self, quotas: &Quotas) -> Problem {
        // Rounded up, because a client that retries a moment too early is refused again.
        let seconds = self.wait.as_millis().div_ceil(1_000).max(1);
        let mut problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate-limited",
            "Rate limit exceeded",
            format!("the rate limit of the {} is exceeded", self.limit),
        )
        .with_violated_policy(self.limit)
        .with_retry_after(u64::try_from(seconds).unwrap_or(u64::MAX));
        quotas.write(problem.headers_mut());
        problem
    }
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The quotas of a request: one for each limit that applies to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Quotas(pub(crate) Vec<Quota>);

impl Quotas {
    /// Adds the headers of the IETF's draft-ietf-httpapi-ratelimit-headers-10.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (mut policies, mut limits) = (String::new(), String::new());
        for quota in &self.0 {
            let separator = if policies.is_empty() { "" } else { ", " };
            let Quota {
                name,
                burst,
                window,
                remaining,
                reset,
            } = quota;
            // Writing to a String cannot fail.
            let written = write!(policies, "{separator}\"{name}\";q={burst};w={window}")
                .and_then(|()| write!(limits, "{separator}\"{name}\";r={remaining};t={reset}"));
            debug_assert!(written.is_ok());
        }
        for (name, value) in [(POLICY, policies), (LIMIT, limits)] {
            if let Ok(value) = HeaderValue::try_from(value)
                && !value.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;

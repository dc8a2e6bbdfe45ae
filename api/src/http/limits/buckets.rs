//! Token buckets of one limit, all of one size, by the key of their client.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use moka::sync::Cache;

use super::{Exceeded, Quota, Rate};

/// The number of buckets kept at most: some 20 MB for each limit.
const MAX_BUCKETS: u64 = 100_000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// A burst that is smaller than the greatest cost of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limits.{limit}_burst is {burst}; at least {minimum} is needed, the cost of one list")]
pub struct SmallBurst {
    /// The name of the limit: `tenant`, `token` or `peer`.
    pub limit: &'static str,
    /// The configured burst.
    pub burst: u32,
    /// The greatest cost of a request.
    pub minimum: u32,
}

/// The buckets of one limit.
#[derive(Debug)]
pub(crate) struct Buckets<K: Hash + Eq + Send + Sync + 'static> {
    name: &'static str,
    rate: Rate,
    quota: governor::Quota,
    clock: DefaultClock,
    by_key: Cache<K, Arc<Bucket>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Buckets<K> {
    /// Returns empty buckets for requests that cost `max_cost` at most; `None` if the limit is
    /// disabled.
    pub(crate) fn new(
        name: &'static str,
        rate: Rate,
        max_cost: u32,
    ) -> Result<Option<Self>, SmallBurst> {
        let Some(per_second) = NonZeroU32::new(rate.per_second) else {
            return Ok(None);
        };
        let burst = NonZeroU32::new(rate.burst).filter(|burst| burst.get() >= max_cost);
        let burst = burst.ok_or(SmallBurst {
            limit: name,
            burst: rate.burst,
            minimum: max_cost,
        })?;
        // A bucket evicted before it is full would come back full: more than the limit.
        let idle = window(rate) + Duration::from_secs(1);
        Ok(Some(Self {
            name,
            rate,
            quota: governor::Quota::per_second(per_second).allow_burst(burst),
            clock: DefaultClock::default(),
            by_key: Cache::builder()
                .max_capacity(MAX_BUCKETS)
                .time_to_idle(idle)
                .build(),
        }))
    }

    /// Draws a cost from the bucket of a client, if it holds as much.
    pub(crate) fn draw(&self, key: K, cost: u32) -> (Quota, Option<Exceeded>) {
        let bucket = self.by_key.get_with(key, || {
            let bucket = RateLimiter::direct(self.quota);
            Arc::new(bucket.with_middleware::<StateInformationMiddleware>())
        });
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        let wait = match bucket.check_n(cost) {
            Ok(Ok(state)) => return (self.quota(state.remaining_burst_capacity()), None),
            Ok(Err(not_yet)) => not_yet.wait_time_from(self.clock.now()),
            // Unreachable, because `new` requires a burst of the greatest cost.
            Err(_) => window(self.rate),
        };
        let exceeded = Exceeded {
            limit: self.name,
            wait,
        };
        (self.quota(0), Some(exceeded))
    }

    fn quota(&self, remaining: u32) -> Quota {
        let missing = self.rate.burst.saturating_sub(remaining);
        Quota {
            name: self.name,
            burst: self.rate.burst,
            window: window(self.rate).as_secs(),
            remaining,
            reset: u64::from(missing.div_ceil(self.rate.per_second)),
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.by_key.run_pending_tasks();
        self.by_key.entry_count()
    }
}

/// Returns the time in which an empty bucket fills, in whole seconds.
fn window(rate: Rate) -> Duration {
    Duration::from_secs(u64::from(rate.burst.div_ceil(rate.per_second.max(1))))
}

//! One bucket for each who asks, all of one size.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use moka::sync::Cache;

use super::{Quota, Rate, Refusal, UNNAMED_COST};
use crate::ApiError;

/// More buckets than this at once are not kept: some 20 MB for each limit.
const MOST_BUCKETS: u64 = 100_000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// The buckets of one limit.
#[derive(Debug)]
pub(super) struct Buckets<K: Hash + Eq + Send + Sync + 'static> {
    name: &'static str,
    rate: Rate,
    quota: governor::Quota,
    clock: DefaultClock,
    of: Cache<K, Arc<Bucket>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Buckets<K> {
    /// `None` where there is no limit.
    pub(super) fn of(name: &'static str, rate: Rate) -> Result<Option<Self>, ApiError> {
        let Some(per_second) = NonZeroU32::new(rate.per_second) else {
            return Ok(None);
        };
        let burst = NonZeroU32::new(rate.burst).filter(|burst| burst.get() >= UNNAMED_COST);
        let burst = burst.ok_or(ApiError::SmallBurst {
            limit: name,
            burst: rate.burst,
            least: UNNAMED_COST,
        })?;
        // A bucket forgotten earlier than it is full would be a gift.
        let idle = window(rate) + Duration::from_secs(1);
        Ok(Some(Self {
            name,
            rate,
            quota: governor::Quota::per_second(per_second).allow_burst(burst),
            clock: DefaultClock::default(),
            of: Cache::builder()
                .max_capacity(MOST_BUCKETS)
                .time_to_idle(idle)
                .build(),
        }))
    }

    /// Takes this much, if it is there.
    pub(super) fn draw(&self, key: K, cost: u32) -> (Quota, Option<Refusal>) {
        let bucket = self.of.get_with(key, || {
            let bucket = RateLimiter::direct(self.quota);
            Arc::new(bucket.with_middleware::<StateInformationMiddleware>())
        });
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        match bucket.check_n(cost) {
            Ok(Ok(state)) => (self.quota_of(state.remaining_burst_capacity()), None),
            Ok(Err(not_yet)) => {
                let wait = not_yet.wait_time_from(self.clock.now());
                let refusal = Refusal {
                    limit: self.name,
                    wait,
                };
                (self.quota_of(0), Some(refusal))
            }
            // Checked in `of`: no request costs more than a bucket holds.
            Err(_) => (
                self.quota_of(0),
                Some(Refusal {
                    limit: self.name,
                    wait: window(self.rate),
                }),
            ),
        }
    }

    fn quota_of(&self, remaining: u32) -> Quota {
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
    pub(super) fn kept(&self) -> u64 {
        self.of.run_pending_tasks();
        self.of.entry_count()
    }
}

/// In which an empty bucket fills, in whole seconds.
fn window(rate: Rate) -> Duration {
    Duration::from_secs(u64::from(rate.burst.div_ceil(rate.per_second.max(1))))
}

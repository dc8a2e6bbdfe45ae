//! The concurrency limit of each tenant: a share of the database connections. Further requests of
//! the tenant queue for a permit; once the queue is full, they are answered 429.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::http::StatusCode;
use tidemark_schemas::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::LimitMetrics;
use crate::http::problem::Problem;

/// The length of the queue, as a multiple of the permits.
const QUEUED_PER_PERMIT: usize = 4;
/// The number of limits above which those of inactive tenants are evicted.
const EVICT_ABOVE: usize = 1_024;

/// The concurrency limits of active tenants.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimits {
    /// The permits of each tenant.
    permits: usize,
    active: Mutex<HashMap<TenantId, Weak<ConcurrencyLimit>>>,
    metrics: LimitMetrics,
}

#[derive(Debug)]
struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    queued: AtomicUsize,
}

/// A permit for one request, until dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _permit: OwnedSemaphorePermit,
    /// Keeps the limit from being evicted and created again while it is in use.
    _limit: Arc<ConcurrencyLimit>,
}

impl ConcurrencyLimits {
    /// Gives each tenant this percentage of the connections, and at least one.
    pub(crate) fn new(connections: u32, percent: usize, metrics: LimitMetrics) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        let permits = connections.saturating_mul(percent) / 100;
        Self {
            permits: permits.clamp(1, connections.max(1)),
            active: Mutex::new(HashMap::new()),
            metrics,
        }
    }

    /// Acquires a permit, without a time limit; 429 if the queue is full.
    pub(crate) async fn acquire(&self, tenant: &TenantId) -> Result<Permit, Problem> {
        let limit = self.get(tenant);
        let permits = Arc::clone(&limit.permits);
        let permit = if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            permit
        } else {
            let queued = Queued::enter(&limit, self.permits * QUEUED_PER_PERMIT);
            let _queued = queued.inspect_err(|_| self.metrics.count("share"))?;
            permits.acquire_owned().await.map_err(Problem::internal)?
        };
        Ok(Permit {
            _permit: permit,
            _limit: limit,
        })
    }

    fn get(&self, tenant: &TenantId) -> Arc<ConcurrencyLimit> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = active.get(tenant).and_then(Weak::upgrade) {
            return limit;
        }
        if active.len() >= EVICT_ABOVE {
            active.retain(|_, limit| limit.strong_count() > 0);
        }
        let limit = Arc::new(ConcurrencyLimit {
            permits: Arc::new(Semaphore::new(self.permits)),
            queued: AtomicUsize::new(0),
        });
        active.insert(tenant.clone(), Arc::downgrade(&limit));
        limit
    }
}

/// A request in the queue of its tenant, until dropped.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(limit: &'a ConcurrencyLimit, capacity: usize) -> Result<Self, Problem> {
        let queued = Self(&limit.queued);
        if limit.queued.fetch_add(1, Ordering::Relaxed) >= capacity {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "tenant-busy",
                "Too many concurrent requests of the tenant",
                "too many requests of this tenant are in progress",
            )
            .with_retry_after(1));
        }
        Ok(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use futures::FutureExt as _;
    use prometheus::Registry;

    use super::*;

    /// Returns limits of two permits for each tenant.
    fn limits() -> ConcurrencyLimits {
        let metrics = LimitMetrics::register(&Registry::new()).unwrap();
        ConcurrencyLimits::new(4, 50, metrics)
    }

    fn tenant(id: &str) -> TenantId {
        TenantId::new(id).unwrap()
    }

    #[tokio::test]
    async fn a_tenant_at_its_limit_queues_and_others_proceed() {
        let (limits, acme, other) = (limits(), tenant("acme"), tenant("other"));
        let held = [
            limits.acquire(&acme).await.unwrap(),
            limits.acquire(&acme).await.unwrap(),
        ];
        assert!(
            limits.acquire(&acme).now_or_never().is_none(),
            "a third waits"
        );
        assert!(limits.acquire(&other).now_or_never().unwrap().is_ok());
        drop(held);
        assert!(limits.acquire(&acme).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_request_is_refused_once_the_queue_is_full() {
        let (limits, acme) = (limits(), tenant("acme"));
        let held = [
            limits.acquire(&acme).await.unwrap(),
            limits.acquire(&acme).await.unwrap(),
        ];
        let mut queue: Vec<_> = (0..8).map(|_| Box::pin(limits.acquire(&acme))).collect();
        for queued in &mut queue {
            assert!(queued.now_or_never().is_none());
        }
        let refused = limits.acquire(&acme).now_or_never().unwrap();
        assert_eq!(refused.unwrap_err().kind(), "tenant-busy");
        drop(queue); // a cancelled request leaves the queue
        assert!(limits.acquire(&acme).now_or_never().is_none());
        drop(held);
    }

    #[tokio::test]
    async fn limits_of_inactive_tenants_are_evicted() {
        let limits = limits();
        for number in 0..5 * EVICT_ABOVE {
            limits
                .acquire(&tenant(&format!("t{number}")))
                .await
                .unwrap();
        }
        assert!(limits.active.lock().unwrap().len() <= EVICT_ABOVE);
    }
}

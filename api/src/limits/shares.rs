//! How much of the database one tenant may have at once: a share of its connections. Who asks for
//! more waits in line with its own kind, and where the line is long, comes back later.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tidemark_schemas::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;
use crate::http::Problem;

/// How many may wait for each that may go on.
const WAITING_FOR_EACH: usize = 4;
/// Shares kept before those of tenants that have gone are looked for.
const SWEEP_ABOVE: usize = 1_024;

/// The shares in use.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Requests of one tenant at once.
    each: usize,
    in_use: Mutex<HashMap<TenantId, Weak<Share>>>,
}

#[derive(Debug)]
struct Share {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A place in a tenant's share, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Keeps the share the same one for whoever comes meanwhile.
    _share: Arc<Share>,
}

impl Shares {
    /// Each tenant gets this share of the connections, and at least one.
    pub(crate) fn new(connections: u32, limits: &Limits) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        let each = connections.saturating_mul(limits.tenant_share_percent) / 100;
        Self {
            each: each.clamp(1, connections.max(1)),
            in_use: Mutex::new(HashMap::new()),
        }
    }

    /// Waits for a place. The caller sets the limit of time.
    pub(crate) async fn enter(&self, tenant: &TenantId) -> Result<Place, Problem> {
        let share = self.of(tenant);
        let permits = Arc::clone(&share.permits);
        let permit = if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            permit
        } else {
            let _in_line = Waiting::begin(&share, self.each * WAITING_FOR_EACH)?;
            permits.acquire_owned().await.map_err(Problem::internal)?
        };
        Ok(Place {
            _permit: permit,
            _share: share,
        })
    }

    fn of(&self, tenant: &TenantId) -> Arc<Share> {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = in_use.get(tenant).and_then(Weak::upgrade) {
            return share;
        }
        if in_use.len() >= SWEEP_ABOVE {
            in_use.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Share {
            permits: Arc::new(Semaphore::new(self.each)),
            waiting: AtomicUsize::new(0),
        });
        in_use.insert(tenant.clone(), Arc::downgrade(&share));
        share
    }
}

/// A place in line, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(share: &'a Share, most: usize) -> Result<Self, Problem> {
        let waiting = Self(&share.waiting);
        if share.waiting.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Problem::TenantBusy);
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use futures::FutureExt as _;

    use super::*;

    fn shares() -> Shares {
        Shares::new(4, &Limits::default())
    }

    fn tenant(id: &str) -> TenantId {
        TenantId::new(id).unwrap()
    }

    #[tokio::test]
    async fn one_tenant_leaves_the_rest_to_others() {
        let (shares, acme, other) = (shares(), tenant("acme"), tenant("other"));
        let held = [
            shares.enter(&acme).await.unwrap(),
            shares.enter(&acme).await.unwrap(),
        ];
        assert!(
            shares.enter(&acme).now_or_never().is_none(),
            "a third waits"
        );
        assert!(shares.enter(&other).now_or_never().unwrap().is_ok());
        drop(held);
        assert!(shares.enter(&acme).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_long_line_is_not_joined() {
        let (shares, acme) = (shares(), tenant("acme"));
        let held = [
            shares.enter(&acme).await.unwrap(),
            shares.enter(&acme).await.unwrap(),
        ];
        let mut line: Vec<_> = (0..8).map(|_| Box::pin(shares.enter(&acme))).collect();
        for waiting in &mut line {
            assert!(waiting.now_or_never().is_none());
        }
        let refused = shares.enter(&acme).now_or_never().unwrap();
        assert!(matches!(refused, Err(Problem::TenantBusy)));
        drop(line); // who goes away leaves the line
        assert!(shares.enter(&acme).now_or_never().is_none());
        drop(held);
    }

    #[tokio::test]
    async fn tenants_that_have_gone_are_forgotten() {
        let shares = shares();
        for number in 0..5 * SWEEP_ABOVE {
            shares.enter(&tenant(&format!("t{number}"))).await.unwrap();
        }
        assert!(shares.in_use.lock().unwrap().len() <= SWEEP_ABOVE);
    }
}

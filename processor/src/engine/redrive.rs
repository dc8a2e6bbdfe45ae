//! Parked events that are tried again by themselves, tenant by tenant.

use std::collections::VecDeque;

use tidemark_schemas::TenantId;

use super::context::Context;
use super::halts::Halts;
use crate::parking::Reason;
use crate::store::StoreError;

/// Parked events of a tenant to be tried again.
#[derive(Debug, Clone)]
pub(super) struct Redrive {
    pub(super) tenant: TenantId,
    pub(super) reason: Reason,
    /// The offset up to which events were retried.
    pub(super) after: i64,
}

impl Redrive {
    pub(super) fn new(tenant: TenantId, reason: Reason) -> Self {
        let after = -1;
        Self {
            tenant,
            reason,
            after,
        }
    }
}

/// What waits in a partition for nothing but to be folded: events of tenants not defined before,
/// and of tenants that were resumed.
pub(super) async fn to_redrive(
    shared: &Context,
    partition: i32,
    halts: &Halts,
) -> Result<VecDeque<Redrive>, StoreError> {
    let (store, topic) = (&shared.store, &shared.topic);
    let mut redrive = VecDeque::new();
    for reason in [Reason::UnknownTenant, Reason::Halted] {
        let tenants = store.load_parked_tenants(topic, partition, reason).await?;
        let waiting = tenants
            .into_iter()
            .filter(|tenant| reason != Reason::Halted || !halts.is_halted(tenant));
        redrive.extend(waiting.map(|tenant| Redrive::new(tenant, reason)));
    }
    Ok(redrive)
}

//! The admission of classified records: folded, known already, forwarded, parked, or deferred with their
//! tenant or customer; and the tenants that are deferred because too many of theirs were parked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemark_projections::state::Folded;
use tidemark_schemas::{CustomerKey, TenantId};

use super::classification::{Classification, Item, Misplaced};
use super::context::{Context, TaskExit};
use super::failed_customer::{FailedCustomer, PoisonedEvent};
use super::folder::{Folder, NotFolded};
use super::halts::{Halts, Passed};
use super::park::Park;
use crate::parking::Reason;
use crate::store::{DeferralReason, Scope, parked_bytes};

/// The interval at which a misrouted event is logged.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Admission {
    shared: Arc<Context>,
    partition: i32,
    halts: Halts,
    /// The events that made the fold of their customers panic before.
    poisoned: BTreeMap<i64, CustomerKey>,
    warned_of_misrouted: Option<Instant>,
}

/// The outcome of an event.
#[derive(Debug)]
pub(super) enum Admitted {
    /// The event was folded.
    Folded,
    /// The event had been folded before.
    Known,
    /// The event was published again to its expected partition.
    Forwarded,
    /// The event stays in the log: its tenant or customer is not folded now.
    Deferred,
    /// The record was appended before its tenant was offboarded: it is left in the log.
    Offboarded,
    /// The event cannot be folded.
    Parked(Park),
}

impl Admission {
    pub(super) fn new(
        shared: Arc<Context>,
        partition: i32,
        poisoned: BTreeMap<i64, CustomerKey>,
    ) -> Self {
        Self {
            halts: Halts::new(shared.limits.halt),
            shared,
            partition,
            poisoned,
            warned_of_misrouted: None,
        }
    }

    /// Forgets the records of tenants that are not defined any more.
    pub(super) fn forget_undefined(&mut self, folder: &Folder) {
        self.halts.retain(|tenant| folder.tenant(tenant).is_some());
    }

    /// Folds a record of the log, or parks it.
    pub(super) fn admit(&mut self, folder: &mut Folder, item: &Item) -> Result<(), TaskExit> {
        if !folder.is_catching_up() {
            self.shared.metrics.records.inc();
        }
        let admitted = self.try_fold(folder, item)?;
        if self.defers_over_quota(folder, item, &admitted) {
            return Ok(());
        }
        self.note_share(folder, item, &admitted);
        if let Classification::Forward(misplaced) = &item.classification {
            self.warn_of_misrouted(&misplaced.misrouted.detail, item.record.offset);
        }
        if let Admitted::Parked(park) = admitted {
            if park.reason == Reason::Misrouted {
                self.warn_of_misrouted(&park.detail, item.record.offset);
            }
            let parked = &self.shared.metrics.parked;
            parked.with_label_values(&[park.reason.as_str()]).inc();
            let row = park.row(&item.record, item.appended_at);
            folder.pending_mut().park(row);
        }
        Ok(())
    }

    /// Folds an event, or counts it as forwarded or deferred; what cannot be folded comes back as a
    /// decision to park.
    pub(super) fn try_fold(&self, folder: &mut Folder, item: &Item) -> Result<Admitted, TaskExit> {
        if is_offboarded(folder, item) {
            return Ok(self.pass_over_offboarded());
        }
        let event = match &item.classification {
            Classification::Fold(event) => event,
            Classification::Forward(misplaced) => {
                let Misplaced { event, misrouted } = &**misplaced;
                let cause = misrouted.cause.as_str();
                let forwarded = &self.shared.metrics.forwarded;
                forwarded.with_label_values(&[cause]).inc();
                folder.pending_mut().forward(&event.tenant_id, cause);
                return Ok(Admitted::Forwarded);
            }
            Classification::Park(park) => {
                let is_defined = |tenant: &TenantId| folder.tenant(tenant).is_some();
                let park = park.clone().or_of_key(&item.record, is_defined);
                if is_parked_here(folder, &park) {
                    return Ok(Admitted::Parked(park));
                }
                return Ok(Admitted::Deferred);
            }
        };
        let customer = event.key();
        if !folder.folds(&customer) {
            if !item.is_redriven {
                folder.pass_over(&customer);
            }
            return Ok(Admitted::Deferred);
        }
        match folder.fold(event) {
            Ok(Folded::New) => {
                self.shared.metrics.folded.inc();
                Ok(Admitted::Folded)
            }
            Ok(Folded::Duplicate) => {
                self.shared.metrics.duplicates.inc();
                Ok(Admitted::Known)
            }
            Err(NotFolded::Refused(refused)) => Ok(Admitted::Parked(Park::refused(event, refused))),
            Err(NotFolded::UnknownTenant)
                if !item.is_redriven
                    && folder.defer_undefined(&event.tenant_id, item.record.offset) =>
            {
                folder.pass_over(&customer);
                Ok(Admitted::Deferred)
            }
            Err(NotFolded::UnknownTenant) => {
                let detail = format!("tenant {} is not defined", event.tenant_id);
                let park = Park::event(event, Reason::UnknownTenant, detail);
                Ok(Admitted::Parked(park))
            }
            Err(NotFolded::Failed) => Ok(Admitted::Deferred),
            Err(NotFolded::PlaceholderId) => Ok(Admitted::Parked(Park::placeholder(event))),
            Err(NotFolded::Panicked(message)) => {
                Err(self.fold_panicked(item.record.offset, customer, &message))
            }
        }
    }

    /// Returns the end of the task: an event that panics is at fault, a customer with two of them is.
    fn fold_panicked(&self, offset: i64, customer: CustomerKey, message: &str) -> TaskExit {
        let partition = self.partition;
        tracing::error!(partition, offset, message, "folding an event panicked");
        if self.poisoned.values().any(|other| *other == customer) {
            return TaskExit::Failing(FailedCustomer {
                key: customer,
                detail: format!(
                    "folding its events panicked, at last at offset {offset}: {message}"
                ),
            });
        }
        TaskExit::Poisoned(PoisonedEvent { offset, customer })
    }

    fn pass_over_offboarded(&self) -> Admitted {
        self.shared.metrics.offboarded.inc();
        Admitted::Offboarded
    }

    /// Counts a record for or against its tenant, and halts the tenant if that is too many parked.
    fn note_share(&mut self, folder: &mut Folder, item: &Item, admitted: &Admitted) {
        let (tenant, parked) = match (admitted, &item.classification) {
            (Admitted::Parked(park), _) if park.reason.counts_towards_halt() => {
                (park.tenant.as_ref(), true)
            }
            (Admitted::Folded | Admitted::Known, Classification::Fold(event)) => {
                (Some(&event.tenant_id), false)
            }
            _ => return,
        };
        let is_counted =
            |tenant: &&TenantId| folder.tenant(tenant).is_some() && folder.folds_tenant(tenant);
        let Some(tenant) = tenant.filter(is_counted) else {
            return;
        };
        let Some(Passed { parked, records }) = self.halts.note(tenant, parked) else {
            return;
        };
        let detail = format!(
            "{parked} of the last {records} records of tenant {tenant} in partition {} were parked",
            self.partition
        );
        let offset = item.record.offset + 1;
        let scope = Scope::tenant(tenant.clone());
        folder.stop(scope, DeferralReason::Halted, detail, offset);
    }

    /// Defers the tenant of an event that is to be parked, where that would be too many bytes: the event stays
    /// in the log. Of a fault that is one customer's, that customer is deferred, at half of the quota: the rest
    /// of it is left to the others. A first event is parked whatever its size, so that emptying the quota always
    /// helps.
    fn defers_over_quota(&self, folder: &mut Folder, item: &Item, admitted: &Admitted) -> bool {
        let Admitted::Parked(park) = admitted else {
            return false;
        };
        let Some(tenant) = &park.tenant else {
            return false;
        };
        let record = &item.record;
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let more = parked_bytes(key, value, &record.headers);
        let held = folder.parked_bytes_of(tenant);
        let quota = self.shared.limits.parked_quota_bytes;
        let customer = park
            .customer_key()
            .filter(|_| park.reason.is_of_one_customer());
        let (scope, quota) = match customer {
            Some(customer) => (Scope::customer(customer), quota / 2),
            None => (Scope::tenant(tenant.clone()), quota),
        };
        if held == 0 || held + more <= quota || folder.tenant(tenant).is_none() {
            return false;
        }
        let (partition, offset) = (self.partition, record.offset);
        let detail = format!(
            "parked events of tenant {tenant} hold {held} bytes in partition {partition}, and that of \
             offset {offset} ({}) has {more} more; the quota is {quota}",
            park.reason
        );
        folder.stop(scope, DeferralReason::Quota, detail, offset);
        if let Some(customer) = item.customer().filter(|_| !folder.stands()) {
            folder.pass_over(&customer);
        }
        true
    }

    /// Names the producer and its partitioner, but not for each of its events.
    fn warn_of_misrouted(&mut self, detail: &str, offset: i64) {
        let last = self.warned_of_misrouted;
        if last.is_some_and(|at| at.elapsed() < WARN_EVERY) {
            return;
        }
        self.warned_of_misrouted = Some(Instant::now());
        let partition = self.partition;
        tracing::warn!(
            partition,
            offset,
            detail,
            "events are found in other partitions than their expected ones"
        );
    }
}

/// Returns whether a record was appended before its tenant was offboarded.
fn is_offboarded(folder: &Folder, item: &Item) -> bool {
    let is_offboarded = |tenant: &TenantId| folder.is_offboarded(tenant, item.appended_at);
    match &item.classification {
        Classification::Fold(event) => is_offboarded(&event.tenant_id),
        Classification::Forward(misplaced) => is_offboarded(&misplaced.event.tenant_id),
        Classification::Park(park) => {
            let park = park.clone().or_of_key(&item.record, is_offboarded);
            park.tenant.as_ref().is_some_and(is_offboarded)
        }
    }
}

/// Returns whether the lane in place parks a record: no other folds its customer or tenant.
pub(super) fn is_parked_here(folder: &Folder, park: &Park) -> bool {
    match (park.customer_key(), &park.tenant) {
        (Some(customer), _) => folder.folds(&customer),
        (None, Some(tenant)) => folder.folds_tenant(tenant),
        (None, None) => !folder.is_catching_up(),
    }
}

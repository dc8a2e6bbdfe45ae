//! The folding of one partition: states, timers and counts in memory, and the batch they add up to.
//!
//! Does no I/O. The task around it loads what is missing before it folds, and commits what
//! [`Folder::flush`] returns; a batch may be folded while the one before it commits, because
//! everything here is ahead of the database by exactly the batches not committed yet.

mod deferrals;
mod deferring;
mod definitions;
mod flush;
mod lane;
mod loading;
mod offboarding;
mod time;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemark_projections::customer::{Customer, Effects, InForce, Refused};
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_projections::state::Folded;
use tidemark_schemas::{CustomerEvent, CustomerKey, Instant, TenantId};
use uuid::Uuid;

pub(crate) use self::deferrals::Deferrals;
pub(crate) use self::definitions::Before;
pub(crate) use self::flush::BatchEnd;
use self::lane::Lane;
use super::cache::{Cache, Entry};
use super::failed_customer::FailedCustomer;
use super::large::LargeCustomers;
use super::parked_bytes::{ParkedBytes, Totals};
use super::pending::Pending;
use super::step::Step;
use super::timers::Timers;
use crate::memory::Budget;
use crate::store::{Claim, LogIdentity, Reevaluation, TenantDigest};

/// The reason why an event was not folded.
#[derive(Debug)]
pub(crate) enum NotFolded {
    /// Late, or of a customer that is too large.
    Refused(Refused),
    /// The tenant is not defined.
    UnknownTenant,
    /// The id of the customer is a placeholder.
    PlaceholderId,
    /// The customer could not be processed, whatever the event is: the batch must not be written.
    Failed,
    /// The fold panicked. What is in memory is not to be used any more.
    Panicked(String),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Folder {
    partition: i32,
    epoch: i64,
    nonce: Uuid,
    commits: i64,
    next_offset: i64,
    change_seq: i64,
    log: LogIdentity,
    /// Numbers batches within this epoch, for eviction.
    batch: u64,
    /// The evaluation version of the customers, once re-evaluations have finished.
    evaluation: i32,
    cache: Cache,
    /// Customers that were loaded for their timers alone, with the batch that fires them.
    passing: VecDeque<(u64, CustomerKey)>,
    digests: BTreeMap<TenantId, TenantDigest>,
    /// Everything that is not deferred; the lane of a deferred scope in its place while that catches up.
    lane: Lane,
    deferrals: Deferrals,
    /// The tenants of which rows are still to be erased.
    offboardings: BTreeSet<TenantId>,
    large: LargeCustomers,
    pending: Pending,
    /// The clock at the last record.
    clock_at_record: Instant,
    /// Whether the database may hold a clock at a record.
    has_clock_marks: bool,
    /// The first customer that could not be processed, and why. What is in memory is not to be used any more.
    failed: Option<FailedCustomer>,
}

impl Folder {
    /// Returns the folder of a partition just claimed. No timer is read yet.
    pub(crate) fn new(partition: i32, claim: Claim, budget: Budget) -> Self {
        let live = Lane::live(&claim);
        let mut folder = Self {
            partition,
            epoch: claim.epoch,
            nonce: claim.nonce,
            commits: claim.commits,
            next_offset: claim.next_offset,
            change_seq: claim.change_seq,
            log: claim.log,
            batch: 1,
            evaluation: claim.evaluation,
            cache: Cache::new(budget),
            passing: VecDeque::new(),
            digests: claim.digests.into_iter().collect(),
            lane: live,
            deferrals: Deferrals::default(),
            offboardings: claim.offboardings.into_iter().collect(),
            large: LargeCustomers::new(claim.large),
            pending: Pending {
                parked_bytes: ParkedBytes::new(claim.parked_bytes),
                ..Pending::default()
            },
            clock_at_record: Instant::MIN,
            has_clock_marks: claim.has_clock_marks,
            failed: None,
        };
        for (row, is_resumed) in claim.deferrals {
            folder.restore(row, is_resumed);
        }
        folder
    }

    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Returns the version of the definitions in force; -1 before the first.
    pub(crate) fn definitions_version(&self) -> i64 {
        self.lane.definitions_version
    }

    /// Returns the version of the definitions that are loaded; -1 before any is.
    pub(crate) fn loaded_version(&self) -> i64 {
        self.lane.definitions.version.unwrap_or(-1)
    }

    /// Returns the number of the batch under construction, from 1.
    pub(crate) fn batch_number(&self) -> u64 {
        self.batch
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.lane.timers
    }

    /// Takes in the next window of timers, of those customers that are folded here.
    pub(crate) fn install_timers(&mut self, rows: Vec<super::timers::Due>) {
        let (lane, deferrals) = (&mut self.lane, &self.deferrals);
        let (scope, erased) = (&lane.scope, &self.offboardings);
        let keep = |key: &CustomerKey| {
            deferrals.are_folded(scope.as_ref(), key) && !erased.contains(&key.tenant)
        };
        lane.timers.install(rows, keep);
    }

    /// Returns whether a customer has a part in the batch under construction.
    pub(crate) fn has_customers(&self) -> bool {
        self.pending.has_customers()
    }

    pub(crate) fn pending_mut(&mut self) -> &mut Pending {
        &mut self.pending
    }

    /// Returns the bytes of parked events, those of the batch under construction among them.
    pub(crate) fn parked_bytes(&mut self) -> Totals {
        let definitions = &self.lane.definitions;
        let version = definitions.version.unwrap_or(-1);
        let is_defined = |tenant: &TenantId| definitions.tenant(tenant).is_some();
        self.pending.parked_bytes.totals(version, is_defined)
    }

    /// Returns the bytes of a tenant's parked events, those of the batch under construction among them.
    pub(crate) fn parked_bytes_of(&self, tenant: &TenantId) -> i64 {
        self.pending.parked_bytes.of_tenant(tenant)
    }

    /// Returns the first customer that could not be processed: the batch must not be written.
    pub(crate) fn take_failed(&mut self) -> Option<FailedCustomer> {
        self.failed.take()
    }

    /// Runs the processing of one customer; a panic is kept for [`Folder::take_failed`].
    fn guard(&mut self, key: &CustomerKey, step: Step, work: impl FnOnce(&mut Self)) {
        let guarded = AssertUnwindSafe(|| {
            step.begin(key);
            work(self);
        });
        if let Err(panic) = catch_unwind(guarded) {
            self.fail_in(key, step, panic.as_ref());
        }
    }

    fn fail_in(&mut self, key: &CustomerKey, step: Step, panic: &(dyn std::any::Any + Send)) {
        let (step, message) = (step.as_str(), panic_text(panic));
        self.fail(key, format!("{step} panicked: {message}"));
    }

    fn fail(&mut self, key: &CustomerKey, detail: String) {
        self.failed.get_or_insert_with(|| FailedCustomer {
            key: key.clone(),
            detail,
        });
    }

    /// Folds one event of a customer that is in memory.
    pub(crate) fn fold(&mut self, event: &CustomerEvent) -> Result<Folded, NotFolded> {
        let definitions = self
            .lane
            .definitions
            .tenant(&event.tenant_id)
            .cloned()
            .ok_or(NotFolded::UnknownTenant)?;
        if definitions.placeholders.contains(&event.customer_id) {
            return Err(NotFolded::PlaceholderId);
        }
        let customer = event.key();
        let mut is_redefined = false;
        let folded = catch_unwind(AssertUnwindSafe(|| {
            self.fold_unguarded(event, &customer, &definitions, &mut is_redefined)
        }));
        match folded {
            Ok(Ok(folded)) => Ok(folded),
            Ok(Err(refused)) => Err(NotFolded::Refused(refused)),
            Err(panic) if !is_redefined => {
                self.fail_in(&customer, Step::EvaluationBeforeEvent, panic.as_ref());
                Err(NotFolded::Failed)
            }
            Err(panic) => Err(NotFolded::Panicked(panic_text(panic.as_ref()))),
        }
    }

    fn fold_unguarded(
        &mut self,
        event: &CustomerEvent,
        customer: &CustomerKey,
        definitions: &TenantDefinitions,
        is_redefined: &mut bool,
    ) -> Result<Folded, Refused> {
        Step::EvaluationBeforeEvent.begin(customer);
        let Some(entry) = self.cache.get_mut(customer) else {
            unreachable!("the task installs every customer of a batch before it folds")
        };
        let was_dirty = entry.dirty;
        touch(entry, customer, &mut self.pending);
        let in_force = InForce {
            definitions,
            tracking: self.lane.tracked.tenant(&customer.tenant),
        };
        let reevaluation = self.lane.reevaluations.get(&customer.tenant);
        let mut effects = redefine(&mut entry.customer, in_force, reevaluation);
        *is_redefined = true;
        Step::Event.begin(customer);
        let redefined = effects.dirty;
        let accepted = self
            .lane
            .definitions
            .accepts_late(&customer.tenant, event.event_id);
        let fold = if accepted {
            entry
                .customer
                .fold_accepted(in_force, event, self.lane.clock)
        } else {
            entry.customer.fold(in_force, event, self.lane.clock)
        };
        effects.extend(fold.effects);
        if !effects.dirty && !was_dirty {
            untouch(entry, &mut self.pending);
        }
        entry.changes.extend(effects.changes);
        self.pending
            .rows
            .rollups
            .add(&customer.tenant, effects.rollups);
        self.note_due(customer, effects.next_due, redefined);
        if fold.outcome == Ok(Folded::New) {
            let digest = self.digests.entry(customer.tenant.clone()).or_default();
            digest.events += 1;
        }
        fold.outcome
    }
}

/// Evaluates a customer under the definitions in force, unless it was before; they came into force
/// when its re-evaluation began.
fn redefine(
    customer: &mut Customer,
    in_force: InForce<'_>,
    reevaluation: Option<&Reevaluation>,
) -> Effects {
    let evaluated_at = customer.evaluated().evaluated_at;
    let activated_at = reevaluation.map_or(evaluated_at, |it| it.activated_at);
    customer.redefine(in_force, activated_at)
}

/// Puts a customer into the batch under construction.
fn touch(entry: &mut Entry, customer: &CustomerKey, pending: &mut Pending) {
    if !entry.dirty {
        entry.dirty = true;
        entry.flushed_evaluated = entry
            .flushed_hash
            .is_some()
            .then(|| entry.customer.evaluated().clone());
        pending.touched.push(customer.clone());
    }
}

/// Takes back the [`touch`] just made: nothing changed after all.
fn untouch(entry: &mut Entry, pending: &mut Pending) {
    entry.dirty = false;
    entry.flushed_evaluated = None;
    pending.touched.pop();
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked without a message".to_owned())
}

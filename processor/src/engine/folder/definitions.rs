//! The activation of definitions in a partition, and the re-evaluation of its customers.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::{Definitions, TenantDefinitions};
use tidemark_projections::evaluated::EVALUATION_VERSION;
use tidemark_schemas::{CustomerKey, TenantId};

use super::Folder;
use crate::engine::step::Step;
use crate::parking::Reason;
use crate::store::{CustomerRow, Reevaluation};

/// What a partition must do before definitions come into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// The timers that are due fire, by the definitions before.
    Timers,
    /// The definitions before are loaded, by which timers fire.
    Definitions,
    /// The rows of an offboarded tenant are erased.
    Erasure,
}

impl Folder {
    /// Returns what must precede the activation of definitions: whatever was due before them happens
    /// under those before.
    pub(crate) fn before_activation(&self, definitions: &Definitions) -> Before {
        let is_newer = definitions.version.unwrap_or(-1) > self.lane.definitions_version;
        if !is_newer || !(self.has_due_timers() || self.is_erasing()) {
            Before::Nothing
        } else if self.loaded_version() != self.lane.definitions_version {
            Before::Definitions
        } else if self.has_due_timers() {
            Before::Timers
        } else {
            Before::Erasure
        }
    }

    /// Puts newer definitions in force from here on, and this binary's evaluation version where the
    /// partition was last folded by an older one.
    ///
    /// Returns the parked events to retry, by tenant and reason: those of tenants unknown before, and late
    /// ones if more of them are accepted now. After a restart all accepted ones count as new, because the
    /// previous owner may not have retried them.
    pub(crate) fn activate(&mut self, definitions: Definitions) -> Vec<(TenantId, Reason)> {
        debug_assert_eq!(self.before_activation(&definitions), Before::Nothing);
        let version = definitions.version.unwrap_or(-1);
        let before = self.lane.definitions_version;
        let known: BTreeMap<_, _> = self.lane.definitions.accepted_late().collect();
        let mut redrive: Vec<_> = definitions
            .accepted_late()
            .filter(|(tenant, count)| known.get(tenant) != Some(count))
            .map(|(tenant, _)| (tenant.clone(), Reason::Late))
            .collect();
        let tenants = definitions.tenants.values();
        let folded: Vec<_> = tenants
            .filter(|tenant| !self.deferrals.cover_tenant(&tenant.id))
            .cloned()
            .collect();
        let changed: Vec<_> = folded
            .iter()
            .filter(|tenant| tenant.version > before)
            .collect();
        let offboarded: Vec<_> = definitions.offboarded_after(before).cloned().collect();
        self.lane.definitions = definitions;
        if self.evaluation < EVALUATION_VERSION {
            self.evaluation = EVALUATION_VERSION;
            for tenant in &folded {
                self.begin_reevaluation(tenant);
            }
        }
        if version <= before {
            return redrive;
        }
        self.lane.definitions_version = version;
        self.pending.rows.activation = Some((version, self.lane.clock));
        for tenant in &offboarded {
            self.begin_erasure(tenant, version);
        }
        for tenant in &changed {
            let tracked = self.lane.tracked.activate(tenant, self.lane.clock);
            self.pending.rows.tracked.extend(tracked);
            self.begin_reevaluation(tenant);
        }
        let defined = changed.into_iter().map(|tenant| tenant.id.clone());
        redrive.splice(0..0, defined.map(|tenant| (tenant, Reason::UnknownTenant)));
        redrive
    }

    /// Puts definitions in force in the lane of a deferred scope, or loads those that are in force there. The
    /// customer of a scope of one must be in memory.
    pub(crate) fn activate_deferred(&mut self, definitions: Definitions) {
        let Some(scope) = self.lane.scope.clone() else {
            return;
        };
        let before = self.lane.definitions_version;
        let tenant = definitions.tenant(&scope.tenant).cloned();
        self.lane.definitions_version = definitions.version.unwrap_or(-1);
        self.lane.definitions = definitions;
        let Some(tenant) = tenant else { return };
        let is_newer = tenant.version > before;
        let is_older_evaluation = self.take_older_evaluation();
        let Some(customer) = &scope.customer else {
            if is_newer {
                let tracked = self.lane.tracked.activate(&tenant, self.lane.clock);
                self.pending.rows.tracked.extend(tracked);
            }
            if is_newer || is_older_evaluation {
                self.begin_reevaluation(&tenant);
            }
            return;
        };
        let key = CustomerKey {
            tenant: scope.tenant.clone(),
            customer: customer.clone(),
        };
        if is_newer {
            // The leaves of the tenant are the partition's to write.
            self.lane.tracked.activate(&tenant, self.lane.clock);
            let id = tenant.id.clone();
            let begun = Reevaluation::begin(id, tenant.version, self.lane.fired_to);
            self.lane.reevaluations.insert(tenant.id.clone(), begun);
        }
        let clock = self.lane.clock;
        self.guard(&key, Step::Evaluation, |folder| {
            folder.catch_up(&key, clock);
        });
        self.lane.reevaluations.clear();
    }

    /// Begins to re-evaluate the customers of a tenant, if it has any.
    fn begin_reevaluation(&mut self, tenant: &TenantDefinitions) {
        let counts = self.digests.get(&tenant.id);
        if counts.is_none_or(|counts| counts.customers == 0) {
            return;
        }
        // By another evaluation version alone, timers may still be due: they fire by the new one.
        let begun = Reevaluation::begin(tenant.id.clone(), tenant.version, self.lane.fired_to);
        self.pending.rows.reevaluations.set(begun.clone());
        self.lane.reevaluations.insert(tenant.id.clone(), begun);
    }

    /// Returns whether these definitions are other than those loaded.
    pub(crate) fn is_older_than(&self, definitions: &Definitions) -> bool {
        self.lane.definitions.version != definitions.version
    }

    /// Returns the tenant's definitions in force.
    pub(crate) fn tenant(&self, tenant: &TenantId) -> Option<&Arc<TenantDefinitions>> {
        self.lane.definitions.tenant(tenant)
    }

    /// Returns an unfinished re-evaluation, with the customer after which to continue.
    pub(crate) fn next_reevaluation(&self) -> Option<&Reevaluation> {
        self.lane
            .reevaluations
            .values()
            .find(|reevaluation| !reevaluation.done)
    }

    /// Evaluates the next customers of a re-evaluation, up to the last one; without one it is finished.
    ///
    /// A customer changed since its row was read is in memory, and that is what counts.
    pub(crate) fn reevaluate(
        &mut self,
        tenant: &TenantId,
        last: Option<CustomerKey>,
        rows: Vec<CustomerRow>,
    ) -> u64 {
        let Some(mut reevaluation) = self.lane.reevaluations.remove(tenant) else {
            return 0;
        };
        let count = rows.len();
        match last {
            Some(last) => reevaluation.cursor = Some(last.customer.as_str().to_owned()),
            None => reevaluation.done = true,
        }
        reevaluation.evaluated += i64::try_from(count).unwrap_or(i64::MAX);
        self.pending.rows.reevaluations.set(reevaluation.clone());
        self.lane.reevaluations.insert(tenant.clone(), reevaluation);
        for row in rows {
            let customer = row.key.clone();
            if !self.folds(&customer) {
                continue;
            }
            if !self.cache.contains(&customer) {
                self.install_row(row);
            }
            let clock = self.lane.clock;
            self.guard(&customer, Step::Evaluation, |folder| {
                folder.catch_up(&customer, clock);
            });
        }
        if self
            .lane
            .reevaluations
            .get(tenant)
            .is_some_and(|reevaluation| reevaluation.done)
        {
            self.lane.reevaluations.remove(tenant);
        }
        count as u64
    }
}

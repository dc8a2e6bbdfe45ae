//! The deferred scopes of a partition, each with its row and its lane.

use std::collections::BTreeMap;

use tidemark_projections::definitions::Definitions;
use tidemark_projections::evaluated::EVALUATION_VERSION;
use tidemark_projections::state::FOLD_VERSION;
use tidemark_schemas::{CustomerKey, Instant, TenantId};

use super::Lane;
use crate::store::{DeferralReason, DeferralRow, Scope};

/// The largest number of undefined tenants that a partition defers. Ids of tenants come from producers: events
/// of further ones are parked.
const MAX_UNDEFINED: usize = 1_000;

/// The largest number of customers of one tenant that a version quarantines in a partition one by one; with a
/// further one, it quarantines the tenant.
pub(super) const MAX_QUARANTINED_OF_TENANT: usize = 100;
/// The largest number of customers that a version quarantines in a partition.
const MAX_QUARANTINED: usize = 1_000;

/// The deferred scopes of a partition.
#[derive(Debug, Default)]
pub(crate) struct Deferrals {
    pub(super) by_scope: BTreeMap<Scope, Deferral>,
}

/// A deferred scope.
#[derive(Debug)]
pub(super) struct Deferral {
    pub(super) row: DeferralRow,
    /// Whether an operator resumed it.
    pub(super) is_resumed: bool,
    /// What the batch under construction writes of it.
    pub(super) written: Written,
    /// The lane of the scope; while that is in the place of the live one, the live one.
    pub(super) lane: Lane,
}

/// What a batch writes of a deferral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It writes nothing.
    Nothing,
    /// It writes how far the scope has come.
    Progress,
    /// It writes the beginning.
    Beginning,
    /// It writes that the scope stands still, and has to be resumed again.
    Stop,
}

impl Deferral {
    pub(super) fn new(row: DeferralRow, lane: Lane) -> Self {
        Self {
            row,
            is_resumed: false,
            written: Written::Nothing,
            lane,
        }
    }

    /// Writes the row with the next batch.
    pub(super) fn touch(&mut self) {
        if self.written == Written::Nothing {
            self.written = Written::Progress;
        }
    }

    /// Stops the scope until it is resumed again.
    pub(super) fn stand(&mut self, reason: DeferralReason, detail: String) {
        self.row.reason = reason;
        self.row.detail = detail;
        self.row.binary_version = binary_version();
        self.is_resumed = false;
        self.written = Written::Stop;
    }
}

impl Deferrals {
    pub(super) fn add(&mut self, deferral: Deferral) {
        self.by_scope.insert(deferral.row.scope.clone(), deferral);
    }

    pub(super) fn remove(&mut self, scope: &Scope) -> Option<Deferral> {
        self.by_scope.remove(scope)
    }

    /// Removes the scopes of a tenant.
    pub(super) fn remove_tenant(&mut self, tenant: &TenantId) -> Vec<Scope> {
        let scopes = self.by_scope.keys();
        let removed: Vec<_> = scopes
            .filter(|scope| scope.tenant == *tenant)
            .cloned()
            .collect();
        self.by_scope.retain(|scope, _| scope.tenant != *tenant);
        removed
    }

    /// Returns whether as many undefined tenants are deferred as may be.
    pub(super) fn are_full(&self) -> bool {
        self.count(DeferralReason::Undefined) >= MAX_UNDEFINED
    }

    /// Returns whether no scope is deferred.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_scope.is_empty()
    }

    /// Returns the number of scopes deferred for a reason.
    pub(crate) fn count(&self, reason: DeferralReason) -> usize {
        let deferrals = self.by_scope.values();
        deferrals.filter(|it| it.row.reason == reason).count()
    }

    /// Returns the first record that a scope needs: the first offset that is not folded, and its clock there.
    pub(crate) fn first_needed(&self) -> Option<(i64, Instant)> {
        let rows = self.by_scope.values().map(|it| &it.row);
        rows.map(|row| (row.next_offset, row.clock)).min()
    }

    /// Returns the number of customers that this version has quarantined one by one, of a tenant or of all.
    pub(super) fn count_quarantined(&self, tenant: Option<&TenantId>) -> usize {
        let version = binary_version();
        let is_counted = |it: &&Deferral| {
            let DeferralRow { scope, reason, .. } = &it.row;
            *reason == DeferralReason::Quarantined
                && scope.customer.is_some()
                && tenant.is_none_or(|tenant| *tenant == scope.tenant)
                && it.row.binary_version == version
        };
        self.by_scope.values().filter(is_counted).count()
    }

    /// Returns whether so many customers were quarantined that the fault is not one of customers; else, one more
    /// customer may be.
    pub(crate) fn are_too_many(&self, key: &CustomerKey) -> bool {
        !self.cover_alone(key) && self.count_quarantined(None) >= MAX_QUARANTINED
    }

    /// Returns whether a customer is in a deferred scope.
    pub(crate) fn cover(&self, key: &CustomerKey) -> bool {
        !self.is_empty() && (self.cover_tenant(&key.tenant) || self.cover_alone(key))
    }

    /// Returns whether a tenant is deferred as a whole.
    pub(crate) fn cover_tenant(&self, tenant: &TenantId) -> bool {
        !self.is_empty() && self.by_scope.contains_key(&Scope::tenant(tenant.clone()))
    }

    fn cover_alone(&self, key: &CustomerKey) -> bool {
        self.by_scope.contains_key(&Scope::customer(key.clone()))
    }

    /// Returns whether the lane of a scope (`None`: the live one) folds a customer.
    pub(super) fn are_folded(&self, scope: Option<&Scope>, key: &CustomerKey) -> bool {
        match scope {
            None => !self.cover(key),
            Some(scope) if scope.customer.is_none() => scope.covers(key) && !self.cover_alone(key),
            Some(scope) => scope.covers(key),
        }
    }

    /// Returns the scopes that may be folded again, of those defined by `definitions`.
    pub(super) fn ready<'a>(
        &'a self,
        definitions: &'a Definitions,
    ) -> impl Iterator<Item = &'a Scope> {
        let ready = self.by_scope.values().filter(|deferral| {
            let DeferralRow { scope, reason, .. } = &deferral.row;
            let is_nested = scope.customer.is_some() && self.cover_tenant(&scope.tenant);
            let is_ready = match reason {
                DeferralReason::Undefined => true,
                DeferralReason::Halted | DeferralReason::Quota => deferral.is_resumed,
                DeferralReason::Quarantined => {
                    deferral.is_resumed || deferral.row.binary_version != binary_version()
                }
            };
            is_ready && !is_nested && definitions.tenant(&scope.tenant).is_some()
        });
        ready.map(|deferral| &deferral.row.scope)
    }
}

/// Returns the version of this binary: with another one, quarantined customers are tried again.
pub(super) fn binary_version() -> String {
    let package = env!("CARGO_PKG_VERSION");
    format!("{package}, fold {FOLD_VERSION}, evaluation {EVALUATION_VERSION}")
}

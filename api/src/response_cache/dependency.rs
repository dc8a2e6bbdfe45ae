//! Cache dependencies: the tables and customers that a response was computed from.

use tidemark_projections::invalidation::{AggregateKind, slot, tenant_number};
use tidemark_schemas::{CustomerId, TenantId};

/// The rows of a tenant that a response depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// The definitions alone.
    Definitions,
    /// One customer, by its slot.
    Customer(usize),
    /// Lists and counts of these kinds.
    Kinds(&'static [AggregateKind]),
}

impl Dependency {
    /// Returns the dependency on a customer, which all customers of its slot share.
    pub(crate) fn on_customer(customer: &CustomerId) -> Self {
        Self::Customer(slot(customer))
    }
}

/// A dependency with its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(super) tenant: u64,
    pub(super) dependency: Dependency,
}

impl Subject {
    pub(crate) fn new(tenant: &TenantId, dependency: Dependency) -> Self {
        let tenant = tenant_number(tenant);
        Self { tenant, dependency }
    }
}

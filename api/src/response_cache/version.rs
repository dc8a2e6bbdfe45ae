//! Versions of what responses depend on: counters that only grow.
//!
//! The customers of a tenant share 1,024 counters by the hash of their ids, and lists and counts
//! have one counter for each [`AggregateKind`]. Every look of the follower that finds an invalidation has a
//! number, which is stored in the counters of what was invalidated. A base counter for all tenants
//! advances where the invalidation cannot be known: after a rewind, a claim or a gap, and with new
//! definitions or another generation.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tidemark_projections::invalidation::{AggregateKind, Invalidation, SLOTS};

use super::dependency::{Dependency, Subject};
use super::position::Invalidated;

/// The version of a subject. Two equal versions prove that the subject was not invalidated in
/// between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    /// The counter of all tenants.
    pub(super) base: u64,
    /// The greatest counter of the dependency.
    stamp: u64,
}

/// The counters of one tenant.
#[derive(Debug)]
struct Counters {
    slots: [AtomicU64; SLOTS],
    kinds: [AtomicU64; AggregateKind::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            slots: [const { AtomicU64::new(0) }; SLOTS],
            kinds: [const { AtomicU64::new(0) }; AggregateKind::ALL.len()],
        }
    }
}

impl Counters {
    fn newest(&self, dependency: Dependency) -> u64 {
        match dependency {
            Dependency::Definitions => 0,
            Dependency::Customer(slot) => self.slots[slot % SLOTS].load(Ordering::Acquire),
            Dependency::Kinds(kinds) => {
                let counters = kinds
                    .iter()
                    .map(|kind| self.kinds[*kind as usize].load(Ordering::Acquire));
                counters.max().unwrap_or(0)
            }
        }
    }
}

/// The counters of every tenant with requests.
#[derive(Debug, Default)]
pub(super) struct Versions {
    base: AtomicU64,
    /// The number of the last look that found an invalidation.
    looks: AtomicU64,
    tenants: RwLock<HashMap<u64, Arc<Counters>>>,
}

impl Versions {
    /// Returns the current version. The first call for a tenant creates its counters.
    pub(super) fn get(&self, subject: &Subject) -> Version {
        let counters = self.counters(subject.tenant);
        Version {
            base: self.base.load(Ordering::Acquire),
            stamp: counters.newest(subject.dependency),
        }
    }

    fn counters(&self, tenant: u64) -> Arc<Counters> {
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = known.get(&tenant) {
            return Arc::clone(counters);
        }
        drop(known);
        let mut known = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(tenant).or_default())
    }

    /// Advances the versions of what was invalidated. Tenants without requests have no cached
    /// responses, so they are skipped.
    pub(super) fn advance(&self, invalidated: &Invalidated) {
        let invalidations = match invalidated {
            Invalidated::Everything => {
                self.base.fetch_add(1, Ordering::AcqRel);
                return;
            }
            Invalidated::By(invalidations) => invalidations,
        };
        if invalidations.is_empty() {
            return;
        }
        let look = self.looks.fetch_add(1, Ordering::AcqRel) + 1;
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        for (tenant, changed) in invalidations.iter().flat_map(Invalidation::tenants) {
            let Some(counters) = known.get(&tenant) else {
                continue;
            };
            for slot in changed.slots() {
                counters.slots[slot].store(look, Ordering::Release);
            }
            for kind in changed.aggregates() {
                counters.kinds[kind as usize].store(look, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use tidemark_schemas::{CustomerId, TenantId};

    use super::*;

    const MEMBERS: Dependency =
        Dependency::Kinds(&[AggregateKind::Memberships, AggregateKind::Population]);

    fn tenant(id: &str) -> TenantId {
        TenantId::new(id).unwrap()
    }

    fn customer(id: &str) -> CustomerId {
        CustomerId::new(id).unwrap()
    }

    /// Returns subjects of two tenants: two customers in different slots, a list, and definitions.
    fn subjects() -> Vec<Subject> {
        let dependencies = [
            Dependency::on_customer(&customer("ann")),
            Dependency::on_customer(&customer("bob")),
            MEMBERS,
            Dependency::Definitions,
        ];
        assert_ne!(dependencies[0], dependencies[1]);
        let subjects_of =
            |id: &str| dependencies.map(|dependency| Subject::new(&tenant(id), dependency));
        [subjects_of("acme"), subjects_of("globex")].concat()
    }

    #[track_caller]
    fn check(invalidated: &Invalidated, expected: [bool; 8]) {
        let (versions, subjects) = (Versions::default(), subjects());
        let before: Vec<_> = subjects.iter().map(|one| versions.get(one)).collect();
        versions.advance(invalidated);
        let differ = subjects
            .iter()
            .zip(before)
            .map(|(one, before)| versions.get(one) != before);
        assert_eq!(differ.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn versions_of_invalidated_subjects_alone_advance() {
        let (f, t) = (false, true);
        check(&Invalidated::By(Vec::new()), [f; 8]);
        check(&Invalidated::Everything, [t; 8]);
        let mut invalidation = Invalidation::default();
        invalidation.add_customer(&tenant("acme"), &customer("ann"));
        check(
            &Invalidated::By(vec![invalidation.clone()]),
            [t, f, f, f, f, f, f, f],
        );
        invalidation.add_aggregate(&tenant("globex"), AggregateKind::Population);
        invalidation.add_aggregate(&tenant("globex"), AggregateKind::Positions);
        invalidation.add_aggregate(&tenant("initech"), AggregateKind::Memberships);
        check(
            &Invalidated::By(vec![invalidation]),
            [t, f, f, f, f, f, t, f],
        );
    }

    #[test]
    fn each_invalidation_gives_a_new_version() {
        let (versions, subject) = (Versions::default(), subjects()[0]);
        let mut seen = vec![versions.get(&subject)];
        for _ in 0..5 {
            let mut invalidation = Invalidation::default();
            invalidation.add_customer(&tenant("acme"), &customer("ann"));
            versions.advance(&Invalidated::By(vec![invalidation]));
            versions.advance(&Invalidated::Everything);
            let version = versions.get(&subject);
            assert!(!seen.contains(&version));
            seen.push(version);
        }
    }
}

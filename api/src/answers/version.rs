//! How old an answer may be, told by numbers that only grow.
//!
//! A tenant's customers share 1,024 numbers by the hash of their ids, and lists and sizes have one
//! a [`Kind`]. Each look at the commits that found something moved has a number of its own, and
//! stamps it on what moved. Beside them stands one number for all, which moves where it cannot be
//! known what did: after a rewind, a claim, a gap, new definitions, another generation.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tidemark_projections::invalidation::{Invalidation, Kind, SLOTS, slot, tenant_number};
use tidemark_schemas::{CustomerId, TenantId};

use super::position::Moves;

/// What an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depends {
    /// Definitions alone.
    Definitions,
    /// One customer.
    Customer(usize),
    /// Lists and sizes.
    Kinds(&'static [Kind]),
}

impl Depends {
    /// On this customer, and all others of its slot.
    pub(crate) fn on(customer: &CustomerId) -> Self {
        Self::Customer(slot(customer))
    }
}

/// What an answer is made of, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    tenant: u64,
    depends: Depends,
}

impl Subject {
    pub(crate) fn new(tenant: &TenantId, depends: Depends) -> Self {
        let tenant = tenant_number(tenant);
        Self { tenant, depends }
    }
}

/// Two that are equal say that nothing moved in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    /// The number of all.
    pub(super) base: u64,
    /// The newest of what the answer depends on.
    stamp: u64,
}

/// One tenant's.
#[derive(Debug)]
struct Stamps {
    slots: [AtomicU64; SLOTS],
    kinds: [AtomicU64; Kind::ALL.len()],
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            slots: [const { AtomicU64::new(0) }; SLOTS],
            kinds: [const { AtomicU64::new(0) }; Kind::ALL.len()],
        }
    }
}

impl Stamps {
    fn of(&self, depends: Depends) -> u64 {
        match depends {
            Depends::Definitions => 0,
            Depends::Customer(slot) => self.slots[slot % SLOTS].load(Ordering::Acquire),
            Depends::Kinds(kinds) => {
                let stamps = kinds
                    .iter()
                    .map(|kind| self.kinds[*kind as usize].load(Ordering::Acquire));
                stamps.max().unwrap_or(0)
            }
        }
    }
}

/// Of every tenant that was asked for.
#[derive(Debug, Default)]
pub(super) struct Versions {
    base: AtomicU64,
    /// Of the last look that found something moved.
    looks: AtomicU64,
    tenants: RwLock<HashMap<u64, Arc<Stamps>>>,
}

impl Versions {
    /// Now. From the first time on, the tenant is followed.
    pub(super) fn of(&self, subject: &Subject) -> Version {
        let stamps = self.stamps(subject.tenant);
        Version {
            base: self.base.load(Ordering::Acquire),
            stamp: stamps.of(subject.depends),
        }
    }

    fn stamps(&self, tenant: u64) -> Arc<Stamps> {
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(stamps) = known.get(&tenant) {
            return Arc::clone(stamps);
        }
        drop(known);
        let mut known = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(tenant).or_default())
    }

    /// Stamps what moved. Tenants nobody asked for have no answer that could be old.
    pub(super) fn advance(&self, moves: &Moves) {
        let invalidation = match moves {
            Moves::Everything => {
                self.base.fetch_add(1, Ordering::AcqRel);
                return;
            }
            Moves::These(invalidation) => invalidation,
        };
        if invalidation.is_empty() {
            return;
        }
        let look = self.looks.fetch_add(1, Ordering::AcqRel) + 1;
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        for (tenant, moved) in invalidation.iter().flat_map(Invalidation::tenants) {
            let Some(stamps) = known.get(&tenant) else {
                continue;
            };
            for slot in moved.slots() {
                stamps.slots[slot].store(look, Ordering::Release);
            }
            for kind in moved.kinds() {
                stamps.kinds[kind as usize].store(look, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const MEMBERS: Depends = Depends::Kinds(&[Kind::Memberships, Kind::Population]);

    fn tenant(id: &str) -> TenantId {
        TenantId::new(id).unwrap()
    }

    fn customer(id: &str) -> CustomerId {
        CustomerId::new(id).unwrap()
    }

    /// Two customers of different slots, a list, and what only definitions move, of two tenants.
    fn subjects() -> Vec<Subject> {
        let depends = [
            Depends::on(&customer("ann")),
            Depends::on(&customer("bob")),
            MEMBERS,
            Depends::Definitions,
        ];
        assert_ne!(depends[0], depends[1]);
        let of = |id: &str| depends.map(|depends| Subject::new(&tenant(id), depends));
        [of("acme"), of("globex")].concat()
    }

    #[track_caller]
    fn check(moves: &Moves, expected: [bool; 8]) {
        let (versions, subjects) = (Versions::default(), subjects());
        let before: Vec<_> = subjects.iter().map(|one| versions.of(one)).collect();
        versions.advance(moves);
        let differ = subjects
            .iter()
            .zip(before)
            .map(|(one, before)| versions.of(one) != before);
        assert_eq!(differ.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_what_was_touched_moves() {
        let (f, t) = (false, true);
        check(&Moves::These(Vec::new()), [f; 8]);
        check(&Moves::Everything, [t; 8]);
        let mut invalidation = Invalidation::default();
        invalidation.customer(&tenant("acme"), &customer("ann"));
        check(
            &Moves::These(vec![invalidation.clone()]),
            [t, f, f, f, f, f, f, f],
        );
        invalidation.kind(&tenant("globex"), Kind::Population);
        invalidation.kind(&tenant("globex"), Kind::Positions);
        invalidation.kind(&tenant("initech"), Kind::Memberships);
        check(&Moves::These(vec![invalidation]), [t, f, f, f, f, f, t, f]);
    }

    #[test]
    fn what_moves_again_differs_again() {
        let (versions, subject) = (Versions::default(), subjects()[0]);
        let mut seen = vec![versions.of(&subject)];
        for _ in 0..5 {
            let mut invalidation = Invalidation::default();
            invalidation.customer(&tenant("acme"), &customer("ann"));
            versions.advance(&Moves::These(vec![invalidation]));
            versions.advance(&Moves::Everything);
            let version = versions.of(&subject);
            assert!(!seen.contains(&version));
            seen.push(version);
        }
    }
}

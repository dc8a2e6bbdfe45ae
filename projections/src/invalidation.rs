//! What a commit touched: how answers kept in a cache learn that they are old.
//!
//! Each tenant's customers fall into 1,024 [`slot`]s by the hash of their id, and what is counted
//! and listed into a few [`Kind`]s. A commit leaves one small [`Invalidation`] behind: for each tenant
//! in it the slots and kinds that moved. A tenant is a number there, never a name, so that who
//! reads it learns nothing of anybody.

use std::collections::BTreeMap;

use tidemark_schemas::{CustomerId, TenantId};
use xxhash_rust::xxh3::xxh3_64;

/// Into how many slots a tenant's customers fall.
pub const SLOTS: usize = 1_024;
/// How many of a partition's last commits are kept. Who has not looked for longer knows nothing of
/// what moved, and must take it that everything did.
pub const COMMITS_KEPT: i64 = 1_000;

const WORDS: usize = SLOTS / 64;
/// Up to this many slots are written one by one, more as one bit each.
const LISTED_AT_MOST: usize = 63;
/// In the place of a number of listed slots.
const AS_BITS: u8 = 0xff;

/// A tenant as a number. Two tenants may share one: then they move together, no more.
pub fn tenant_number(tenant: &TenantId) -> u64 {
    xxh3_64(tenant.as_str().as_bytes())
}

/// Where a customer falls among its tenant's.
pub fn slot(customer: &CustomerId) -> usize {
    let hash = xxh3_64(customer.as_str().as_bytes());
    usize::try_from(hash % SLOTS as u64).unwrap_or(0)
}

/// What answers about many customers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any customer's row.
    Customers,
    /// Who is in which segment.
    Memberships,
    /// Who stands where in which journey.
    Positions,
    /// How many customers there are.
    Population,
    /// How far an evaluation under newer definitions is.
    Evaluation,
    /// Sums over customers, by day: money, messages, and the sizes of the past.
    Rollups,
    /// Bands, cells and clusters: how many customers each has.
    Scores,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Customers,
        Self::Memberships,
        Self::Positions,
        Self::Population,
        Self::Evaluation,
        Self::Rollups,
        Self::Scores,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    kinds: u8,
    slots: [u64; WORDS],
}

impl Moved {
    /// The kinds that moved.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        let moved = |kind: &Kind| self.kinds & kind.bit() != 0;
        Kind::ALL.into_iter().filter(moved)
    }

    /// The slots of which a customer moved, in order.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        (0..SLOTS).filter(|slot| self.slots[slot / 64] & (1 << (slot % 64)) != 0)
    }

    fn set(&mut self, slot: usize) {
        self.slots[slot / 64] |= 1 << (slot % 64);
    }
}

/// Not what [`Invalidation::encode`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record of what a commit touched")]
pub struct InvalidEncoding;

/// What one commit touched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invalidation(BTreeMap<u64, Moved>);

impl Invalidation {
    /// A customer's row is written.
    pub fn customer(&mut self, tenant: &TenantId, customer: &CustomerId) {
        let moved = self.0.entry(tenant_number(tenant)).or_default();
        moved.set(slot(customer));
        moved.kinds |= Kind::Customers.bit();
    }

    /// Something of a kind is written.
    pub fn kind(&mut self, tenant: &TenantId, kind: Kind) {
        self.0.entry(tenant_number(tenant)).or_default().kinds |= kind.bit();
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By [`tenant_number`].
    pub fn tenants(&self) -> impl Iterator<Item = (u64, &Moved)> {
        self.0.iter().map(|(tenant, moved)| (*tenant, moved))
    }

    /// As stored: per tenant its number, its kinds, and its slots as a list or as bits, whichever
    /// is shorter. Little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 32);
        for (tenant, moved) in &self.0 {
            bytes.extend_from_slice(&tenant.to_le_bytes());
            bytes.push(moved.kinds);
            let listed: Vec<u16> = moved
                .slots()
                .filter_map(|slot| slot.try_into().ok())
                .collect();
            match u8::try_from(listed.len()) {
                Ok(count) if listed.len() <= LISTED_AT_MOST => {
                    bytes.push(count);
                    bytes.extend(listed.iter().flat_map(|slot| slot.to_le_bytes()));
                }
                _ => {
                    bytes.push(AS_BITS);
                    bytes.extend(moved.slots.iter().flat_map(|word| word.to_le_bytes()));
                }
            }
        }
        bytes
    }

    /// From the stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidEncoding> {
        let mut tenants = BTreeMap::new();
        let mut rest = Reader(bytes);
        while !rest.0.is_empty() {
            let tenant = u64::from_le_bytes(rest.take()?);
            let [kinds, count] = rest.take()?;
            let mut moved = Moved {
                kinds,
                ..Moved::default()
            };
            if count == AS_BITS {
                for word in &mut moved.slots {
                    *word = u64::from_le_bytes(rest.take()?);
                }
            } else {
                for _ in 0..count {
                    let slot = usize::from(u16::from_le_bytes(rest.take()?));
                    if slot >= SLOTS {
                        return Err(InvalidEncoding);
                    }
                    moved.set(slot);
                }
            }
            tenants.insert(tenant, moved);
        }
        Ok(Self(tenants))
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], InvalidEncoding> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(InvalidEncoding)?;
        self.0 = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn tenant(id: &str) -> TenantId {
        TenantId::new(id).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            customers in proptest::collection::vec(("[ab]", "[a-z]{1,3}"), 0..300),
            kinds in proptest::collection::vec(("[abc]", 0..Kind::ALL.len()), 0..8),
        ) {
            let mut invalidation = Invalidation::default();
            for (of, customer) in &customers {
                invalidation.customer(&tenant(of), &CustomerId::new(customer).unwrap());
            }
            for (of, kind) in &kinds {
                invalidation.kind(&tenant(of), Kind::ALL[*kind]);
            }
            let read = Invalidation::decode(&invalidation.encode()).unwrap();
            prop_assert_eq!(&read, &invalidation);
            for (of, customer) in &customers {
                let slot = slot(&CustomerId::new(customer).unwrap());
                let number = tenant_number(&tenant(of));
                let moved = read.tenants().find(|(tenant, _)| *tenant == number).unwrap().1;
                prop_assert!(moved.slots().any(|moved| moved == slot));
            }
        }

        #[test]
        fn damage_is_noticed_or_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(invalidation) = Invalidation::decode(&bytes) {
                prop_assert_eq!(Invalidation::decode(&invalidation.encode()), Ok(invalidation));
            }
        }
    }

    #[test]
    fn a_busy_commit_is_written_in_bits() {
        let mut invalidation = Invalidation::default();
        for number in 0..2_000 {
            let customer = CustomerId::new(format!("customer-{number}")).unwrap();
            invalidation.customer(&tenant("acme"), &customer);
        }
        assert_eq!(invalidation.encode().len(), 8 + 2 + SLOTS / 8);
        assert_eq!(
            Invalidation::decode(&invalidation.encode()),
            Ok(invalidation)
        );
    }
}

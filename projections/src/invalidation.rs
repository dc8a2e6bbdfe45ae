//! Invalidation: what a commit makes stale in response caches.
//!
//! The customers of a tenant fall into 1,024 [`slot`]s by the hash of their id, and lists and counts
//! into a few [`AggregateKind`]s. Each commit stores one small [`Invalidation`]: per tenant, the slots
//! and aggregates it changed. A tenant is a number in it, so that its readers learn no names.

use std::collections::BTreeMap;

use tidemark_schemas::{CustomerId, TenantId};
use xxhash_rust::xxh3::xxh3_64;

/// The number of slots into which a tenant's customers fall.
pub const SLOTS: usize = 1_024;
/// The number of invalidations kept per partition. A cache that has not read for longer must discard
/// everything.
pub const COMMITS_KEPT: i64 = 1_000;

const WORDS: usize = SLOTS / 64;
/// The largest number of slots written as a list; more are written as bits.
const LISTED_AT_MOST: usize = 63;
/// The marker of slots written as bits, in place of the length of their list.
const AS_BITS: u8 = 0xff;

/// Returns a tenant's number. Two tenants may share one: then each invalidates the other's responses.
pub fn tenant_number(tenant: &TenantId) -> u64 {
    xxh3_64(tenant.as_str().as_bytes())
}

/// Returns the slot of a customer.
pub fn slot(customer: &CustomerId) -> usize {
    let hash = xxh3_64(customer.as_str().as_bytes());
    usize::try_from(hash % SLOTS as u64).unwrap_or(0)
}

/// A kind of data about many customers that responses depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateKind {
    /// The row of any customer.
    Customers,
    /// Members of segments.
    Memberships,
    /// Positions in journeys.
    Positions,
    /// The number of customers.
    Population,
    /// Progress of a re-evaluation under newer definitions.
    Evaluation,
    /// Rollups: money, messages and past sizes by day.
    Rollups,
    /// The number of customers in each band, RFM cell and cluster.
    Scores,
}

impl AggregateKind {
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

/// The invalidation of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantInvalidation {
    aggregates: u8,
    slots: [u64; WORDS],
}

impl TenantInvalidation {
    /// Returns the aggregates that changed.
    pub fn aggregates(&self) -> impl Iterator<Item = AggregateKind> + '_ {
        let changed = |kind: &AggregateKind| self.aggregates & kind.bit() != 0;
        AggregateKind::ALL.into_iter().filter(changed)
    }

    /// Returns the slots in which a customer changed, in order.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        (0..SLOTS).filter(|slot| self.slots[slot / 64] & (1 << (slot % 64)) != 0)
    }

    fn set(&mut self, slot: usize) {
        self.slots[slot / 64] |= 1 << (slot % 64);
    }
}

/// Bytes that [`Invalidation::encode`] does not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an encoded invalidation")]
pub struct InvalidEncoding;

/// What one commit makes stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invalidation(BTreeMap<u64, TenantInvalidation>);

impl Invalidation {
    /// Adds a customer with a changed row.
    pub fn add_customer(&mut self, tenant: &TenantId, customer: &CustomerId) {
        let tenant = self.0.entry(tenant_number(tenant)).or_default();
        tenant.set(slot(customer));
        tenant.aggregates |= AggregateKind::Customers.bit();
    }

    /// Adds an aggregate that changed.
    pub fn add_aggregate(&mut self, tenant: &TenantId, kind: AggregateKind) {
        let tenant = self.0.entry(tenant_number(tenant)).or_default();
        tenant.aggregates |= kind.bit();
    }

    /// Returns whether nothing becomes stale.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the invalidation of each tenant, by [`tenant_number`].
    pub fn tenants(&self) -> impl Iterator<Item = (u64, &TenantInvalidation)> {
        self.0
            .iter()
            .map(|(number, invalidation)| (*number, invalidation))
    }

    /// Returns the stored bytes: per tenant its number, its aggregates, and its slots as a list or as
    /// bits, whichever is shorter. Little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 32);
        for (number, tenant) in &self.0 {
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.push(tenant.aggregates);
            let listed: Vec<u16> = tenant
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
                    bytes.extend(tenant.slots.iter().flat_map(|word| word.to_le_bytes()));
                }
            }
        }
        bytes
    }

    /// Reads the stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidEncoding> {
        let mut tenants = BTreeMap::new();
        let mut rest = Reader(bytes);
        while !rest.0.is_empty() {
            let number = u64::from_le_bytes(rest.take()?);
            let [aggregates, count] = rest.take()?;
            let mut tenant = TenantInvalidation {
                aggregates,
                ..TenantInvalidation::default()
            };
            if count == AS_BITS {
                for word in &mut tenant.slots {
                    *word = u64::from_le_bytes(rest.take()?);
                }
            } else {
                for _ in 0..count {
                    let slot = usize::from(u16::from_le_bytes(rest.take()?));
                    if slot >= SLOTS {
                        return Err(InvalidEncoding);
                    }
                    tenant.set(slot);
                }
            }
            tenants.insert(number, tenant);
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
        fn decoding_inverts_encoding(
            customers in proptest::collection::vec(("[ab]", "[a-z]{1,3}"), 0..300),
            kinds in proptest::collection::vec(("[abc]", 0..AggregateKind::ALL.len()), 0..8),
        ) {
            let mut invalidation = Invalidation::default();
            for (of, customer) in &customers {
                invalidation.add_customer(&tenant(of), &CustomerId::new(customer).unwrap());
            }
            for (of, kind) in &kinds {
                invalidation.add_aggregate(&tenant(of), AggregateKind::ALL[*kind]);
            }
            let read = Invalidation::decode(&invalidation.encode()).unwrap();
            prop_assert_eq!(&read, &invalidation);
            for (of, customer) in &customers {
                let slot = slot(&CustomerId::new(customer).unwrap());
                let number = tenant_number(&tenant(of));
                let found = read.tenants().find(|(tenant, _)| *tenant == number).unwrap().1;
                prop_assert!(found.slots().any(|found| found == slot));
            }
        }

        #[test]
        fn damaged_bytes_are_refused_or_decode_to_an_invalidation(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(invalidation) = Invalidation::decode(&bytes) {
                prop_assert_eq!(Invalidation::decode(&invalidation.encode()), Ok(invalidation));
            }
        }
    }

    #[test]
    fn many_slots_are_written_as_bits() {
        let mut invalidation = Invalidation::default();
        for number in 0..2_000 {
            let customer = CustomerId::new(format!("customer-{number}")).unwrap();
            invalidation.add_customer(&tenant("acme"), &customer);
        }
        assert_eq!(invalidation.encode().len(), 8 + 2 + SLOTS / 8);
        assert_eq!(
            Invalidation::decode(&invalidation.encode()),
            Ok(invalidation)
        );
    }
}

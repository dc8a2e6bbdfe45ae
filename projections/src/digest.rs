//! The digest of a set of customers: the sum, modulo 2^128, of a hash of each.
//!
//! A sum can be updated with the old and new hash of one customer, does not depend on the order,
//! and, unlike xor, does not cancel a customer counted twice.

use tidemark_schemas::{CustomerId, TenantId};
use xxhash_rust::xxh3::Xxh3;

/// The hash of one customer's core state bytes. Stable across versions and machines.
pub fn state_hash(tenant: &TenantId, customer: &CustomerId, state: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    for part in [
        tenant.as_str().as_bytes(),
        customer.as_str().as_bytes(),
        state,
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest128()
}

/// A sum of [`state_hash`]es.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(pub u128);

impl Digest {
    /// Replaces the hash of one customer: `None` where it was, or is, absent.
    pub fn replace(&mut self, old: Option<u128>, new: Option<u128>) {
        self.0 = self
            .0
            .wrapping_sub(old.unwrap_or(0))
            .wrapping_add(new.unwrap_or(0));
    }

    /// Adds another set's digest.
    pub fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Big-endian, as stored.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads a digest from its stored bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

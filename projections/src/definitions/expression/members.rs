//! Conditions on a customer itself: listed by id, in a share of all, member of a segment for a time.

use tidemark_schemas::CustomerId;
use xxhash_rust::xxh3::Xxh3;

use super::{Duration, SegmentReference};

/// Has been in another segment for some time. Reads history: since when that was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberForCondition {
    /// The other segment.
    pub segment: SegmentReference,
    /// The least duration.
    pub duration: Duration,
}

/// The resolution of [`BucketCondition`]: millionths.
const BUCKETS: u32 = 1_000_000;

/// Is in a stable share of all customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketCondition {
    /// Another salt cuts otherwise.
    pub salt: String,
    /// The share begins here, in millionths.
    pub from: u32,
    /// It ends before this.
    pub to: u32,
}

impl BucketCondition {
    /// Returns the bucket of a customer, from 0 to 999,999: the 64 bits of xxh3 of the salt, a byte 0 and
    /// the customer's id, as a share of 2^64.
    pub fn place(&self, customer: &CustomerId) -> u32 {
        let mut hasher = Xxh3::new();
        hasher.update(self.salt.as_bytes());
        hasher.update(&[0]);
        hasher.update(customer.as_str().as_bytes());
        let share = (u128::from(hasher.digest()) * u128::from(BUCKETS)) >> 64;
        u32::try_from(share).unwrap_or(BUCKETS)
    }

    /// Whether a customer is in it.
    pub fn holds(&self, customer: &CustomerId) -> bool {
        (self.from..self.to).contains(&self.place(customer))
    }
}

/// Is one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualCondition {
    /// Sorted.
    customers: Vec<CustomerId>,
}

impl ManualCondition {
    /// Returns a list of customers, given in any order.
    pub(crate) fn new(mut customers: Vec<CustomerId>) -> Self {
        customers.sort_unstable();
        customers.dedup();
        Self { customers }
    }

    /// Whether a customer is listed.
    pub fn holds(&self, customer: &CustomerId) -> bool {
        self.customers.binary_search(customer).is_ok()
    }
}

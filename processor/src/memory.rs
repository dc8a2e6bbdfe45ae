//! One budget of bytes over queued records, cached states and batches under way of all partitions.
//!
//! The memory of librdkafka's queue cannot be counted here: its bound is set aside from the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The budget that all partitions of a process share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    /// Returns a budget of that many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            used: Arc::new(AtomicUsize::new(0)),
            limit,
        }
    }

    /// Returns the budget that remains beside librdkafka's queue and one response on its way into it.
    pub(crate) fn beside_prefetch(limit: usize) -> Self {
        Self::new(limit - (2 * prefetch_bytes(limit)).min(limit / 2))
    }

    /// Adds bytes. Never blocks: the caller that sees [`Budget::is_over_with`] releases bytes.
    pub(crate) fn reserve(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Releases bytes.
    pub(crate) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns the bytes reserved.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns whether the limit would be exceeded if so many more bytes were reserved.
    pub(crate) fn is_over_with(&self, more: usize) -> bool {
        self.used().saturating_add(more) > self.limit
    }

    /// Returns the bytes that one partition of so many may queue: a quarter of the budget for all of them.
    pub(crate) fn queue_share(&self, partitions: usize) -> usize {
        (self.limit / 4 / partitions.max(1)).max(64 * 1024)
    }
}

/// A reservation of bytes, released when it is dropped.
#[derive(Debug)]
pub(crate) struct MemoryReservation {
    budget: Budget,
    bytes: usize,
}

impl MemoryReservation {
    /// Reserves bytes.
    pub(crate) fn new(budget: &Budget, bytes: usize) -> Self {
        budget.reserve(bytes);
        Self {
            budget: budget.clone(),
            bytes,
        }
    }

    /// Takes over bytes that are reserved already.
    pub(crate) fn adopt(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

/// Returns the bound of librdkafka's queue, and of a single fetch: small beside the budget, and large
/// enough to avoid waiting.
pub(crate) fn prefetch_bytes(limit: usize) -> usize {
    const LEAST: usize = 1024 * 1024;
    const MOST: usize = 16 * 1024 * 1024;
    (limit / 64).clamp(LEAST, MOST)
}

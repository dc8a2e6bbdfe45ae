//! One budget of bytes over queued records and cached states of all partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shared by every partition of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    /// Of that many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            used: Arc::new(AtomicUsize::new(0)),
            limit,
        }
    }

    /// Counts bytes in. Never blocks: whoever sees [`Budget::is_over`] gives bytes back.
    pub(crate) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes out.
    pub(crate) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes counted in and not out.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether more is used than allowed.
    pub(crate) fn is_over(&self) -> bool {
        self.used() > self.limit
    }

    /// The bytes one partition of so many may queue: a quarter of the budget for all of them.
    pub(crate) fn queue_share(&self, partitions: usize) -> usize {
        (self.limit / 4 / partitions.max(1)).max(64 * 1024)
    }
}

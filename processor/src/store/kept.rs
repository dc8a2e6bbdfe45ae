//! Batches kept after they landed, for a bench that replays the writing with nothing in front.

use std::sync::{Arc, Mutex, PoisonError};

use super::batch::Batch;

/// Batches in the order in which they landed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct KeptBatches(Arc<Mutex<Vec<Batch>>>);

impl KeptBatches {
    /// Hands over what was kept so far.
    pub fn take(&self) -> Vec<Batch> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn push(&self, batch: Batch) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(batch);
    }
}
